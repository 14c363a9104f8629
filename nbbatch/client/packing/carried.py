"""What every Python bundle carries besides the user's things: the runner, and cloudpickle.

Both are zips of sources with the bytecode of this Python beside them, so that a job neither needs
them installed nor compiles them. Made once per process; the store knows them by content.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import marshal
import zipfile
from functools import cache
from pathlib import Path
from types import CodeType

from nbbatch.client.packing.localmodules import add_to_zip

RUNNER_NAME = "nbbatch_runner"
"""The runner's package in the job, where `nbbatch` may be the real one."""

_MAIN = f"""\
import sys

if sys.version_info < (3, 9):
    sys.exit("nbbatch needs Python 3.9 or newer in the image; it has %d.%d." % sys.version_info[:2])
from {RUNNER_NAME}.boot import main

main(sys.argv)
"""
_STAND_IN = """\
'''What a job finds as nbbatch where its image has none; the runner adds what jobs use of it.'''


def __getattr__(name):
    raise AttributeError(f"nbbatch.{name} is not there: this job's image has no nbbatch")
"""


@cache
def runner_zip() -> bytes:
    """Give the zipapp that `python3 runner.pyz BUNDLE` starts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add_code(archive, "__main__", _MAIN.encode(), compile(_MAIN, "<nbbatch runner>", "exec"))
        _add_package(archive, "nbbatch.runner", RUNNER_NAME)
        stand_in = compile(_STAND_IN, "<nbbatch runner>", "exec")
        _add_code(archive, "nbbatch/__init__", _STAND_IN.encode(), stand_in)
    return file.getvalue()


@cache
def cloudpickle_zip() -> bytes:
    """Give cloudpickle as installed here, ready for `sys.path`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add_package(archive, "cloudpickle", "cloudpickle")
    return file.getvalue()


def _add_package(archive: zipfile.ZipFile, name: str, name_there: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None  # noqa: S101 - ours and a dependency
    assert spec.origin is not None  # noqa: S101
    for path in sorted(Path(spec.origin).parent.glob("*.py")):
        code = importlib.machinery.SourceFileLoader(f"{name}.{path.stem}", str(path)).get_code(
            f"{name}.{path.stem}"
        )
        _add_code(archive, f"{name_there}/{path.stem}", path.read_bytes(), code)


def _add_code(archive: zipfile.ZipFile, name: str, source: bytes, code: CodeType | None) -> None:
    # Flag 1: named by hash, not to be checked against the source; the hash itself may then be anything.
    header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
    add_to_zip(archive, f"{name}.pyc", header + marshal.dumps(code))
    add_to_zip(archive, f"{name}.py", source)
