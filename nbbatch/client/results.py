"""What came back from a job: value, variables, rich outputs in order, error, use of the machine.

A result is read from the job's own bundle only, and only once its manifest is there, which the
runner writes last. Values are unpickled here, in the caller's process; that is as safe as the job.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

import msgspec

from nbbatch.client.store import Store
from nbbatch.errors import ResultLostError, StoreError
from nbbatch.runner import pickling
from nbbatch.runner.report import LAST_VALUE, MOST_ATTEMPTS, RESULT_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteErrorInfo:
    """What a cell, a function or a script failed with.

    Parameters
    ----------
    type, message : str
        Class name and text of the exception.
    traceback : str
        As Python prints it, with the cell's own lines and numbers, without the runner's frames.
    exception : BaseException, optional
        The exception itself where it could travel.
    trace : mapping
        The traceback as facts, `trace` and `files`; empty where text says it better.
    """

    type: str
    message: str
    traceback: str
    exception: BaseException | None = None
    trace: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an attempt used, its child processes included: seconds, bytes."""

    cpu_seconds: float
    peak_memory: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one item of an array; `position` counts in the whole array.

    Where there is an `error` there is no value. A plain job is a single item.

    Parameters
    ----------
    seconds : float or None
        How long it took; None for a plain job.
    metrics : mapping
        The last value of each `nbbatch.log_metric`.
    """

    position: int
    value: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    left_behind: Mapping[str, str] = field(default_factory=dict)
    error: RemoteErrorInfo | None = None
    seconds: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One attempt's result.

    Parameters
    ----------
    status : str
        `succeeded`, `failed`, or `stopped` by a signal.
    exit_code : int
        What the runner left with, 0 exactly if succeeded.
    attempt : int
        1 for the first.
    items : tuple of ItemResult
        Of an array's child each of its items that ran, in order; of a plain job the only one.
    outputs : tuple of dict
        Streams, displays and the last value's rich repr in order, in the notebook format
        (`stream`; `display_data` and `execute_result` with the key `data`, a MIME bundle).
    usage : Usage
        What the attempt used.
    files : mapping
        Fetched files: path in the working directory -> path in the bundle (`store.open`).
    python : str
        The interpreter's version in the job.
    has_cleared : bool
        The cell cleared what it had shown before `outputs`; the log still has it.
    """

    status: str
    exit_code: int
    attempt: int
    items: tuple[ItemResult, ...]
    outputs: tuple[dict[str, Any], ...]
    usage: Usage
    files: Mapping[str, str]
    python: str
    has_cleared: bool = False

    @property
    def value(self) -> Any:
        """What the function returned, or the cell's last expression.

        None where it could not travel; then `left_behind` has "the last value".
        """
        return self.items[0].value if self.items else None

    @property
    def variables(self) -> Mapping[str, Any]:
        """Assigned names that came back (of the first item)."""
        return self.items[0].variables if self.items else {}

    @property
    def left_behind(self) -> Mapping[str, str]:
        """Names that could not come back, and why (of the first item)."""
        return self.items[0].left_behind if self.items else {}

    @property
    def error(self) -> RemoteErrorInfo | None:
        """The first error of any item."""
        return next((item.error for item in self.items if item.error is not None), None)

    @property
    def displays(self) -> tuple[dict[str, Any], ...]:
        """The outputs without the streams, which the log has already shown."""
        return tuple(output for output in self.outputs if output["output_type"] != "stream")

    @property
    def has_interleaved_displays(self) -> bool:
        """Whether text follows a display: then replaying `outputs` shows the true order.

        A client that showed the log live appends `displays` where this is False; otherwise it
        clears the live text and shows `outputs` as they are. Text that subprocesses write straight
        to the file descriptors is in the log only.
        """
        kinds = [output["output_type"] for output in self.outputs]
        return "stream" in kinds[next((i for i, kind in enumerate(kinds) if kind != "stream"), len(kinds)) :]


