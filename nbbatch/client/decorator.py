"""`@nbbatch.batch(...)`: a function that carries its own options and still runs here when called."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, overload

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.mapping import map_call
from nbbatch.client.jobs import Job, check_function, submit_call
from nbbatch.client.options import Options

P = ParamSpec("P")
R = TypeVar("R")


class BatchFunction(Generic[P, R]):
    """A function with options; made by `batch`.

    All keyword arguments of `submit` and `map` are the function's own, whatever they are called.
    """

    def __init__(self, function: Callable[P, R], options: dict[str, Any]) -> None:
        check_function(function)
        update_wrapper(self, function)
        self.function = function
        self.given = options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run here, as if it were not decorated."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.given.items())
        return f"<nbbatch.batch({given}) of {getattr(self.function, '__qualname__', self.function)}>"

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Run as a job; see `nbbatch.submit`."""
        return submit_call(self.function, args, kwargs, self.given)

    def map(self, items: Any, /, *, chunk: int | str = "auto", **kwargs: Any) -> ArrayJob:
        """Run for every item as one array job; see `nbbatch.map`."""
        return map_call(self.function, items, chunk=chunk, kwargs=kwargs, given=self.given)

    def options(self, **given: Any) -> BatchFunction[P, R]:
        """The same function with other options over its own: `simulate.options(memory="8G").submit(1)`."""
        Options.parse(given)
        return BatchFunction(self.function, {**self.given, **given})


@overload
def batch(function: Callable[P, R], /) -> BatchFunction[P, R]: ...
@overload
def batch(**options: Any) -> Callable[[Callable[P, R]], BatchFunction[P, R]]: ...
def batch(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Give a function the options of its jobs.

    Parameters
    ----------
    **options
        As in `submit`; a mistake is told when the function is defined.

    Examples
    --------
    >>> @nbbatch.batch(vcpus=4, spot=True)  # doctest: +SKIP
    ... def simulate(seed): ...
    >>> simulate(1)  # here  # doctest: +SKIP
    >>> simulate.submit(1).result()  # as a job  # doctest: +SKIP
    >>> simulate.map(range(1000))  # as an array job  # doctest: +SKIP
    """
    if function is not None:
        return BatchFunction(function, {})
    Options.parse(options)

    def decorate(function: Callable[P, R]) -> BatchFunction[P, R]:
        return BatchFunction(function, options)

    return decorate
