"""Files sent along: what the job finds in its working directory, and what is brought back from there.

`Files` is what a person asked for; `choose` finds it on this disk and refuses what is too much or not
there; `keep` puts it into a store. Small files go together in packs cut at places that depend on
their names only, so that a changed file costs one pack and the others are not sent again. How the
job places them is in `runner/workdir.py`, how they come back in `fetched.py`.
"""

from __future__ import annotations

import glob
import hashlib
import os.path
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nbbatch.client.files.fileoptions import check_name
from nbbatch.client.packing.capture import size_text
from nbbatch.client.store import Blob, Sink
from nbbatch.errors import OptionError, UnknownNameError, ValueTooLargeError

if TYPE_CHECKING:
    from nbbatch.client.files.ignored import Rules

MOST_FILES = 20_000
WORKDIR_BYTES = 1 << 30
"""A working directory with more than this is not meant to go whole."""
FILES_BYTES = 50 << 30
"""Files that somebody named may have more."""
ALONE_BYTES = 1 << 20
"""A file from this size on is a blob of its own."""
_PACK_BYTES = 16 << 20
_PACK_MEMBERS = 64
"""How many files a pack has on average."""
_TOLD = 5

Put = Callable[..., Blob]
_LIKELY: dict[str, str] = {}
"""Blob by path of a large file, as last sent by this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What of this disk a job shall find in its working directory, and what shall come back.

    Parameters
    ----------
    send : tuple of (name, path)
        `name` is the place in the job, `""` for the same relative path as here; `path` a file, a
        folder or a glob pattern of this machine, relative to `root`.
    workdir : str
        A folder whose content goes along by its ignore rules; empty: none.
    fetch : tuple of str
        Glob patterns and folders (`out/`) of files that come back.
    fetch_to : str
        Folder they come back to; empty: the working directory.
    root : Path
        The notebook's working directory.
    """

    send: tuple[tuple[str, str], ...] = ()
    workdir: str = ""
    fetch: tuple[str, ...] = ()
    fetch_to: str = ""
    root: Path = field(default_factory=Path.cwd)

    def __bool__(self) -> bool:
        return bool(self.send or self.workdir or self.fetch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file, or an empty folder (`path` is None), and its place in the job."""

    name: str
    path: Path | None
    size: int = 0
    mode: int = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was found for each thing asked for, and what stays here although it was in a folder."""

    groups: Mapping[str, tuple[Member, ...]]
    notes: tuple[str, ...] = ()

    @property
    def members(self) -> dict[str, Member]:
        """By place in the job; what was named wins over the working directory's."""
        return {member.name: member for group in self.groups.values() for member in group}


def choose(files: Files) -> Chosen:
    """Find the files on this disk.

    Raises
    ------
    UnknownNameError
        There is no such file, or nothing matches a pattern.
    OptionError
        A place in the job is outside its working directory, or two files would have the same.
    ValueTooLargeError
        They are too many or too large; names the largest ones.
    """
    try:
        chosen = _choose(files)
    except PermissionError as error:
        raise UnknownNameError(f"{error.filename} cannot be read: {error.strerror}.") from error
    _check_size(list(chosen.members.values()), FILES_BYTES, "The files sent along")
    return chosen


def _choose(files: Files) -> Chosen:
    groups: dict[str, tuple[Member, ...]] = {}
    notes: list[str] = []
    if files.workdir:
        folder = (files.root / Path(files.workdir).expanduser()).resolve()
        if not folder.is_dir():
            raise UnknownNameError(f"There is no folder {folder}.", cure="--workdir takes a folder.")
        walk = _Walk(_rules(folder), limit=WORKDIR_BYTES)
        label = "the working directory" if folder == files.root.resolve() else str(files.workdir)
        groups[label] = tuple(walk.members(folder, ""))
        notes += walk.notes()
    taken: dict[str, Path | None] = {}
    for name, path in files.send:
        members = tuple(_named(files.root, name, path))
        _check_places(members, taken)
        groups[name or path] = members
    return Chosen(groups=groups, notes=tuple(notes))


def _rules(workdir: Path | None = None) -> Rules:
    """What stays of a working directory, or of a folder that somebody named."""
    from nbbatch.client.files.ignored import Rules  # noqa: PLC0415 - pathspec takes 14 ms that most jobs save

    return Rules.defaults() if workdir is None else Rules.of(workdir)


def _named(root: Path, name: str, path: str) -> Iterator[Member]:
    """The files that one thing asked for means."""
    check_name(name)
    whole = root / Path(path).expanduser()
    if glob.has_magic(path) and not whole.exists():
        if name:
            raise OptionError(
                f"{path!r} is a pattern and {name!r} one place.", cure="Name one file or folder."
            )
        yield from _matching(root, path)
    elif whole.is_dir():
        place = name or _place(root, whole)
        yield from _Walk(_rules(), limit=FILES_BYTES).members(whole, "" if place == "." else place)
    elif whole.is_file():
        yield _member(name or _place(root, whole), whole)
    else:
        raise UnknownNameError(
            f"There is no file {path} in {root}."
            if not Path(path).is_absolute()
            else f"There is no file {path}.",
            cure="Paths are relative to the notebook's working directory.",
        )


def _matching(root: Path, pattern: str) -> Iterator[Member]:
    found = sorted(glob.glob(str(root / Path(pattern).expanduser()), recursive=True))  # noqa: PTH207 - pathlib refuses absolute patterns
    if not found:
        raise UnknownNameError(f"No file matches {pattern!r} in {root}.", cure="Check the pattern.")
    for path in map(Path, found):
        if path.is_file():
            yield _member(_place(root, path), path)
        elif path.is_dir() and not pattern.endswith("**"):
            yield from _Walk(_rules(), limit=FILES_BYTES).members(path, _place(root, path))


def _place(root: Path, path: Path) -> str:
    """The same relative path as here; what is not below the working directory is placed by its name."""
    absolute = Path(_normal(path))
    base = Path(_normal(root))
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else absolute.name


def _normal(path: Path) -> str:
    """Without `..`, and without following links."""
    return os.path.normpath(path.absolute())


def _member(name: str, path: Path) -> Member:
    facts = path.stat()
    return Member(name=name, path=path, size=facts.st_size, mode=_mode(facts.st_mode))


def _mode(mode: int) -> int:
    """Readable and writable to the job, executable where it is here."""
    return 0o755 if mode & 0o111 else 0o644


def _check_places(members: Sequence[Member], taken: dict[str, Path | None]) -> None:
    for member in members:
        other = taken.setdefault(member.name, member.path)
        if other is not None and member.path is not None and other.resolve() != member.path.resolve():
            raise OptionError(
                f"{other} and {member.path} would both be {member.name} in the job.",
                cure='Say where one of them goes: files={"name in the job": "path here"}.',
            )


class _Walk:
    """Goes through a folder that goes along, and notes what stays."""

    def __init__(self, rules: Rules, *, limit: int) -> None:
        self._rules = rules
        self._limit = limit
        self._found: list[Member] = []
        self._ignored: dict[str, list[str]] = {}
        self._links: list[str] = []

    def members(self, root: Path, name: str) -> list[Member]:
        """All files of the folder, to be placed below `name`."""
        self._root = root.resolve()
        self._enter(root, name, "", self._rules)
        _check_size(self._found, self._limit, f"{root}")
        return self._found

    def notes(self) -> Iterator[str]:
        """What stays here, and why."""
        for source, names in self._ignored.items():
            yield f"stays here by {source}: {_listed(names)}"
        if self._links:
            yield f"links that lead out of the folder, or to folders, stay here: {_listed(self._links)}"

    def _enter(self, folder: Path, name: str, inside: str, rules: Rules) -> None:
        rules = rules if not inside else rules.within(folder, inside)
        entries = sorted(folder.iterdir())
        for path in entries:
            self._look(path, f"{name}/{path.name}".lstrip("/"), f"{inside}/{path.name}".lstrip("/"), rules)
        if not entries and name:
            self._found.append(Member(name=name, path=None))

    def _look(self, path: Path, name: str, inside: str, rules: Rules) -> None:
        facts = path.lstat()
        if source := rules.why(inside, is_folder=stat.S_ISDIR(facts.st_mode)):
            self._ignored.setdefault(source, []).append(inside)
        elif stat.S_ISDIR(facts.st_mode):
            self._enter(path, name, inside, rules)
        elif stat.S_ISREG(facts.st_mode):
            self._add(Member(name=name, path=path, size=facts.st_size, mode=_mode(facts.st_mode)))
        elif stat.S_ISLNK(facts.st_mode):
            self._follow(path, name, inside)

    def _follow(self, path: Path, name: str, inside: str) -> None:
        """A link to a file inside goes as that file; a folder might hold itself."""
        if path.is_file() and path.resolve().is_relative_to(self._root):
            self._add(_member(name, path))
        else:
            self._links.append(inside)

    def _add(self, member: Member) -> None:
        self._found.append(member)
        if len(self._found) > MOST_FILES:
            raise ValueTooLargeError(
                f"{self._root} has more than {MOST_FILES:,} files: {_fullest(self._found)}.",
                cure="Name what the job needs with --files, or leave folders out with .nbbatchignore.",
            )


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _TOLD
    return ", ".join(names[:_TOLD]) + (f" and {rest:,} more" if rest > 0 else "")


def _fullest(members: Sequence[Member]) -> str:
    """The folders with most files."""
    counts: dict[str, int] = {}
    for member in members:
        top = member.name.partition("/")[0]
        counts[top] = counts.get(top, 0) + 1
    most = sorted(counts, key=lambda top: -counts[top])[:_TOLD]
    return ", ".join(f"{top} ({counts[top]:,})" for top in most)


def _check_size(members: Sequence[Member], limit: int, what: str) -> None:
    size = sum(member.size for member in members)
    if size <= limit and len(members) <= MOST_FILES:
        return
    largest = sorted(members, key=lambda member: -member.size)[:_TOLD]
    named = ", ".join(f"{member.name} ({size_text(member.size)})" for member in largest)
    raise ValueTooLargeError(
        f"{what}: {len(members):,} files, {size_text(size)}; at most {MOST_FILES:,} files and "
        f"{size_text(limit)} go. The largest: {named}.",
        cure="Leave out what the job does not need: name only that with --files, or list the rest in .nbbatchignore.",
    )


def keep(members: Mapping[str, Member], put: Put) -> tuple[list[list[Any]], dict[str, bool]]:
    """Put files into a store.

    Parameters
    ----------
    members : mapping of str to Member
        From `Chosen.members`.
    put : callable
        The store's `put_blob`.

    Returns
    -------
    tuple
        One row per file for the runner (name, mode, blob, offset, size; an empty folder has no blob),
        and by name whether it was sent just now.
    """
    rows: list[list[Any]] = []
    is_new: dict[str, bool] = {}
    for pack in _packs(members):
        blob = _put_pack(pack, put)
        offset = 0
        for member in pack:
            rows.append([member.name, member.mode, blob.name, offset, member.size])
            is_new[member.name] = blob.is_new
            offset += member.size
    rows += [[member.name, member.mode, "", 0, 0] for member in members.values() if member.path is None]
    return rows, is_new


def _packs(members: Mapping[str, Member]) -> Iterator[list[Member]]:
    """Large files alone; small ones together, cut behind names whose hash says so."""
    pack: list[Member] = []
    size = 0
    for name in sorted(members):
        member = members[name]
        if member.path is None:
            continue
        if member.size >= ALONE_BYTES:
            yield [member]
            continue
        pack.append(member)
        size += member.size
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=2).digest()
        if int.from_bytes(digest) % _PACK_MEMBERS == 0 or size > _PACK_BYTES:
            yield pack
            pack, size = [], 0
    if pack:
        yield pack


def _put_pack(pack: Sequence[Member], put: Put) -> Blob:
    key = str(pack[0].path) if len(pack) == 1 else ""

    def write(sink: Sink) -> None:
        for member in pack:
            _copy(member, sink)

    blob = put(write, likely=_LIKELY.get(key, ""))
    if key:
        _LIKELY[key] = blob.name
    return blob


def _copy(member: Member, sink: Sink) -> None:
    """Exactly as many bytes as were counted, so that a file that is being written to shifts no other."""
    assert member.path is not None  # noqa: S101 - `_packs` leaves folders out
    left = member.size
    with member.path.open("rb") as file:
        while left and (part := file.read(min(left, ALONE_BYTES))):
            sink.write(part)
            left -= len(part)
    if left:
        raise ValueTooLargeError(
            f"{member.path} became smaller while it was being sent.",
            cure="Wait until it is written, then again.",
        )


def index_of(rows: Sequence[Sequence[Any]]) -> bytes:
    """The rows as the runner reads them."""
    return msgspec.json.encode(rows)
