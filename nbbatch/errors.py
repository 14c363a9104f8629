"""Every error nbbatch raises on purpose, in one tree.

The first level says whose fault it is; below it, each class says what happened. A message names
what, which value, and what to do; `cure` holds the last part by itself so that panels can show it.

::

    NbbatchError
    ├── UserError                 the call was wrong; nothing was sent, nothing changed
    │   ├── ClientException       the service refused a request (HTTP 400, AWS's name and texts)
    │   ├── OptionError           an unknown or malformed option, or options that exclude each other
    │   ├── UnknownNameError      a variable, queue, job, file or backend that is not there
    │   ├── UnpicklableError      a value that cannot travel; names the attribute
    │   ├── ValueTooLargeError    a value over the size limit
    │   ├── EnvironmentMismatchError  Python, package or image does not match the cell
    │   ├── DoesNotFitError       more vCPU, memory or GPUs than the backend can ever give
    │   ├── OverBudgetError       the job would cost more than its cap, or than the day has left
    │   ├── NotOnAwsError         only a local daemon can do that, and why
    │   └── ConfigurationError    a setting or file of the user's that cannot be read
    ├── JobError                  the job ended, but not with SUCCEEDED
    │   ├── JobFailedError        its command exited with another code than 0
    │   │   └── RemoteError       the cell or function raised; holds the remote traceback
    │   │       └── CellFailedError   a cell of a notebook that ran as a job; holds which
    │   ├── JobTimedOutError
    │   ├── JobOutOfMemoryError
    │   ├── JobCancelledError
    │   ├── JobTerminatedError
    │   ├── HostLostError         Spot reclaimed or the host died
    │   ├── DependencyFailedError
    │   ├── CouldNotStartError    image, secret or engine trouble before the first instruction
    │   └── ResultLostError       SUCCEEDED, but its result is missing or damaged
    ├── BackendError              the place where jobs run does not answer as it should
    │   ├── BackendUnreachableError
    │   ├── AccessDeniedError     HTTP 403: key, signature or permission
    │   ├── ServerException       HTTP 500: a bug on the other side
    │   ├── DaemonVersionError    the daemon runs another version than this client
    │   └── StoreError            payloads or rows cannot be written or read: disk, bucket
    └── NbbatchBugError           a broken invariant; please report it with the event log
        └── IllegalTransitionError
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any


class NbbatchError(Exception):
    """Everything nbbatch raises on purpose.

    Parameters
    ----------
    message : str
        What happened and with which value, one sentence.
    cure : str
        What to do about it; empty where the message says it already.
    """

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        end = "" if not self.cure or self.message.endswith((".", "!", "?", ":", ")")) else "."
        return f"{self.message}{end} {self.cure}" if self.cure else self.message

    def __reduce__(self) -> tuple[Callable[..., NbbatchError], tuple[Any, ...]]:
        facts = {name: value for name, value in self.__dict__.items() if not name.startswith("_")}
        return (_rebuild, (type(self), facts))


def _rebuild(kind: type[NbbatchError], attributes: dict[str, object]) -> NbbatchError:
    error = kind.__new__(kind)
    Exception.__init__(error, attributes.get("message", ""))
    error.__dict__.update(attributes)
    return error


def _without_own_frames(error: NbbatchError) -> list[str]:
    """IPython's hook: the lines that lead to nbbatch and the message, not nbbatch's own lines and causes."""
    shell = sys.modules["IPython"].get_ipython()  # who calls this hook has loaded it
    rebuild, facts = error.__reduce__()
    alone = rebuild(*facts)
    lines: list[str] = shell.InteractiveTB.structured_traceback(
        type(alone), alone, _outside(error.__traceback__)
    )
    return lines


def _outside(tb: TracebackType | None) -> TracebackType | None:
    if tb is None or tb.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "nbbatch":
        return None
    return TracebackType(_outside(tb.tb_next), tb.tb_frame, tb.tb_lasti, tb.tb_lineno)


class UserError(NbbatchError):
    """The call was wrong; nothing was sent and nothing changed."""

    _render_traceback_ = _without_own_frames


class ClientException(UserError):  # noqa: N818 - AWS's own name
    """The service refused a request: HTTP 400, in AWS's words."""


class OptionError(UserError):
    """An option is unknown, malformed, or excludes another one."""


class UnknownNameError(UserError):
    """A variable, queue, job, file or backend of that name is not there."""


class UnpicklableError(UserError):
    """A value cannot travel to the job."""


class ValueTooLargeError(UserError):
    """A value is over the size limit."""


