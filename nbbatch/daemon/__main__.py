"""`python -m nbbatch.daemon --home PATH [--port N]`: run the local daemon until it is stopped.

`--detach` and `--ready-fd` are for the client that starts one in the background: the daemon leaves
its parent at once, and writes `ready` to the descriptor when it takes requests, `taken` when the
home has a daemon already, or why it cannot run: on a full disk the log does not take that.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon; returns the exit code."""
    options = _parse(arguments)
    if options.detach and os.fork():
        os._exit(0)
    options.home = options.home.resolve()
    return _serve(options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nbbatch-daemon", description="AWS Batch for this machine.")
    parser.add_argument("--home", type=Path, required=True, help="the daemon's folder")
    parser.add_argument("--port", type=int, help="listen there or fail")
    parser.add_argument("--detach", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _serve(options: argparse.Namespace) -> int:
    # Imported behind the fork, so that whoever waits for the parent does not wait for these.
    from nbbatch.daemon.app import serve  # noqa: PLC0415
    from nbbatch.daemon.home import HomeTakenError  # noqa: PLC0415
    from nbbatch.daemon.journal import keep_journal  # noqa: PLC0415
    from nbbatch.errors import NbbatchError  # noqa: PLC0415

    log = logging.getLogger("nbbatch.daemon")
    try:
        keep_journal(options.home, is_detached=options.detach)
        asyncio.run(serve(options.home, port=options.port, on_ready=lambda: _tell(options, "ready")))
    except HomeTakenError as error:
        _tell(options, "taken")
        sys.stderr.write(f"{error}\n")
        return 1
    except (NbbatchError, OSError) as error:
        words = str(error) if isinstance(error, NbbatchError) else _explain(error, options.home)
        _tell(options, words)
        log.critical("The daemon cannot run: %s", words)
        return 1
    except Exception:
        log.critical("The daemon failed.", exc_info=True)
        return 1
    return 0


def _explain(error: OSError, home: Path) -> str:
    """What the operating system refused, where, and whether the disk is full."""
    with suppress(OSError):
        return f"{error}; {home} has {shutil.disk_usage(home).free >> 20} MiB free."
    return f"{error}; its home would be {home}."


def _tell(options: argparse.Namespace, word: str) -> None:
    """Tell the client that started this daemon, if it still listens."""
    if options.ready_fd is not None:
        with suppress(OSError):
            os.write(options.ready_fd, f"{word}\n".encode())
            os.close(options.ready_fd)


if __name__ == "__main__":
    sys.exit(main())
