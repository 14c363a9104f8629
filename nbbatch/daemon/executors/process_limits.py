"""What a container may have and a process cannot: refused where it would do harm, told where not.

Environment, secrets, command, memory, ulimits and GPUs are the same for both. A folder or a device
that is expected at another path than the host's would be written or read in the wrong place, so such
an attempt does not start. What only isolates or tunes is left out, and the log stream begins with a
line that says so. The image is never used; `nbbatch local status` says that for all jobs.
"""

from __future__ import annotations

import os

from nbbatch.model.containers import Container
from nbbatch.model.events import StartAttempt


def refusal_of(order: StartAttempt) -> str:
    """Why an attempt cannot be a process at all; empty when it can."""
    container = order.container
    if order.others:
        return f"its {1 + len(order.others)} containers need Docker, and this machine runs jobs as processes"
    for mount in container.mounts:
        if mount.source != mount.target:
            return f"its mount point {mount.target} needs Docker, and this machine runs jobs as processes"
    for device in container.devices:
        if device.source != device.target:
            return f"its device {device.target} needs Docker, and this machine runs jobs as processes"
    return ""


def lack_of(container: Container) -> str:
    """A line for the head of the log stream; empty when the process lacks nothing but the image."""
    lacks = [
        name
        for name, is_asked in (
            (f"user {container.user}", container.user not in _this_user()),
            ("privileged", container.privileged),
            ("readonlyRootFilesystem", container.read_only_root),
            ("sharedMemorySize", container.shm_size),
            ("maxSwap", container.memory_swap is not None),
            ("tmpfs", not all(os.access(known.target, os.W_OK) for known in container.tmpfs)),
        )
        if is_asked
    ]
    if not lacks:
        return ""
    return f"nbbatch: this machine runs jobs as processes, without {', '.join(lacks)}.\n"


def _this_user() -> tuple[str | None, ...]:
    """What a definition may call the user that processes run as: nothing, or by number."""
    return None, str(os.getuid()), f"{os.getuid()}:{os.getgid()}"
