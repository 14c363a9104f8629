"""What a container has used so far, read from its control group while it still exists.

The kernel forgets a control group the moment its container ends, before Docker says so; therefore
the executor looks at it now and then while the container runs. Best effort: where the files are not
readable (a remote engine, a virtual machine around it) the usage stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbbatch.model.jobs import Usage

CGROUP_ROOT = Path("/sys/fs/cgroup")

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFiles:
    """Files of one control group; `cpu_is_nanoseconds` tells version 1 from `cpu.stat`."""

    cpu: Path
    memory: Path
    cpu_is_nanoseconds: bool


def usage_files(container_id: str, root: Path = CGROUP_ROOT) -> UsageFiles | None:
    """Find the control group of a running container under either version and either driver."""
    for group in (f"docker/{container_id}", f"system.slice/docker-{container_id}.scope"):
        for files in _candidates(group, root):
            if files.cpu.exists() and files.memory.exists():
                return files
    return None


def _candidates(group: str, root: Path) -> Iterator[UsageFiles]:
    unified = root / group
    yield UsageFiles(cpu=unified / "cpu.stat", memory=unified / "memory.peak", cpu_is_nanoseconds=False)
    yield UsageFiles(cpu=unified / "cpu.stat", memory=unified / "memory.current", cpu_is_nanoseconds=False)
    memory = root / "memory" / group / "memory.max_usage_in_bytes"
    yield UsageFiles(cpu=root / "cpuacct" / group / "cpuacct.usage", memory=memory, cpu_is_nanoseconds=True)


def read_usage(files: UsageFiles, before: Usage) -> Usage:
    """Usage by now, never less than `before`, which is all that is left once the group is gone."""
    try:
        cpu = _cpu_seconds(files)
        memory = -(-int(files.memory.read_text()) // _MIB)
    except (OSError, ValueError):
        return before
    return Usage(
        cpu_seconds=max(cpu, before.cpu_seconds or 0.0), peak_memory=max(memory, before.peak_memory or 0)
    )


def _cpu_seconds(files: UsageFiles) -> float:
    text = files.cpu.read_text()
    if files.cpu_is_nanoseconds:
        return int(text) / 1e9
    return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6
