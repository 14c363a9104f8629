"""Arrays of scripts and programs: what each item left, as `ScriptResult`s in the order of the items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.coming import Coming
from nbbatch.client.arrays.indexes import environment_of
from nbbatch.client.arrays.items import Item
from nbbatch.client.files.fetched import FETCH_VARIABLE, Fetched
from nbbatch.client.files.script_result import ScriptResult
from nbbatch.client.handles.outcome import Detail
from nbbatch.errors import JobFailedError, RemoteError
from nbbatch.model.jobs import TERMINAL


class ScriptArray(ArrayJob):
    """A script or a program, run once for each item; `results()` are `ScriptResult`s.

    `arr.frame()` has them as columns. A failed item's error is a JobFailedError with its exit code and the end of its output.
    """

    def __init__(self, job_id: str, **known: Any) -> None:
        super().__init__(job_id, **known)
        self._files: dict[int, list[Path]] = {}

    def plain(self) -> None:
        """No short way: what an item printed is not all that it left."""

    def bring_files(self) -> Fetched | None:
        """Bring the files of all items, once, and know whose each one is."""
        fetched = super().bring_files()
        if fetched is not None:
            detail = self.detail()
            root = Path(environment_of(detail)[FETCH_VARIABLE]).expanduser() / detail["jobName"]
            for path in fetched.paths:
                place = path.relative_to(root.resolve()).parts[0]
                self._files.setdefault(int(place), []).append(path)
        return fetched

    def coming(self) -> Coming:
        """Its items as they end."""
        return _ComingScripts(self)

    def as_result(self, item: Item) -> Item:
        """An item with all that it left in the place of its output."""
        if item.error is not None:
            return replace(item, value=None, error=_told(item))
        files = tuple(self._files.get(item.position, ()))
        output = str(_left(item).get("output", "")).removesuffix("\n")
        value = ScriptResult(exit_code=0, output=output, files=files, variables=dict(item.variables))
        return replace(item, value=value)

    def _items(self, indexes: Iterable[int], failures: Mapping[int, Detail]) -> Iterator[Item]:
        return map(self.as_result, super()._items(indexes, failures))


class _ComingScripts(Coming):
    """Items as they end, with all that they left."""

    def __init__(self, array: ScriptArray) -> None:
        super().__init__(array)
        self._scripts = array

    def take(self, detail: Detail) -> list[Item]:
        """Items that have ended since the last call; see `Coming`."""
        if detail["status"] in TERMINAL:
            self._scripts.keep(detail)
            self._scripts.bring_files()
        return [self._scripts.as_result(item) for item in super().take(detail)]


def _told(item: Item) -> BaseException:
    """An exit code as such: not as what Python raised around the program."""
    error = item.error
    if not (isinstance(error, RemoteError) and error.remote_type == "ExitCodeError"):
        assert error is not None  # noqa: S101 - the caller has looked
        return error
    failed = JobFailedError(
        error.message.replace("ExitCodeError: ", ""),
        job_id=error.job_id,
        log_tail=str(_left(item).get("output", "")).rstrip(),
        cure=error.cure,
    )
    failed.exit_code = _left(item).get("exit_code")
    return failed


def _left(item: Item) -> Mapping[str, Any]:
    """What the runner has kept of the program's run."""
    return item.value if isinstance(item.value, Mapping) else {}
