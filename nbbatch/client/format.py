"""Numbers as a person reads them: sizes, amounts of memory, clocks, dollars, counts. Pure."""

from __future__ import annotations

from math import floor, log10


def size(n_bytes: float) -> str:
    """Bytes in decimal units: `0 B`, `340 kB`, `1.2 MB`."""
    amount = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004 - the decimal step
            return f"{_two_digits(amount)} {unit}"
        amount /= 1000
    return f"{_two_digits(amount)} TB"


def memory(mib: float) -> str:
    """MiB in the words of `--memory`: `310 MB`, `4 GB`, `1.5 GB`."""
    return f"{mib:.0f} MB" if mib < 1024 else f"{_two_digits(mib / 1024)} GB"  # noqa: PLR2004 - MiB per GiB


def clock(seconds: float) -> str:
    """Elapsed time as a clock: `00:04`, `1:02:03`."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def dollars(amount: float) -> str:
    """Dollars with two digits that mean something: `$0`, `$0.0004`, `$0.00006`, `$12.34`."""
    if amount <= 0:
        return "$0"
    if amount < 1e-6:  # noqa: PLR2004 - less than anyone is charged
        return "<$0.000001"
    if amount >= 1:
        return f"${amount:,.2f}"
    digits = 1 - floor(log10(amount))
    text = f"{amount:.{max(digits, 2)}f}"
    return "$" + (text.rstrip("0") if len(text.rstrip("0").partition(".")[2]) > 1 else text[:4])


def plural(count: int, noun: str) -> str:
    """`1 function`, `2 functions`, `3 classes`."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"


def _two_digits(amount: float) -> str:
    """`1.2`, `12`, `340`: one decimal below ten, and none where it would be 0."""
    text = f"{amount:.1f}" if amount < 10 else f"{amount:.0f}"  # noqa: PLR2004 - one digit before the point
    return text.removesuffix(".0")
