"""Whether the program of a script or command is there, where a job sees what this machine has."""

from __future__ import annotations

import shlex
import shutil

from nbbatch.client.options import Options
from nbbatch.client.packing.payloads import Cell, Command, Payload
from nbbatch.errors import EnvironmentMismatchError, OptionError


def words_of(language: str) -> list[str]:
    """The words of the command line that runs a script.

    Raises
    ------
    OptionError
        It is none.
    """
    try:
        return shlex.split(language)
    except ValueError as error:
        raise OptionError(
            f"The language {language!r} is no command line: {error}.",
            cure="Write it as a shell would read it.",
        ) from error


def check_program(payload: Payload, options: Options) -> None:
    """Refuse a program that is not on this machine's path; one with a path of its own is the job's affair.

    Raises
    ------
    EnvironmentMismatchError
        There is no such program.
    OptionError
        The language is no command line.
    """
    program = _program(payload)
    if not program or "/" in program or "PATH" in options.env or shutil.which(program):
        return
    raise EnvironmentMismatchError(
        f"There is no program {program!r} on this machine's PATH, and the job runs here.",
        cure="Correct its name, install it, give its full path, or name an image that has it.",
    )


def _program(payload: Payload) -> str:
    match payload:
        case Command(argv=[program, *_]):
            return str(program)
        case Cell(language="python"):
            return ""  # the job has the path of the notebook's own interpreter
        case Cell(language=str(language)):
            return next(iter(words_of(language)), "")
    return ""
