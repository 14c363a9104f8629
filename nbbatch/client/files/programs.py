"""Whether the program of a script or command is there, where a job sees what this machine has."""

from __future__ import annotations

import os
import shlex
import shutil

from nbbatch.client.backend import Backend
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


def check_program(payload: Payload, options: Options, backend: Backend) -> None:
    """Refuse a program that is not where the job looks for it; one with a path of its own is the job's affair.

    That is the daemon's PATH or, in a container, the folder of the kernel's Python and Docker's: not the kernel's PATH,
    which another environment may have set.

    Raises
    ------
    EnvironmentMismatchError
        There is no such program.
    OptionError
        The language is no command line.
    """
    program = _program(payload)
    if not program or "/" in program or "PATH" in options.env:
        return
    machine = backend.machine()
    if machine is None or not _is_known(machine.path) or shutil.which(program, path=machine.path):
        return
    here = shutil.which(program)
    raise EnvironmentMismatchError(
        f"There is no program {program!r} on the PATH of jobs on this machine, {machine.path}.",
        cure=f"The notebook finds {here}: name it like that, or set PATH in the job's env."
        if here
        else "Correct its name, install it, give its full path, or name an image that has it.",
    )


def _is_known(path: str) -> bool:
    """Whether what is there can be seen from here: a relative folder is below each job's own."""
    return all(map(os.path.isabs, filter(None, path.split(os.pathsep))))


def _program(payload: Payload) -> str:
    match payload:
        case Command(argv=[program, *_]):
            return str(program)
        case Cell(language="python"):
            return ""  # the job has the path of the notebook's own interpreter
        case Cell(language=str(language)):
            return next(iter(words_of(language)), "")
    return ""
