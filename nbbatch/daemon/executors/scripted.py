"""An executor that runs nothing: the test is the machine, and says what happens when.

It writes down every order it gets. `check` fails when one was never looked at, so that a test of
the loop cannot pass while the loop does more than it should.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nbbatch.daemon.ports import ExpectedAttempt, Report
from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, StartAttempt, StopAttempt
from nbbatch.model.jobs import JobId, Usage


class ScriptedExecutor:
    """Records orders and reports what the test says; implements `ports.Executor`.

    Parameters
    ----------
    report : Report
        Takes what the test lets happen.
    now : callable
        Epoch ms, for the times in the reports.
    """

    name = "scripted"
    runs_tasks = True

    def __init__(self, report: Report, now: Callable[[], int]) -> None:
        self.is_closed = False
        self._report = report
        self._now = now
        self._started_at: dict[tuple[JobId, int], int] = {}
        self._expected: list[ExpectedAttempt] = []
        self._starts: list[StartAttempt] = []
        self._stops: list[StopAttempt] = []
        self._settled: list[AttemptExited] = []

    async def adopt(self, expected: Sequence[ExpectedAttempt]) -> None:
        """See `Executor.adopt`; reports nothing by itself."""
        self._expected += expected

    def start(self, orders: Sequence[StartAttempt]) -> None:
        """See `Executor.start`."""
        self._starts += orders

    def stop(self, orders: Sequence[StopAttempt]) -> None:
        """See `Executor.stop`."""
        self._stops += orders

    def settled(self, attempts: Sequence[AttemptExited]) -> None:
        """See `Executor.settled`."""
        self._settled += attempts

    async def close(self) -> None:
        """See `Executor.close`."""
        self.is_closed = True

    def take_expected(self) -> list[ExpectedAttempt]:
        """Look at what `adopt` was told since the last look."""
        taken, self._expected = self._expected, []
        return taken

    def take_starts(self) -> list[StartAttempt]:
        """Look at the attempts ordered since the last look."""
        taken, self._starts = self._starts, []
        return taken

    def take_stops(self) -> list[StopAttempt]:
        """Look at the stops ordered since the last look."""
        taken, self._stops = self._stops, []
        return taken

    def take_settled(self) -> list[AttemptExited]:
        """Look at the ends that became durable since the last look; no order, so `check` lets it be."""
        taken, self._settled = self._settled, []
        return taken

    def started(self, job_id: JobId, attempt: int = 1) -> None:
        """Let an attempt start now."""
        now = self._started_at[job_id, attempt] = self._now()
        self._report([AttemptStarted(job_id=job_id, attempt=attempt, started_at=now)])

    def exited(
        self,
        job_id: JobId,
        attempt: int = 1,
        *,
        exit_code: int | None = 0,
        reason: str | None = None,
        status_reason: str = "Essential container in task exited",
        usage: Usage = Usage(),  # noqa: B008 - a frozen value
    ) -> None:
        """Let an attempt end now, whether or not it was said to have started."""
        end = AttemptExited(
            job_id=job_id,
            attempt=attempt,
            exit_code=exit_code,
            started_at=self._started_at.pop((job_id, attempt), None),
            stopped_at=self._now(),
            reason=reason,
            status_reason=status_reason,
            usage=usage,
        )
        self._report([end])

    def vanished(self, job_id: JobId, attempt: int = 1) -> None:
        """Let an attempt be gone without a trace."""
        self._started_at.pop((job_id, attempt), None)
        self._report([AttemptVanished(job_id=job_id, attempt=attempt)])

    def check(self) -> None:
        """Fail when an order was never looked at.

        Raises
        ------
        AssertionError
            It names the orders.
        """
        unseen = {"adopt": self._expected, "start": self._starts, "stop": self._stops}
        left = {call: orders for call, orders in unseen.items() if orders}
        if left:
            raise AssertionError(f"orders that the test never looked at: {left}")
