"""What panels of jobs and of arrays have in common: the handle they show, who rings, what buttons do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail, Outcome, exit_code, outcome, short_id
from nbbatch.client.watch import Watch
from nbbatch.errors import NbbatchError, OptionError
from nbbatch.jupyter.panels.actions import Button
from nbbatch.model.jobs import TERMINAL, JobStatus

H = TypeVar("H", bound=Handle)
_CLICKED = "with a button of its panel"
_GOING = (JobStatus.RUNNING, JobStatus.STARTING, JobStatus.RUNNABLE)
_WIDEST = 400
"""Letters of a line of a log that are shown."""
CANCEL, TERMINATE = (
    Button(name="cancel", label="cancel", title="Take it back before it starts; a running one is left alone"),
    Button(
        name="terminate", label="terminate", title="Stop it wherever it is: SIGTERM, and SIGKILL after 30 s"
    ),
)


class Ring(Protocol):
    """`Panel.ring`."""

    def __call__(self, *, now: bool = False) -> None: ...  # noqa: D102


class Followed(Generic[H]):
    """The handle that a panel shows, which is another one once it was submitted again.

    Attributes
    ----------
    handle : Handle
        The newest.
    origin : str
        Which job this one repeats, in words.
    """

    def __init__(self, handle: H) -> None:
        self.handle = handle
        self.origin = self._said = ""
        self._ring: Ring | None = None
        self._watch: Watch | None = None

    def listen(self, ring: Ring) -> Callable[[], None]:
        """Ring at every change that the shared watcher tells, at once when the job has ended."""
        self._ring = ring
        self._follow()
        return self._let_go

    def turn_to(self, handle: H, said: str) -> None:
        """Show another handle from here on."""
        self._let_go()
        self.handle, self.origin, self._said = handle, said, ""
        self._follow()

    def stop(self, name: str) -> bool:
        """Cancel or terminate the job if the button says so; whether it did."""
        handle = self.handle
        match name:
            case "cancel":
                is_back = handle.cancel(f"Cancelled {_CLICKED}")
                self._said = (
                    "" if is_back else "it runs already, and cancelling leaves it alone: terminate stops it"
                )
            case "terminate":
                handle.terminate(f"Terminated {_CLICKED}")
                self._said = "it is being stopped: SIGTERM, and SIGKILL after 30 s"
            case _:
                return False
        return True

    def said_of(self, detail: Detail) -> str:
        """Which job this one repeats, and while it goes on, what the last button did."""
        return " · ".join(filter(None, [self.origin, "" if _has_ended(detail) else self._said]))

    def _follow(self) -> None:
        ring = self._ring
        if ring is not None:
            self._watch = self.handle.on_change(lambda detail: ring(now=_has_ended(detail)))

    def _let_go(self) -> None:
        if self._watch is not None:
            self._watch.close()


def _has_ended(detail: Detail) -> bool:
    return detail["status"] in TERMINAL


def standing(detail: Detail) -> str:
    """The status as it is shown: of an array, which Batch calls PENDING while its children run, the furthest of theirs."""
    counts = (detail.get("arrayProperties") or {}).get("statusSummary") or {}
    children = () if _has_ended(detail) else (status for status in _GOING if counts.get(status))
    return next(iter(children), str(detail["status"]))


def state_in_words(detail: Detail) -> str:
    """The status, and where it failed how; of an array whose children failed only the status."""
    ended, code = outcome(detail), exit_code(detail)
    match ended:
        case None | Outcome.SUCCEEDED | Outcome.CHILDREN_FAILED:
            return standing(detail)
        case Outcome.EXITED if code is not None:
            return f"FAILED (exit code {code})"
        case _:
            return f"FAILED ({ended})"


def cut(text: str) -> str:
    """A log without lines that are longer than anybody reads: a saved notebook is no archive of logs."""
    return "\n".join(line if len(line) <= _WIDEST else f"{line[:_WIDEST]}…" for line in text.splitlines())


def reattach_line(handle: Handle) -> str:
    """The line of code that finds the job again from anywhere."""
    return f"nbbatch.job({handle.id!r}, backend={handle.backend_name!r})"


def copy_button(handle: Handle) -> Button:
    """Puts that line on the clipboard."""
    line = reattach_line(handle)
    return Button(name="copy", label="copy reattach line", title=line, kind="copy", value=line)


def repeats(handle: Handle) -> str:
    """What a panel says that has turned from one job to its repetition."""
    return f"repeats {short_id(handle.id)}"


def number_in(values: Mapping[str, Any], name: str, below: int) -> int:
    """A whole number that stands in a field.

    Raises
    ------
    OptionError
        There is none, or it is too large.
    """
    try:
        number = int(values[name])
    except (KeyError, TypeError, ValueError):
        number = -1
    if not 0 <= number < below:
        raise OptionError(f"{values.get(name)!r} is no {name}.", cure=f"They go from 0 to {below - 1:,}.")
    return number


def quietly(ask: Callable[[], Any], otherwise: Any) -> Any:
    """An answer that a frame can do without."""
    try:
        return ask()
    except NbbatchError:
        return otherwise