class EnvironmentMismatchError(UserError):
    """The image's Python or packages do not match what the code needs."""


class DoesNotFitError(UserError):
    """The request is larger than anything the backend can ever give."""


class OverBudgetError(UserError):
    """The job would cost more than its cap allows, or than is left of the day's budget."""


class NotOnAwsError(UserError):
    """Only a local daemon can do or know that; the message says why, the cure what AWS has instead."""


class ConfigurationError(UserError):
    """A setting or a file of the user's cannot be read."""


class JobError(NbbatchError):
    """A job ended, but not with SUCCEEDED.

    Parameters
    ----------
    message : str
        What happened, one sentence.
    job_id : str
        The job's id; an array child's is `<id>:<index>`.
    log_tail : str
        The last lines of its log, empty where it never ran.
    cure : str
        What to do next.
    """

    _render_traceback_ = _without_own_frames

    def __init__(self, message: str, *, job_id: str = "", log_tail: str = "", cure: str = "") -> None:
        super().__init__(message, cure=cure)
        self.job_id = job_id
        self.log_tail = log_tail

    def __str__(self) -> str:
        head = super().__str__()
        return f"{head}\n--- last lines of the log ---\n{self.log_tail}" if self.log_tail else head


class JobFailedError(JobError):
    """The job's command exited with another code than 0, which `exit_code` holds; None where unknown."""

    exit_code: int | None = None


class RemoteError(JobFailedError):
    """The cell or function raised inside the job.

    Parameters
    ----------
    remote_traceback : str
        The traceback as the job printed it, with the cell's own line numbers.
    remote_type : str
        The exception's class name, such as `ZeroDivisionError`.
    remote_trace : mapping, optional
        The traceback as facts and sources, from which a notebook draws it in its own way.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str = "",
        log_tail: str = "",
        cure: str = "",
        remote_traceback: str = "",
        remote_type: str = "",
        remote_trace: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, job_id=job_id, log_tail=log_tail, cure=cure)
        self.remote_traceback = remote_traceback
        self.remote_type = remote_type
        self.remote_trace = remote_trace or {}

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: show where the cell failed, not where nbbatch raised; one part, as `%xmode` may join parts."""
        return ["\n".join([*self.remote_traceback.splitlines(), "", self.message, self.cure])]


class CellFailedError(RemoteError):
    """A cell of a notebook that ran as a job failed; the executed notebook up to there is kept.

    Parameters
    ----------
    cell_index : int
        Its place among all cells of the executed notebook, from 0.
    execution_count : int or None
        Its number as in `In [5]`.
    cell_source : str
        Its code.
    notebook_path : str
        Where the executed notebook was saved; empty where it was not.
    """

    def __init__(
        self,
        message: str,
        *,
        cell_index: int = 0,
        execution_count: int | None = None,
        cell_source: str = "",
        notebook_path: str = "",
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.cell_index = cell_index
        self.execution_count = execution_count
        self.cell_source = cell_source
        self.notebook_path = notebook_path


class JobTimedOutError(JobError):
    """An attempt ran longer than its timeout."""


class JobOutOfMemoryError(JobError):
    """The container was killed for using more memory than it asked for."""


class JobCancelledError(JobError):
    """The job was cancelled before it started."""


class JobTerminatedError(JobError):
    """The job was stopped on request."""


class HostLostError(JobError):
    """The host went away under the job: Spot reclaimed it, or it died."""


class DependencyFailedError(JobError):
    """A job that this one waited for failed."""


class CouldNotStartError(JobError):
    """The container could not be started: image, secret or engine trouble."""


class ResultLostError(JobError):
    """The job succeeded, but its result is missing or damaged."""


class BackendError(NbbatchError):
    """The place where jobs run does not answer as it should."""

    _render_traceback_ = _without_own_frames


class BackendUnreachableError(BackendError):
    """Nothing answers at the backend's address."""


class AccessDeniedError(BackendError):
    """HTTP 403: the key, the signature or a permission is missing or wrong."""


class ServerException(BackendError):  # noqa: N818 - AWS's own name
    """HTTP 500: the service itself failed."""


class DaemonVersionError(BackendError):
    """The running daemon is of another version than this client."""


class StoreError(BackendError):
    """Payloads or rows cannot be written or read."""


class NbbatchBugError(NbbatchError):
    """An invariant of nbbatch itself is broken; please report it with the event log."""


class IllegalTransitionError(NbbatchBugError):
    """The transition table has no row for this status and event."""
