"""Files that a job left, brought to this disk: into the folder they are meant for, and nowhere else.

A file of the user's is never replaced. What stands at the place already is replaced only if it is
what was brought there before, unchanged since; else the new file goes beside it, with the beginning
of the job's id in its name. Names come from the job, so they are not trusted: one that leads out of
the folder, be it by a link that stands there, is refused.
"""

from __future__ import annotations

import filecmp
import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from nbbatch.client.arrays.indexes import INDEXES, bundle_of, environment_of
from nbbatch.client.config import home
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.handles.usage import results_of, unfinished_of
from nbbatch.client.packing.capture import size_text
from nbbatch.client.results import load_partial_files, load_result
from nbbatch.client.store import Store
from nbbatch.errors import ResultLostError, StoreError

FETCH_VARIABLE = "NBBATCH_BRING_TO"
"""In a job's environment: files come back from it, to this folder. `NBBATCH_FETCH` is a setting of the client's."""
LEDGER = "fetched.json"
_MOST_KNOWN = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Files that were brought here.

    Parameters
    ----------
    paths : tuple of Path
        Where they are, in the order of their names in the job.
    size : int
        Bytes of all of them.
    beside : mapping of Path to Path
        Files of the user's that were kept, and where the job's went instead.
    """

    paths: tuple[Path, ...] = ()
    size: int = 0
    beside: Mapping[Path, Path] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """What to tell: as in `brought out.webm (3.2 MB)`."""
        if not self.paths:
            return ["brought no files: nothing matched, or nothing was new"]
        named = ", ".join(_shown(path) for path in self.paths[:5])
        more = f" and {len(self.paths) - 5:,} more" if len(self.paths) > 5 else ""  # noqa: PLR2004 - as many as read well
        kept = [
            f"{_shown(path)} was here already and stays; the job's is {_shown(other)}"
            for path, other in self.beside.items()
        ]
        return [f"brought {named}{more} ({size_text(self.size)})", *kept]


def asks_for_files(detail: Detail) -> bool:
    """Whether files come back from the job."""
    return FETCH_VARIABLE in environment_of(detail)


def fetch(store: Store, detail: Detail, *, to: Path | None = None, overwrite: bool = False) -> Fetched:
    """Bring the files that a job, a child or an array has left by now.

    Parameters
    ----------
    store : Store
        Where its bundle is.
    detail : mapping
        DescribeJobs' answer about it.
    to : Path, optional
        Folder; the one named when it was submitted without it. An array's are in `<job's name>/<item>/`.
    overwrite : bool
        Replace files of the user's, too.

    Raises
    ------
    StoreError
        A file's name leads out of the folder, or the disk does not take it.
    """
    bundle_id = bundle_of(detail)
    asked = environment_of(detail).get(FETCH_VARIABLE, ".")
    folder = Path(to if to is not None else asked).expanduser()
    if "arrayProperties" in detail or INDEXES in environment_of(detail):
        folder /= detail["jobName"]
    target = Target(folder, detail["jobId"], overwrite=overwrite)
    try:
        for _, files in sorted(_left(store, bundle_id, detail).items()) if bundle_id else ():
            target.bring(store, bundle_id, files)
    finally:
        fetched = target.close()
    return fetched


def _left(store: Store, bundle_id: str, detail: Detail) -> dict[int, dict[str, str]]:
    """Files by child: of its result, and of the items it has done since, or before it was killed."""
    found: dict[int, dict[str, str]] = {}
    for index, attempt in results_of(store, bundle_id, detail):
        with suppress(ResultLostError):  # it ended before it could write one: its log says why
            result = load_result(store, bundle_id, index=index, attempt=attempt, is_light=True)
            found[index or 0] = dict(result.files)
    for index, attempt in unfinished_of(store, bundle_id, detail).items():
        found.setdefault(index, {}).update(load_partial_files(store, bundle_id, index, attempt))
    return found


class Target:
    """A folder that files of one job are brought to.

    Parameters
    ----------
    folder : Path
        Created when the first file comes.
    job_id : str
        Marks a file that cannot have its own name.
    overwrite : bool
        Replace whatever stands there.
    """

    def __init__(self, folder: Path, job_id: str, *, overwrite: bool = False) -> None:
        self._folder = folder
        self._mark = job_id.partition(":")[0][:8]
        self._overwrite = overwrite
        self._ledger = _Ledger(home() / LEDGER)
        self._paths: dict[Path, int] = {}
        self._beside: dict[Path, Path] = {}

    def bring(self, store: Store, bundle_id: str, files: Mapping[str, str]) -> None:
        """Bring the files of one result: path in the bundle by name.

        Raises
        ------
        StoreError
            A name leads out of the folder, or the disk does not take it.
        """
        for name, source in sorted(files.items()):
            target = self._inside(name)
            try:
                self._bring(store, bundle_id, source, target)
            except FileNotFoundError as error:
                raise StoreError(f"The file {name} is not in bundle {bundle_id} any more.") from error
            except OSError as error:
                raise StoreError(f"{target} cannot be written: {error.strerror or error}.") from error

    def close(self) -> Fetched:
        """Remember what was brought; gives the account of it."""
        if self._paths:
            self._ledger.note(self._paths)
        return Fetched(paths=tuple(self._paths), size=sum(self._paths.values()), beside=self._beside)

    def _bring(self, store: Store, bundle_id: str, source: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft_name = mkstemp(prefix=".nbbatch-", dir=target.parent)
        draft = Path(draft_name)
        try:
            with store.open(bundle_id, source) as there, os.fdopen(descriptor, "wb") as here:
                shutil.copyfileobj(there, here, 1 << 20)
                mode = _mode(there)
            draft.chmod(0o755 if mode & 0o100 else 0o644)
            self._put(draft, target)
        finally:
            draft.unlink(missing_ok=True)

    def _put(self, draft: Path, target: Path) -> None:
        size = draft.stat().st_size
        if target.exists() and not self._may_replace(draft, target):
            kept, target = target, target.with_name(f"{target.stem}.{self._mark}{target.suffix}")
            self._beside[kept] = target
        draft.replace(target)
        self._paths[target] = size

    def _may_replace(self, draft: Path, target: Path) -> bool:
        if target.is_dir():
            return False
        return self._overwrite or self._ledger.knows(target) or filecmp.cmp(draft, target, shallow=False)

    def _inside(self, name: str) -> Path:
        root = self._folder.resolve()
        target = root / name
        if ".." in Path(name).parts or not target.parent.resolve().is_relative_to(root):
            raise StoreError(
                f"{name!r} leads out of {self._folder}: it is not brought here.",
                cure="Look for a link in its way, or fetch to another folder.",
            )
        return target


class _Ledger:
    """Which files of this disk were brought by nbbatch: size and time by path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[int]] = {}
        with suppress(OSError, ValueError):
            self._known = json.loads(path.read_text(encoding="utf-8"))

    def knows(self, target: Path) -> bool:
        """Whether the file is as it was brought."""
        return self._known.get(str(target)) == _stamp(target)

    def note(self, targets: Iterable[Path]) -> None:
        """Remember these, too; of all together the newest."""
        for target in targets:
            self._known.pop(str(target), None)
            self._known[str(target)] = _stamp(target)
        newest = dict(list(self._known.items())[-_MOST_KNOWN:])
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(newest), encoding="utf-8")
        draft.replace(self._path)


def _mode(file: BinaryIO) -> int:
    """Of a file on a disk; S3 keeps none."""
    try:
        return os.fstat(file.fileno()).st_mode
    except io.UnsupportedOperation:
        return 0o644


def _stamp(path: Path) -> list[int]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns]


def _shown(path: Path) -> str:
    """Relative to the working directory where it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
