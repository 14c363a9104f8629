"""What jobs cost, as tables: by day and queue, and the hosts behind them with the idle rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbatch.client.backend import get_backend
from nbbatch.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

QUEUE_COLUMNS = {
    "day": "day",
    "queue": "queue",
    "submitted": "submitted",
    "succeeded": "succeeded",
    "failed": "failed",
    "attempts": "attempts",
    "seconds": "seconds",
    "cpuSeconds": "cpu_seconds",
    "charged": "charged",
    "onDemand": "on_demand",
    "lost": "lost",
    "saved": "saved",
}
HOST_COLUMNS = {name: name for name in ("day", "environment", "hosts", "used", "idle")}


def costs(days: int = 30, *, hosts: bool = False, backend: str | None = None) -> pd.DataFrame:
    """What the last days cost on the local backend, in dollars; what is under way is counted too.

    Parameters
    ----------
    days : int
        How many, today (UTC) among them.
    hosts : bool
        By compute environment instead of by queue: what whole hosts cost, and what of it was idle.
    backend : str, optional
        Name in the configuration.

    Returns
    -------
    pandas.DataFrame
        One row per day and queue: `submitted`, `succeeded`, `failed` (jobs and array children),
        `attempts`, `seconds` they ran, `cpu_seconds` they used, `charged` for their shares of hosts,
        `on_demand` what that is at On-Demand prices, `lost` the part of it that Spot took back, and
        `saved` = on_demand - lost - charged. With `hosts`, per day and environment: `hosts`, `used`
        and `idle` = hosts - used.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    answer = ask(days, backend)
    rows, columns = (answer["environments"], HOST_COLUMNS) if hosts else (answer["queues"], QUEUE_COLUMNS)
    table = pd.DataFrame(rows, columns=list(columns)).rename(columns=columns)
    return table.assign(day=pd.to_datetime(table["day"]))


def ask(days: int, backend: str | None = None) -> Any:
    """The daemon's answer as it is.

    Raises
    ------
    OptionError
        The days are no number from 1.
    """
    if isinstance(days, bool) or not isinstance(days, int) or days < 1:
        raise OptionError(f"days does not understand {days!r}.", cure="It takes a whole number from 1.")
    return get_backend(backend).private("costs", {"days": days})
