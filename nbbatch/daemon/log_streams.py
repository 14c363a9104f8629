"""Which log groups and streams there are: groups by the definitions, streams by the folders on disk.

A group is the default one or one that a definition names as `awslogs-group`. A stream's name begins
with its definition's name or `awslogs-stream-prefix`, so the definitions of a group tell the folders
that hold its streams; where two revisions of one name log to two groups, both groups show the
folder's streams. A folder's listing is kept until the folder changes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nbbatch.daemon.logs import is_stream_name
from nbbatch.model.containers import Container
from nbbatch.model.jobs import JobDefinition
from nbbatch.scheduler.state import SchedulerState

DEFAULT_GROUP = "/aws/batch/job"
_SETTLED_NS = 1_000_000_000
"""A folder changed longer ago than this surely has another time stamp after its next change."""
_SUFFIX = ".log"


def groups_of(state: SchedulerState) -> dict[str, set[str]]:
    """What stream names begin with, by log group; the default group is always there."""
    groups: dict[str, set[str]] = {DEFAULT_GROUP: set()}
    for revisions in state.definitions.values():
        for definition in revisions:
            for container in _all_containers(definition):
                options = dict(container.log_options) if container.log_options else {}
                group = options.get("awslogs-group", DEFAULT_GROUP)
                groups.setdefault(group, set()).add(_beginning(definition, options))
    return groups


def _all_containers(definition: JobDefinition) -> Sequence[Container]:
    """Of a definition of nodes those of every range."""
    if definition.nodes is None:
        return definition.containers
    return [container for known in definition.nodes.ranges for container in known.containers]


def _beginning(definition: JobDefinition, options: Mapping[str, str]) -> str:
    return options.get("awslogs-stream-prefix") or definition.name[:200]


class StreamFolders:
    """Names of streams on disk.

    Parameters
    ----------
    folder : Path
        As given to the log store.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, list[str]]] = {}

    def names(self, beginnings: Iterable[str], prefix: str = "") -> list[str]:
        """Streams below these beginnings whose names begin with `prefix`, sorted.

        Takes some milliseconds per ten thousand streams; meant for a thread.
        """
        found: set[str] = set()
        for beginning in beginnings:
            may_have = f"{beginning}/".startswith(prefix) or prefix.startswith(f"{beginning}/")
            if not may_have or not is_stream_name(beginning):
                continue
            for middle in self._folders(beginning):
                found.update(self._streams(f"{beginning}/{middle}"))
        return sorted(name for name in found if name.startswith(prefix))

    def by_time(self, names: Iterable[str]) -> list[tuple[int, str]]:
        """Streams with the epoch ms at which each was last written to, in that order."""
        timed = []
        for name in names:
            try:
                timed.append((self._path(name + _SUFFIX).stat().st_mtime_ns // 1_000_000, name))
            except FileNotFoundError:
                continue
        return sorted(timed)

    def _path(self, name: str) -> Path:
        return Path(f"{self._folder}/{name}")

    def _folders(self, beginning: str) -> list[str]:
        try:
            with os.scandir(self._path(beginning)) as entries:
                return [entry.name for entry in entries if entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _streams(self, folder: str) -> list[str]:
        path = self._path(folder)
        changed = path.stat().st_mtime_ns
        known = self._known.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        names = [
            f"{folder}/{entry.name.removesuffix(_SUFFIX)}"
            for entry in path.iterdir()
            if entry.name.endswith(_SUFFIX)
        ]
        if time.time_ns() - changed > _SETTLED_NS:
            self._known[folder] = (changed, names)
        return names
