"""Fair share: what a share of a queue has used, weighed, decayed, as one value to compare.

Source: AWS Batch user guide, "Fair-share scheduling policies". The next job comes from the share with
the least vCPU time within the policy's window, times the share's weight. Use is kept as changes: so
many vCPUs more at a start, as many less at an end. Sums over these changes and their first two
moments give the decayed vCPU time at any moment without looking at a single job. Changes lie in
slices of time, of which at most `SLICES` and one are kept for each share; a slice is forgotten as a
whole once all of it is out of the window.
"""

from __future__ import annotations

from dataclasses import dataclass

from nbbatch.model.fleet import FairSharePolicy, ShareUsage

DEFAULT_DECAY_SECONDS = 600
"""What shareDecaySeconds 0 means (API reference, FairsharePolicy)."""
SLICES = 64
UNIT = 100
"""vCPUs are counted in hundredths, so that sums are exact."""
HEAD_START = 1000
MAX_SHARES = 500

Moments = tuple[int, int, int]
"""Sums over changes d at times s: of d, of d*s, of d*s*s; s in epoch ms."""


Curve = tuple[int, int, int]
"""Coefficients of 1, t and t*t, t in epoch ms."""


@dataclass(slots=True)
class Ledger:
    """The books of one share.

    Parameters
    ----------
    record : ShareUsage
        Changes by slice: what the rows keep.
    window : int
        Milliseconds after which use is forgotten.
    busy : int
        Hundredths of a vCPU in use now.
    moments : Moments
        Of all changes in `record`.
    curve : Curve
        What has been used, as a function of time, as long as nothing changes.
    expires : int or None
        Epoch ms at which the oldest slice is out of the window.
    """

    record: ShareUsage
    window: int
    busy: int = 0
    moments: Moments = (0, 0, 0)
    curve: Curve = (0, 0, 0)
    expires: int | None = None

    @classmethod
    def of(cls, record: ShareUsage, window: int) -> Ledger:
        """Open the books again; whoever runs has to be noted by `resume`."""
        ledger = cls(record=record, window=window)
        for start, known in record.slices.items():
            ledger.moments = _plus(ledger.moments, _absolute(start, known))
        ledger._draw()
        return ledger

    def change(self, units: int, now: int) -> None:
        """Use grows (or shrinks) by so many hundredths of a vCPU from now on."""
        self._forget(now)
        start = now - now % self._slice
        offset = now - start
        known = self.record.slices.setdefault(start, [0, 0, 0])
        known[0] += units
        known[1] += units * offset
        known[2] += units * offset * offset
        self.moments = _plus(self.moments, (units, units * now, units * now * now))
        self.resume(units)

    def resume(self, units: int) -> None:
        """Note an attempt whose start is in the record, or was long ago."""
        self.busy += units
        self._draw()

    def rewindow(self, window: int) -> None:
        """Keep the same changes for another time."""
        self.window = window
        old, self.record.slices = self.record.slices, {}
        for start, (units, first, second) in old.items():
            into = start - start % self._slice
            shift = start - into
            known = self.record.slices.setdefault(into, [0, 0, 0])
            known[0] += units
            known[1] += first + shift * units
            known[2] += second + 2 * shift * first + shift * shift * units
        self._draw()

    def usage(self, now: int) -> int:
        """What the share has used, as `2 * window` times hundredths of a vCPU times milliseconds.

        Only values of one window may be compared. Slices that have expired are forgotten on the way,
        which changes no value.
        """
        if self.expires is not None and now >= self.expires:
            self._forget(now)
            self._draw()
        constant, linear, square = self.curve
        return constant + now * (linear + now * square)

    @property
    def _slice(self) -> int:
        return max(1, self.window // SLICES)

    def _forget(self, now: int) -> None:
        """Let slices go that lie wholly before the window."""
        end = now - self.window - self._slice
        slices = self.record.slices
        while slices and (start := next(iter(slices))) <= end:
            self.moments = _minus(self.moments, _absolute(start, slices.pop(start)))

    def _draw(self) -> None:
        self.curve = curve_of(self.moments, self.busy, self.window)
        oldest = next(iter(self.record.slices), None)
        self.expires = None if oldest is None else oldest + self._slice + self.window


def curve_of(moments: Moments, busy: int, window: int) -> Curve:
    """The decayed vCPU time of a share as a function of time, times `2 * window`.

    [?] AWS says only that recent use weighs more and that use older than shareDecaySeconds does not
    count. Here weight falls linearly: a slice of use of age a counts `1 - a / window`. A change of d
    vCPUs at age a is then worth `d * (a - a * a / (2 * window))`, and `d * window / 2` once it is
    older than the window. [?] Besides, what runs now counts `HEAD_START` milliseconds in advance;
    otherwise all that starts in one moment would come from one share.
    """
    total, first, second = moments
    older = busy - total
    constant = 2 * window * (busy * HEAD_START - first) - second + older * window * window
    return constant, 2 * (window * total + first), -total


def units_of(vcpus: float) -> int:
    """Hundredths of a vCPU."""
    return round(vcpus * UNIT)


def window_of(policy: FairSharePolicy) -> int:
    """Milliseconds in which use counts."""
    return (policy.decay_seconds or DEFAULT_DECAY_SECONDS) * 1000


def weight_of(policy: FairSharePolicy, share: str) -> float:
    """Weight of a share: its own entry's, else that of the prefix it starts with, else 1.

    [?] A prefix's weight holds for each share that starts with it (API reference); the guide of 2023
    had them divide it.
    """
    for identifier, weight in policy.shares:
        if identifier == share or (identifier.endswith("*") and share.startswith(identifier[:-1])):
            return weight
    return 1.0


def usable_share(policy: FairSharePolicy, active_shares: int) -> float:
    """Part of the vCPUs that active shares may use: all but `(computeReservation / 100) ** active`."""
    return 1.0 - (policy.compute_reservation / 100) ** active_shares


def _absolute(start: int, known: list[int]) -> Moments:
    units, first, second = known
    return units, first + start * units, second + start * (2 * first + start * units)


def _plus(one: Moments, other: Moments) -> Moments:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _minus(one: Moments, other: Moments) -> Moments:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]
