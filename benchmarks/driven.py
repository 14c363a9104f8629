"""Work that processes of their own do when they are told to: peers in other environments, several clients at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.harness import CannotRunError

DRIVERS = Path(__file__).with_name("drivers")
UP_SECONDS = 60


@contextmanager
def driven(
    script: str, *arguments: str, count: int = 1, python: str | Path = sys.executable
) -> Iterator[Callable[[int], None]]:
    """So many processes of a script in `drivers/`, up and warm; they do as many tasks each as one asks for."""
    with ExitStack() as stack:
        command = [python, DRIVERS / script, *arguments]
        processes = [stack.enter_context(_started(command)) for _ in range(count)]

        def work(size: int) -> None:
            for process in processes:
                print(size, file=process.stdin, flush=True)
            for process in processes:
                float(_read(process))

        yield work


@contextmanager
def _started(command: list[str | Path]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        _read(process, until="ready")
        yield process
    finally:
        process.stdin.close()
        process.wait(UP_SECONDS)
        process.stdout.close()


def _read(process: subprocess.Popen[str], until: str = "") -> str:
    """The next line, or the next that is `until`; the driver's own chatter goes by."""
    for line in process.stdout:
        if not until or line.strip() == until:
            return line
    raise CannotRunError(f"{process.args} ended with {process.wait()}")