def load_result(
    store: Store,
    bundle_id: str,
    *,
    index: int | None = None,
    attempt: int | None = None,
    is_light: bool = False,
) -> Result:
    """Read what a job, or the child `index` of an array, left.

    Parameters
    ----------
    store : Store
        Where its bundle is.
    bundle_id : str
        The job's bundle.
    index : int, optional
        Of an array child; None (or 0) for a plain job.
    attempt : int, optional
        1 for the first; by default the last one that left a result.
    is_light : bool
        Leave value and variables unread: status, outputs, error text and usage only.

    Raises
    ------
    ResultLostError
        There is no result, or it cannot be read; says why.
    """
    stem, number = _find(store, bundle_id, index or 0, attempt)
    try:
        with store.open(bundle_id, f"{stem}.json") as file:
            content = msgspec.json.decode(file.read())
        if content["version"] != RESULT_VERSION:
            raise ResultLostError(
                f"The result in bundle {bundle_id} is of version {content['version']}, this client reads {RESULT_VERSION}."
            )
        reader = _Reader(store, bundle_id, stem, is_light=is_light)
        return _result(content, number, reader)
    except (KeyError, TypeError, ValueError, AttributeError, OSError, StoreError) as error:
        raise ResultLostError(
            f"The result in bundle {bundle_id} cannot be read: {type(error).__name__}: {error}."
        ) from error


class Plain(NamedTuple):
    """Values of items that all ended well, and how long they took together."""

    values: list[Any]
    seconds: float


def load_plain(store: Store, bundle_id: str, index: int, attempt: int) -> Plain | None:
    """Values of an array's child without anything around them: quick, for a million of them.

    None where an item failed, left something behind, or has a value that is not in the manifest.
    """
    try:
        with store.open(bundle_id, f"results/{index}.{attempt}.json") as file:
            content = msgspec.json.decode(file.read())
        if content["version"] != RESULT_VERSION or content["status"] != "succeeded":
            return None
        values = [
            pickling.decode(entry["value"], _refuse) if "value" in entry else None
            for entry in content["items"]
            if not entry.get("left_behind")
        ]
        seconds = sum(entry.get("seconds", 0.0) for entry in content["items"])
    except Exception:  # noqa: BLE001 - the closer look says what is wrong, and where
        return None
    return Plain(values, seconds) if len(values) == len(content["items"]) else None


def _refuse(_entry: Mapping[str, Any]) -> BinaryIO:
    raise LookupError("a value beside the manifest")


def load_partial(store: Store, bundle_id: str, index: int, attempt: int) -> list[ItemResult]:
    """Items of an array's child that have ended while it has left no result: it runs, or was killed.

    Empty for a child of a single item.
    """
    reader = _Reader(store, bundle_id, f"results/{index}.{attempt}", is_light=False)
    try:
        return [reader.item(entry) for entry in _ended(store, bundle_id, index, attempt)]
    except (KeyError, TypeError, ValueError, OSError, StoreError):
        return []  # the manifest may have taken its place just now


def load_partial_files(store: Store, bundle_id: str, index: int, attempt: int) -> dict[str, str]:
    """Files of the items that `load_partial` gives: path in the bundle by name; see `Result.files`."""
    try:
        entries = _ended(store, bundle_id, index, attempt)
        return {name: path for entry in entries for name, path in entry.get("files", {}).items()}
    except (AttributeError, TypeError, ValueError, OSError, StoreError):
        return {}  # as above


def _ended(store: Store, bundle_id: str, index: int, attempt: int) -> list[dict[str, Any]]:
    """Entries of items beside the manifest; the last line may be half written."""
    with store.open(bundle_id, f"results/{index}.{attempt}.items") as file:
        lines = [line for line in file if line.endswith(b"\n")]
    return [entry for line in lines for entry in msgspec.json.decode(line)]


def _find(store: Store, bundle_id: str, index: int, attempt: int | None) -> tuple[str, int]:
    """Path of a result without its ending, and its attempt."""
    if attempt is not None:
        tries = [attempt] if store.exists(bundle_id, f"results/{index}.{attempt}.json") else []
    else:
        tries = list(_attempts(store, bundle_id, index))
    if not tries:
        which = f"child {index} of bundle" if index else "bundle"
        raise ResultLostError(
            f"There is no result of {which} {bundle_id}: the job was stopped before it could write one, or its bundle is gone.",
            cure="Its log says more; submit it again.",
        )
    return f"results/{index}.{max(tries)}", max(tries)


