"""Values of `%batch` that nobody would see: of a line in the middle of a cell, in a loop, in an `.ipy` script.

IPython shows the value of a cell's last line and no other, and of a script's none. What is a command
to whoever wrote it shall show its table there, too; but not where the value is taken: `t = %batch jobs`.
"""

from __future__ import annotations

import dis
import sys
from types import FrameType
from typing import Any

from IPython.core.display_functions import display
from IPython.core.interactiveshell import InteractiveShell

from nbbatch.client.handles.handle import Handle


def show_unseen(value: Any) -> None:
    """Display what the magic that runs gives, where its line throws it away; a handle's line was told already."""
    if value is not None and not isinstance(value, Handle) and _is_thrown_away():
        display(value)  # type: ignore[no-untyped-call]


def _is_thrown_away() -> bool:
    """Whether the line that called the magic goes on by dropping its value from the stack."""
    caller = _caller(sys._getframe())  # noqa: SLF001 - the one way to see who called
    if caller is None:
        return False
    rest = (one for one in dis.get_instructions(caller.f_code) if one.offset > caller.f_lasti)
    return next(rest).opname == "POP_TOP"


def _caller(frame: FrameType | None) -> FrameType | None:
    """Whoever called the shell's line magic; None where it was called in another way."""
    while frame is not None and frame.f_code is not InteractiveShell.run_line_magic.__code__:
        frame = frame.f_back
    return None if frame is None else frame.f_back
