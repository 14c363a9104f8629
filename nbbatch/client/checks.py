"""Arguments of a kind that a call does not take: refused at the call, all in one form.

A job's options have readers of their own (`options.py`); here are the words that the other calls share.
Pure: nothing is asked of anybody.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Real
from typing import Any

from nbbatch.errors import OptionError

_LONGEST_REASON = 1024
"""Characters; AWS Batch takes no more."""


def refusal(word: str, value: object, wanted: str) -> OptionError:
    """The error for a value that an argument does not take.

    Parameters
    ----------
    word : str
        The argument's name.
    value : object
        What was given.
    wanted : str
        What it takes, as in "It takes a number of seconds."
    """
    return OptionError(f"{word} does not understand {value!r:.60}.", cure=f"It takes {wanted}.")


def check_timeout(timeout: Any) -> None:
    """Refuse what is no number of seconds to wait; None waits as long as it takes."""
    if timeout is not None and (not is_number(timeout) or timeout != timeout):  # noqa: PLR0124 - NaN is not itself
        raise refusal("timeout", timeout, "a number of seconds, or None to wait as long as it takes")


def check_text(word: str, value: Any, wanted: str) -> None:
    """Refuse what is no text; None is as if it had not been given."""
    if value is not None and not isinstance(value, str):
        raise refusal(word, value, wanted)


def check_path(word: str, value: Any) -> None:
    """Refuse what is neither a text nor a path; None is as if it had not been given."""
    if value is not None and not isinstance(value, str | os.PathLike):
        raise refusal(word, value, "a path")


def check_backend(name: Any) -> None:
    """Refuse a backend's name that is none, before the settings are looked through for it."""
    check_text("backend", name, "the name of a configured backend, such as local")


def check_callback(function: Any) -> None:
    """Refuse what cannot be called when the time comes."""
    if not callable(function):
        raise refusal("A callback", function, "a function of one argument")


def texts_of(word: str, values: Any, wanted: str) -> list[str]:
    """Several texts as a list.

    Raises
    ------
    OptionError
        They are no texts; a single text is not several.
    """
    listed = [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
    if isinstance(values, str) or any(not isinstance(one, str) for one in listed):
        raise refusal(word, values, wanted)
    return listed


def reason_of(reason: Any, otherwise: str) -> str:
    """Why a job is stopped, as long as it may be; `otherwise` where nothing is said."""
    check_text("reason", reason, "a text")
    return (reason or otherwise)[:_LONGEST_REASON]


def is_number(value: Any) -> bool:
    """Whether it counts something; True and False do not."""
    return isinstance(value, Real) and not isinstance(value, bool)
