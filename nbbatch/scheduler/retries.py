"""What an attempt's end means for its job: done, again, or failed.

Source: AWS Batch user guide, "Automated job retries" and "Job timeouts". A timeout, a cancel and a
terminate are never retried. Rules of `evaluateOnExit` are tried in order, the first whose given
conditions all match decides, no match means retry.
"""

from __future__ import annotations

from nbbatch.model.events import AttemptExited
from nbbatch.model.jobs import Attempt, EvaluateOnExit, RetryStrategy, Run
from nbbatch.scheduler.lifecycle import Signal

TIMEOUT_REASON = "Job attempt duration exceeded timeout"
HOST_LOST_REASON = "Host EC2 (instance {host}) terminated."


def verdict(run: Run, strategy: RetryStrategy, end: AttemptExited | Attempt) -> Signal:
    """Which way a job goes after its attempt ended."""
    if run.stop_reason is not None:
        return Signal.FAILED
    if end.exit_code == 0:
        return Signal.SUCCEEDED
    if run.attempt < strategy.attempts and _wants_retry(strategy, end):
        return Signal.RETRIED
    return Signal.FAILED


def _wants_retry(strategy: RetryStrategy, end: AttemptExited | Attempt) -> bool:
    for rule in strategy.evaluate_on_exit:
        if _matches(rule, end):
            return rule.action.lower() == "retry"
    return True


def _matches(rule: EvaluateOnExit, end: AttemptExited | Attempt) -> bool:
    exit_code = None if end.exit_code is None else str(end.exit_code)
    conditions = (
        (rule.on_exit_code, exit_code),
        (rule.on_reason, end.reason),
        (rule.on_status_reason, end.status_reason),
    )
    return all(_glob(pattern, value) for pattern, value in conditions if pattern is not None)


def _glob(pattern: str, value: str | None) -> bool:
    """Exact, or by prefix when the last character is `*`; `*` alone also matches what is absent [?]."""
    if pattern == "*":
        return True
    if value is None:
        return False
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
