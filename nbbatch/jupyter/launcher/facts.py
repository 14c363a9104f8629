"""What a backend says to a draft: its queues, what the chosen one can give, what it will cost, what it refuses.

Everything here may take its time and is asked off the main thread. A backend that does not answer is an
answer, too: its words stand in the form.
"""

from __future__ import annotations

import ast
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from nbbatch.client.backend import Backend, get_backend, hurried
from nbbatch.client.capacity import capacity_of, check_fits, in_words
from nbbatch.client.like import with_like
from nbbatch.client.money.estimate import Estimate, estimate_options
from nbbatch.client.notebooks.source import check_parameters, read_notebook
from nbbatch.client.options import Options
from nbbatch.client.packing.digest import OF_CELL, digest, function_digest
from nbbatch.client.packing.names import read_names
from nbbatch.client.queues import QueueRow, queues
from nbbatch.client.spec import job_name, queue_of
from nbbatch.errors import BackendError, DoesNotFitError, NbbatchError, OptionError, UnknownNameError
from nbbatch.jupyter.cells import with_magic_line, with_named_like
from nbbatch.jupyter.launcher.draft import Draft
from nbbatch.jupyter.launcher.form import Form, Kind
from nbbatch.jupyter.launcher.reading import Problem, keywords_of
from nbbatch.jupyter.live import definitions_of, images_of
from nbbatch.jupyter.receipts import cost_lines

_FRESH = 10.0
"""Seconds for which lists of a backend are good."""
_MANY = 100
"""A queue's jobs are counted so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a backend has to choose from.

    Parameters
    ----------
    queues : tuple of QueueRow
        With what waits in them.
    images, definitions : tuple of str
        That it knows of.
    """

    queues: tuple[QueueRow, ...] = ()
    images: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The answer to a draft.

    Parameters
    ----------
    offer : Offer or None
        None where the backend does not answer.
    gives : str
        What the queue has to give, in a line.
    cost : tuple of str
        The range, what it is based on, the worst case.
    problems : tuple of Problem
        What would be refused.
    trouble : str
        Why the backend does not answer.
    """

    offer: Offer | None = None
    gives: str = ""
    cost: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    trouble: str = ""


@dataclass(slots=True)
class Inquiry:
    """Asks backends for one notebook.

    Parameters
    ----------
    namespace : mapping
        The notebook's variables.
    """

    namespace: Mapping[str, Any]
    _offers: dict[str, tuple[float, Offer]] = field(default_factory=dict)

    def answer(self, draft: Draft) -> Facts:
        """What the backend of a draft says to it, or soon that it does not; never raises."""
        with hurried():
            return self._answer(draft)

    def _answer(self, draft: Draft) -> Facts:
        name = draft.options.backend if draft.options else draft.form.text("backend") or None
        try:
            backend = get_backend(name)
            facts = Facts(offer=self._offer(backend))
            if draft.options is None:
                return facts
            options = with_like(with_named_like(draft.options, self.namespace))
            problems = tuple(refusals(backend, draft, options))
            if problems:
                return replace(facts, problems=problems)
            return replace(
                facts,
                gives=gives(backend, options, facts.offer),
                cost=tuple(self.cost(draft, options)),
            )
        except Exception as error:  # noqa: BLE001 - a thread has no one else to tell
            cure = getattr(error, "cure", "")
            return Facts(trouble=" ".join(filter(None, [f"{name or 'The backend'}: {error}", cure])))

    def _offer(self, backend: Backend) -> Offer:
        asked, offer = self._offers.get(backend.identity, (-_FRESH, Offer()))
        if time.monotonic() - asked > _FRESH:
            offer = Offer(
                queues=tuple(queues(backend=backend.name)),
                images=tuple(images_of(backend)),
                definitions=tuple(definitions_of(backend)),
            )
            self._offers[backend.identity] = time.monotonic(), offer
        return offer

    def cost(self, draft: Draft, options: Options) -> Iterator[str]:
        """The cost of a draft that is right."""
        count = count_of(draft.form.text("array"), self.namespace)
        code, name = self._code(draft.form)
        estimate = estimate_options(options, items=count or 1, code=code, name=name)
        yield from _in_lines(estimate, draft.form, count)

    def _code(self, form: Form) -> tuple[str, str]:
        """By what earlier runs are found: the code's digest, and the name that its jobs have."""
        match form.kind:
            case Kind.FUNCTION:
                function = _value_of(form.text("function"), self.namespace)
                function = getattr(function, "function", function)
                return function_digest(function), job_name(getattr(function, "__name__", ""))
            case Kind.NOTEBOOK:
                return "", job_name(form.text("notebook").rpartition("/")[2].removesuffix(".ipynb"))
        return _digest_of_cell(form), ""


