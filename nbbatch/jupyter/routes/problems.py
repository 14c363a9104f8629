"""The one place where what goes wrong becomes an HTTP status and a body.

Whatever is the user's to mend is 4xx, a backend that does not answer 503. What nobody foresaw is 500,
logged on the server, and says nothing of its traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from logging import Logger

import msgspec
from tornado.web import HTTPError

from nbbatch.client.backend import Standing
from nbbatch.errors import (
    AccessDeniedError,
    BackendError,
    BackendUnreachableError,
    JobError,
    NbbatchBugError,
    NbbatchError,
    OptionError,
    UnknownNameError,
    UserError,
    ValueTooLargeError,
)
from nbbatch.jupyter.routes.shapes import Problem

_PLACE = re.compile(r" - at `\$\.?(.*?)`$")


class NoDaemon(BackendUnreachableError):  # noqa: N818 - the word that the front end looks for
    """A local daemon does not run, and starting it is the user's to decide."""


NO_DAEMON = {
    Standing.ABSENT: "No daemon runs yet.",
    Standing.STOPPED: "The local daemon was stopped.",
    Standing.KILLED: "The local daemon does not run any more.",
}


def no_daemon(standing: Standing) -> NoDaemon:
    """Why a local daemon does not answer, and what to do."""
    return NoDaemon(NO_DAEMON[standing], cure="Start it: no job is lost, and it waits for work.")


class NotFoundError(UnknownNameError):
    """What an address or a path names is not there."""


@contextmanager
def at(field: str) -> Iterator[None]:
    """Say of errors in here which member of the request they are about."""
    try:
        yield
    except NbbatchError as error:
        error.__dict__.setdefault("field", field)
        raise


def problem_of(error: BaseException, log: Logger) -> tuple[int, Problem]:
    """The status and the body for an error."""
    status = _status(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("A route of nbbatch failed", exc_info=error)
        return status, Problem(
            message="The server failed.", cure="Its log has the details; please report them.", reason="Bug"
        )
    return status, _told(error)


def _status(error: BaseException) -> int:
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    match error:
        case HTTPError():
            status = error.status_code
        case msgspec.MsgspecError():
            status = HTTPStatus.BAD_REQUEST
        case ValueTooLargeError():
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        case UnknownNameError():
            status = HTTPStatus.NOT_FOUND
        case UserError():
            status = HTTPStatus.BAD_REQUEST
        case AccessDeniedError():
            status = HTTPStatus.FORBIDDEN
        case JobError():
            status = HTTPStatus.CONFLICT
        case BackendError() | TimeoutError():
            status = HTTPStatus.SERVICE_UNAVAILABLE
        case NbbatchBugError():
            pass
    return status


def _told(error: BaseException) -> Problem:
    match error:
        case NbbatchError():
            field = str(error.__dict__.get("field", ""))
            return Problem(message=error.message, cure=error.cure, field=field, reason=type(error).__name__)
        case msgspec.MsgspecError():
            place = _PLACE.search(str(error))
            message = f"The request is not understood: {_PLACE.sub('', str(error))}."
            return Problem(message=message, field=place[1] if place else "", reason="OptionError")
        case HTTPError():
            words = error.log_message or error.reason or HTTPStatus(error.status_code).phrase
            return Problem(message=_percent(words, error.args), reason="HTTPError")
        case _:
            return Problem(message=f"There was no answer in time: {error}.", reason="BackendUnreachableError")


def _percent(words: str, arguments: tuple[object, ...]) -> str:
    try:
        return words % arguments if arguments else words
    except (TypeError, ValueError):
        return words


def number(field: str, text: str, *, lowest: float, highest: float) -> float:
    """A number of an address.

    Raises
    ------
    OptionError
        It is none, or out of bounds.
    """
    wanted = f"It takes a number from {lowest:g} to {highest:g}."
    with at(field):
        try:
            value = float(text)
        except ValueError:
            raise OptionError(f"{field} does not understand {text[:40]!r}.", cure=wanted) from None
        if not lowest <= value <= highest:
            raise OptionError(f"{field} is {text[:40]}.", cure=wanted)
        return value
