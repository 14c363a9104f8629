"""What a job has cost and used, as its backend keeps account of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbbatch.client.results import Usage

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a job has cost and used so far, over all attempts and children.

    What short containers used is known once they have ended: the last attempt's own word on it.

    Parameters
    ----------
    on_demand, spot : float
        Dollars, by the prices frozen when each attempt started.
    seconds : float
        Time its attempts ran.
    cpu_seconds : float or None
        User and system time; None where the backend does not measure it.
    peak_memory : int or None
        MiB, the largest of all attempts; None where the backend does not measure it.
    instance_type : str
        Of the last attempt's host; empty where unknown.
    """

    on_demand: float
    spot: float
    seconds: float
    cpu_seconds: float | None
    peak_memory: int | None
    instance_type: str

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Account:
        """From a backend's answer."""
        return cls(
            on_demand=row["cost"],
            spot=row["spotCost"],
            seconds=row["seconds"],
            cpu_seconds=row.get("cpuSeconds"),
            peak_memory=row.get("peakMemory"),
            instance_type=row.get("instanceType") or "",
        )

    def at_least(self, used: Sequence[Usage]) -> Account:
        """The same with the use that the job measured of itself, where that is more."""
        if not used:
            return self
        peak = -(-max(one.peak_memory for one in used) // _MIB)
        return replace(
            self,
            cpu_seconds=max(self.cpu_seconds or 0.0, sum(one.cpu_seconds for one in used)),
            peak_memory=max(self.peak_memory or 0, peak),
        )
