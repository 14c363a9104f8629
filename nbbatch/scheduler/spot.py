"""What Spot means for a host and its attempts: when it is reclaimed, and how that ends them.

Interruptions of a pool come at a constant rate, so the time until a host's first one is
exponentially distributed; it is drawn once, when the host is launched, from the state's seed and the
host's id, and a replay draws the same. Sources for the reasons: aws_batch_semantics, section 14.
"""

from __future__ import annotations

from hashlib import md5
from math import log

from msgspec.structs import replace

from nbbatch.model.events import AttemptExited
from nbbatch.model.fleet import Host
from nbbatch.scheduler.retries import HOST_LOST_REASON

TASK_INTERRUPTED_REASON = "Your Spot Task was interrupted."
KILLED, TERMINATED = 137, 143
"""Exit codes of a container that SIGKILL or SIGTERM ended, not itself."""
_MS_PER_HOUR = 3_600_000


def interruption_time(seed: int, host_id: str, per_hour: float, ready_at: int) -> int | None:
    """Epoch ms at which this host's notice comes; None when its pool is never interrupted."""
    if per_hour <= 0:
        return None
    digest = md5(f"spot/{seed}/{host_id}".encode(), usedforsecurity=False).digest()
    uniform = (int.from_bytes(digest[:8], "big") + 1) / 2**64
    return ready_at + int(-log(uniform) / per_hour * _MS_PER_HOUR)


def as_interrupted(host: Host, event: AttemptExited) -> AttemptExited:
    """The end of an attempt as AWS tells it when its host was going.

    Success stays success. A code that the container gave itself is kept; one that only says which
    signal ended it is not: EC2 takes the whole host and nobody reports a code, Fargate reports 137.
    """
    if host.ends_at is None or event.exit_code == 0:
        return event
    by_signal = event.exit_code in (None, KILLED, TERMINATED)
    if host.instance_type == "FARGATE":
        code = KILLED if by_signal else event.exit_code
        return replace(event, exit_code=code, status_reason=TASK_INTERRUPTED_REASON)
    code = None if by_signal else event.exit_code
    return replace(event, exit_code=code, status_reason=HOST_LOST_REASON.format(host=host.id))
