"""The daemon's own log: `daemon.log` in its home, private, in a few files of bounded size.

A detached daemon's standard error is that file, too, so that a crash of the interpreter is found in
the same place. In the foreground, everything is also shown.
"""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from nbbatch.daemon.home import LOG

MOST_BYTES = 4 << 20
OLD_FILES = 2
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def keep_journal(home: Path, *, is_detached: bool) -> None:
    """Send what this process logs to the journal from now on."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        _PrivateFile(home / LOG, maxBytes=MOST_BYTES, backupCount=OLD_FILES, encoding="utf-8")
    ]
    if not is_detached:
        handlers.append(logging.StreamHandler(sys.stderr))
    logging.basicConfig(level=logging.INFO, format=FORMAT, handlers=handlers)


class _PrivateFile(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.baseFilename, flags, 0o600)
        return open(descriptor, "a", encoding="utf-8")  # noqa: PTH123 - the handler closes it