def refusals(backend: Backend, draft: Draft, options: Options) -> Iterator[Problem]:
    """What the backend, or the notebook that would run, refuses."""
    try:
        check_fits(backend, backend.suited(options))
    except BackendError:
        raise
    except NbbatchError as error:
        yield Problem(_field_of(error, draft), error.message, error.cure or "")
    if draft.form.kind is Kind.NOTEBOOK:
        yield from _of_notebook(draft.form)


def gives(backend: Backend, options: Options, offer: Offer | None) -> str:
    """`queue gpu: largest host 8 vCPU, 32 GB, 1 GPU · 3 running, 12 waiting`; prices stand with the cost."""
    suited = backend.suited(options)
    queue = queue_of(suited)
    known = capacity_of(backend, queue)
    largest = known.largest
    parts = [
        "hosts of any size" if largest is None else f"largest host {in_words(largest)}",
        _depth(queue, offer),
        "all Spot" if known.is_spot else "",
        "without Docker, an image is not used" if known.executor == "process" and options.image else "",
    ]
    return f"queue {queue}: {' · '.join(filter(None, parts))}"


def count_of(text: str, namespace: Mapping[str, Any]) -> int | None:
    """How many items an expression has, if that can be told without running it; None otherwise."""
    value = _value_of(text, namespace)
    try:
        return prod(len(each) for each in value.values()) if type(value) is dict else len(value)
    except TypeError:
        return _count_written(text)


def _count_written(text: str) -> int | None:
    try:
        match ast.parse(text, mode="eval").body:
            case ast.Call(func=ast.Name(id="range"), args=[*bounds], keywords=[]) if bounds:
                return len(range(*map(ast.literal_eval, bounds)))
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return len(elements)
    except (SyntaxError, ValueError, TypeError):
        return None
    return None


def _value_of(text: str, namespace: Mapping[str, Any]) -> Any:
    """The value of a variable, or of a module's or object's attribute; None of anything else."""
    root, *rest = text.split(".")
    value = namespace.get(root)
    for name in rest:
        value = vars(value).get(name) if hasattr(value, "__dict__") else None
    return value


def _in_lines(estimate: Estimate, form: Form, count: int | None) -> Iterator[str]:
    for line in cost_lines(estimate):
        yield line.replace("--timeout or --max-cost set one", "a timeout or a budget sets one")
    if form.text("array"):
        yield (
            "how many items there are shows when it runs: this is for one"
            if count is None
            else f"for {count:,} items"
        )


def _digest_of_cell(form: Form) -> str:
    """As the bundle of a cell has it."""
    code = form.text("code")
    if not code or form.text("lang"):
        return ""
    try:
        return OF_CELL + digest([read_names(with_magic_line(f"{code}\n")).python, None])
    except SyntaxError:
        return ""


def _field_of(error: NbbatchError, draft: Draft) -> str:
    """Which field an error of the backend is about."""
    options = draft.options or Options()
    match error:
        case DoesNotFitError() if options.gpus:
            return "gpus"
        case DoesNotFitError():
            return "memory" if draft.form.text("memory") else "vcpus"
        case UnknownNameError() if options.definition and options.definition in error.message:
            return "definition"
        case UnknownNameError():
            return "queue"
    return _named_in(error.message)


def _named_in(message: str) -> str:
    words: Mapping[str, Callable[[str], bool]] = {
        "image": lambda text: "image" in text,
        "memory": lambda text: "memory" in text,
        "vcpus": lambda text: "vCPU" in text,
        "queue": lambda text: "queue" in text,
    }
    return next((name for name, is_in in words.items() if is_in(message)), "")


def _depth(queue: str, offer: Offer | None) -> str:
    row = next((one for one in (offer.queues if offer else ()) if one.name == queue), None)
    if row is None:
        return ""
    counts = (f"{count}{'+' if count >= _MANY else ''}" for count in (row.running, row.waiting))
    running, waiting = counts
    state = "" if row.state == "ENABLED" else f"{row.state}, "
    return f"{state}{running} running, {waiting} waiting"


def _of_notebook(form: Form) -> Iterator[Problem]:
    try:
        source = read_notebook(form.text("notebook"))
    except (UnknownNameError, OptionError) as error:
        yield Problem("notebook", error.message, error.cure or "")
        return
    try:
        with warnings.catch_warnings(action="ignore"):  # the run says it, too
            check_parameters(source, keywords_of(form.text("parameters")))
    except OptionError as error:
        yield Problem("parameters", error.message, error.cure or "")
