"""The metrics as Prometheus reads them (text format 0.0.4), and the token that lets it in."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nbbatch.daemon.metrics import Sample
from nbbatch.scheduler.ledger import Sums
from nbbatch.scheduler.state import STATUSES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TOKEN = "metrics.token"  # noqa: S105 - the name of a file
_LEAST_TOKEN = 16
_MIB = 1 << 20

Labels = Mapping[str, str]


def render(sample: Sample, costs: Mapping[str, Sums]) -> str:
    """All metrics as text."""
    queues, environments = sample.queues.items(), sample.environments.items()
    jobs = [
        ({"queue": queue, "status": status}, counts[code])
        for queue, counts in queues
        for code, status in enumerate(STATUSES[:5])
    ]
    ended = [
        ({"queue": queue, "status": status}, counts[place])
        for queue, counts in queues
        for status, place in (("SUCCEEDED", 6), ("FAILED", 7))
    ]
    vcpus = [
        ({"environment": name, "kind": kind}, values[place])
        for name, values in environments
        for place, kind in enumerate(("desired", "actual", "used"))
    ]
    memory = [
        ({"environment": name, "kind": kind}, values[place] * _MIB)
        for name, values in environments
        for place, kind in ((3, "actual"), (4, "used"))
    ]
    reclaimed = [({"environment": name}, values[5]) for name, values in environments]
    submitted = [({"queue": queue}, counts[5]) for queue, counts in queues]
    spent = [({"queue": queue}, known.charged) for queue, known in costs.items() if queue in sample.queues]
    families: Sequence[tuple[str, str, str, Iterable[tuple[Labels, float]]]] = (
        ("nbbatch_jobs", "gauge", "Jobs and array children by status.", jobs),
        ("nbbatch_jobs_submitted_total", "counter", "Jobs and array children submitted.", submitted),
        ("nbbatch_jobs_ended_total", "counter", "Jobs and array children that ended.", ended),
        ("nbbatch_environment_vcpus", "gauge", "vCPUs of a compute environment.", vcpus),
        ("nbbatch_environment_memory_bytes", "gauge", "Memory of a compute environment.", memory),
        ("nbbatch_spot_interruptions_total", "counter", "Spot hosts that were taken back.", reclaimed),
        ("nbbatch_cost_dollars_total", "counter", "Dollars charged for ended attempts.", spent),
    )
    lines = []
    for name, kind, told, values in families:
        lines += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{{{_labels(labels)}}} {value:.10g}" for labels, value in values]
    return "\n".join(lines) + "\n"


def is_token(home: Path, authorization: str) -> bool:
    """Whether a request carries the token that the user put into the home, for its owner's eyes only."""
    path = home / TOKEN
    try:
        if path.stat().st_mode & 0o077:
            return False
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False
    given = authorization.removeprefix("Bearer ")
    is_same = hmac.compare_digest(given.encode(), token.encode())
    return is_same and authorization.startswith("Bearer ") and len(token) >= _LEAST_TOKEN


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