def _attempts(store: Store, bundle_id: str, index: int) -> Iterator[int]:
    """Attempts that left a result; the whole folder is looked through only if the job was repeated."""
    if store.exists(bundle_id, f"results/{index}.again"):
        names = (path.rpartition("/")[2].split(".") for path in store.list(bundle_id, "results"))
        yield from (int(name[1]) for name in names if name[0] == str(index) and name[2:] == ["json"])
        return
    for number in range(1, MOST_ATTEMPTS + 1):
        if store.exists(bundle_id, f"results/{index}.{number}.json"):
            yield number


class _Reader:
    """Loads values of one result."""

    def __init__(self, store: Store, bundle_id: str, stem: str, *, is_light: bool) -> None:
        self._store = store
        self._bundle_id = bundle_id
        self._stem = stem
        self._is_light = is_light

    def load(self, entry: Mapping[str, Any]) -> Any:
        """The value of an entry; a module is imported."""
        if "module" in entry:
            return importlib.import_module(entry["module"])
        return pickling.decode(entry, self._open)

    def item(self, entry: Mapping[str, Any]) -> ItemResult:
        """One item, its values loaded as far as they can be here."""
        error = self._error(entry["error"]) if "error" in entry else None
        left = dict(entry.get("left_behind", {}))
        variables: dict[str, Any] = {}
        value = None
        if not self._is_light:
            for name, each in entry.get("variables", {}).items():
                self._try(each, name, variables, left)
            value = self._value(entry.get("value"), variables, left)
        return ItemResult(
            position=entry["position"],
            value=value,
            variables=variables,
            left_behind=left,
            error=error,
            seconds=entry.get("seconds"),
            metrics={name: float(value) for name, value in entry.get("metrics", {}).items()},
        )

    def _try(self, entry: Mapping[str, Any], name: str, values: dict[str, Any], left: dict[str, str]) -> None:
        try:
            values[name] = self.load(entry)
        except (OSError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever the class of the value raises here
            left[name] = f"it cannot be unpickled here: {type(error).__name__}: {error}"

    def _value(self, entry: Mapping[str, Any] | None, variables: dict[str, Any], left: dict[str, str]) -> Any:
        if entry is None:
            return None
        if "same_as" in entry:
            return variables.get(entry["same_as"])
        found: dict[str, Any] = {}
        self._try(entry, LAST_VALUE, found, left)
        return found.get(LAST_VALUE)

    def _error(self, entry: Mapping[str, Any]) -> RemoteErrorInfo:
        found: dict[str, Any] = {}
        if entry.get("exception") and not self._is_light:
            self._try(entry["exception"], "exception", found, {})
        exception = found.get("exception")
        return RemoteErrorInfo(
            type=entry["type"],
            message=entry["message"],
            traceback=entry["traceback"],
            exception=exception if isinstance(exception, BaseException) else None,
            trace={name: entry[name] for name in ("trace", "files") if name in entry},
        )

    def _open(self, entry: Mapping[str, Any]) -> BinaryIO:
        stem = self._stem
        if "attempt" in entry:  # an earlier one had done this item
            stem = f"{stem.rpartition('.')[0]}.{entry['attempt']}"
        file = self._store.open(self._bundle_id, f"{stem}.data")
        file.seek(entry["at"][0])
        return file


def _result(content: Mapping[str, Any], attempt: int, reader: _Reader) -> Result:
    return Result(
        status=content["status"],
        exit_code=content["exit_code"],
        attempt=attempt,
        items=tuple(reader.item(entry) for entry in content["items"]),
        outputs=tuple(content["outputs"]),
        usage=Usage(**content["usage"]),
        files=content["files"],
        python=content["python"],
        has_cleared=content.get("has_cleared", False),
    )


def open_file(store: Store, bundle_id: str, result: Result, path: str) -> BinaryIO:
    """Open a fetched file of a result by its path in the job's working directory."""
    return store.open(bundle_id, result.files[path])
