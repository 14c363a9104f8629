"""Who the watcher tells about a job on behalf of its handle; called on the watcher's thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from nbbatch.client.handles.outcome import Detail
from nbbatch.errors import NbbatchError
from nbbatch.model.jobs import TERMINAL


class Waiter:
    """A listener that turns the end of a job into a future's result."""

    def __init__(self) -> None:
        self.future: Future[Detail] = Future()
        self.future.set_running_or_notify_cancel()

    def on_change(self, detail: Detail) -> None:
        """The final detail is the result."""
        if detail["status"] in TERMINAL:
            self.future.set_result(detail)

    def on_failure(self, error: NbbatchError) -> None:
        """Whoever waits is told."""
        self.future.set_exception(error)


class Ending:
    """A listener that calls once, when the job ended or cannot be watched any more."""

    def __init__(self, call: Callable[[], object], keep: Callable[[Detail], None]) -> None:
        self._call = call
        self._keep = keep

    def on_change(self, detail: Detail) -> None:
        """The final detail is kept and told."""
        self._keep(detail)
        if detail["status"] in TERMINAL:
            self._call()

    def on_failure(self, _error: NbbatchError) -> None:
        """Nothing more will come, so it is called now."""
        self._call()


class Following:
    """A listener that calls at every change."""

    def __init__(self, call: Callable[[Detail], object], keep: Callable[[Detail], None]) -> None:
        self._call = call
        self._keep = keep

    def on_change(self, detail: Detail) -> None:
        """Every one is told."""
        self._keep(detail)
        self._call(detail)

    def on_failure(self, _error: NbbatchError) -> None:
        """Nothing follows; whoever asks the handle next is told why."""
