"""What was spent as a straight line: `base + rate * time`, exact between two starts or ends.

An attempt that runs adds its price to the rate and takes what it would have cost before its start
off the base; when it ends, its part of the line is replaced by what it cost.
"""

from __future__ import annotations

import math

from msgspec import Struct

from nbbatch.scheduler.cost import MS_PER_HOUR

_NO_RATE = 1e-12
"""Dollars an hour below which nothing runs: what sums of floating-point numbers leave behind."""


class Spending(Struct):
    """Dollars over time.

    Parameters
    ----------
    base, rate : float
        Dollars, and dollars per hour.
    day : int
        For the line of a day: which one (epoch ms / 86,400,000).
    due : int or None
        The earliest deadline that is out for it, epoch ms.
    """

    base: float = 0.0
    rate: float = 0.0
    day: int = 0
    due: int | None = None

    def at(self, now: int) -> float:
        """Dollars spent until then."""
        return self.base + self.rate * now / MS_PER_HOUR

    def begin(self, price: float, start: int) -> None:
        """Something runs at this price from `start` on."""
        self.rate += price
        self.base -= price * start / MS_PER_HOUR

    def end(self, price: float, start: int) -> None:
        """It never was: take back what `begin` did."""
        self.rate -= price
        self.base += price * start / MS_PER_HOUR

    def add(self, price: float, start: int, stop: int) -> None:
        """Something has run."""
        if stop > start:
            self.base += price * (stop - start) / MS_PER_HOUR

    def reaches(self, dollars: float, now: int) -> int | None:
        """When so much is spent, epoch ms; now, if it is already; None when it never will be."""
        if self.at(now) >= dollars:
            return now
        if self.rate < _NO_RATE:
            return None
        return max(now, math.ceil((dollars - self.base) / self.rate * MS_PER_HOUR))
