"""Points in time as people give them: `"2h"` ago, a datetime, epoch seconds."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta

from nbbatch.errors import OptionError
from nbbatch.model.resources import parse_duration

Moment = str | float | datetime | timedelta
"""Text and timedeltas are durations before now."""


def epoch_ms(moment: Moment) -> int:
    """A moment in AWS Batch's unit.

    Raises
    ------
    OptionError
        When it is none.
    """
    match moment:
        case str():
            return round(1000 * (time.time() - parse_duration(moment)))
        case timedelta():
            return round(1000 * (time.time() - moment.total_seconds()))
        case datetime():
            return round(1000 * moment.timestamp())
        case int() | float() if math.isfinite(moment):
            return round(1000 * moment)
    raise OptionError(f"{moment!r} is no point in time.", cure='Give "2h", a datetime or epoch seconds.')


def moment_of(milliseconds: int | None) -> datetime | None:
    """A timestamp of AWS Batch's as an aware datetime; None stays None."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
