"""An array job from plain Python: twenty estimates of pi, and what they say together.

Run it with `python examples/monte_carlo_pi.py`. It needs no set-up: the first job starts the local
daemon, which stays for the next one (`nbbatch local stop` ends it).
"""

from __future__ import annotations

import random
import statistics

import nbbatch as nb


def estimate(seed: int, points: int = 200_000) -> float:
    """Four times the share of random points of the unit square that fall into the quarter circle."""
    draw = random.Random(seed).random  # noqa: S311 - a simulation, not a secret
    return 4 * sum(draw() ** 2 + draw() ** 2 < 1 for _ in range(points)) / points


if __name__ == "__main__":
    estimates = nb.map(estimate, range(20), vcpus=1, memory="256M").results()
    mean, error = statistics.mean(estimates), statistics.stdev(estimates) / len(estimates) ** 0.5
    print(f"pi is {mean:.4f}, give or take {error:.4f}")
