"""What this machine can give to jobs: cores, memory and GPUs, as far as this process may use them.

Limits of a control group count, so a daemon in a container or under a batch system offers what it
was given itself. A part of the memory is kept back for the system and the notebook. GPUs are those
of NVIDIA that `nvidia-smi` lists.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import subprocess
from pathlib import Path

from nbbatch.model.resources import Resources

KEPT_SHARE = 0.05
KEPT_AT_MOST = 2048
"""Share of the memory that jobs do not get, and its most, in MiB."""

_MIB = 1 << 20
_GPU_SECONDS = 10.0
_CGROUP = Path("/sys/fs/cgroup")
_log = logging.getLogger(__name__)


def this_machine() -> Resources:
    """What jobs may use at once on this machine."""
    memory = int(min(physical_memory(), memory_limit(_CGROUP)))
    kept = min(KEPT_AT_MOST, round(memory * KEPT_SHARE))
    return Resources(vcpus=min(cores(), cpu_limit(_CGROUP)), memory=memory - kept, gpus=gpus())


def cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def physical_memory() -> int:
    """MiB of memory of the whole machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB


def memory_limit(cgroup: Path) -> float:
    """MiB that the control group allows, in either version's files; infinite without a limit."""
    limits = [_number(cgroup / name) for name in ("memory.max", "memory/memory.limit_in_bytes")]
    return min((limit // _MIB for limit in limits if limit is not None), default=math.inf)


def cpu_limit(cgroup: Path) -> float:
    """Whole cores that the control group's quota allows, at least one; infinite without a quota."""
    quota, _, period = _text(cgroup / "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(cgroup / "cpu/cpu.cfs_quota_us"), _text(cgroup / "cpu/cpu.cfs_period_us")
    if not (quota.isdigit() and period.isdigit()):
        return math.inf
    return max(1, math.ceil(int(quota) / int(period)))


def gpus() -> int:
    """Number of NVIDIA GPUs that can be used; 0 where the driver's tool is missing or fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    try:
        listed = subprocess.run(
            [tool, "-L"], capture_output=True, text=True, timeout=_GPU_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning("GPUs are left out, nvidia-smi failed: %s", error)
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
