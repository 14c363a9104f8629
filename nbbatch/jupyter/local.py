"""`--local`: the cell runs here, as a job would run it, without a queue.

The same bundle is packed and the same runner runs it, in a process and an empty folder of their own:
what works here works as a job, inputs stay as they are, and what comes back is what a job brings
back. Nothing is asked of any backend. vCPUs and memory are not limited here; the timeout is.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nbbatch.client.arrays.items import label
from nbbatch.client.bundle import Packed, pack
from nbbatch.client.files.fetched import Target
from nbbatch.client.files.missing import missing_cure
from nbbatch.client.format import clock, memory, plural
from nbbatch.client.handles.outcome import duration_in_words
from nbbatch.client.jobs import remote_error
from nbbatch.client.notes import Sieve
from nbbatch.client.options import Options
from nbbatch.client.packing.parcel import ASK_BYTES
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.results import RemoteErrorInfo, Result, load_result
from nbbatch.client.store import FolderStore
from nbbatch.client.submission import files_of
from nbbatch.errors import JobError, JobFailedError, JobTimedOutError, ResultLostError
from nbbatch.jupyter.console import Console
from nbbatch.jupyter.finish import Ending, bring, gather
from nbbatch.jupyter.outputs import show_result
from nbbatch.jupyter.receipts import receipt_of
from nbbatch.jupyter.story import receipt_notes
from nbbatch.jupyter.waiting import LogText, Watched

_TICK = 1.0
"""Seconds between two frames of a running clock."""
_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
_TAIL = 2000
"""Characters of its log that an error carries."""
_INHERITED = (
    "HOME",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
)
_FAMILIES = ("LC_", "CUDA_")
"""Variables that a job here gets, too; it sees nothing else of the kernel's."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """How the process ended: exit code (of a signal negative), seconds, and what its log showed."""

    code: int
    seconds: float
    watched: Watched
    is_late: bool = False


def run_here(
    shell: Any,
    cell: Cell,
    options: Options,
    outputs: Any,
    console: Console,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Run a cell in a process of its own and bring home what it leaves.

    Parameters
    ----------
    shell : InteractiveShell
        The notebook.
    cell : Cell
        What to run; the items of an array run one after the other.
    options : Options
        `env`, `timeout` and `value_limit` hold; the others are for queues and hosts.
    outputs : sequence of str or None
        Variables wanted back; None: all that come.
    console : Console
        Where the story is told.
    now : callable
        Gives the seconds by which the timeout is measured.

    Raises
    ------
    UserError
        As for a job, before anything runs.
    JobError
        When the cell fails.
    """
    cell = cell if cell.items is None else replace(cell, chunk=len(cell.items))
    with TemporaryDirectory(prefix="nbbatch-local-") as folder:
        store = FolderStore(Path(folder))
        packed = _packed(cell, store, shell.user_ns, options)
        _tell_receipt(console, packed, cell)
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        with _started(packed, options, scratch) as process:
            ended = _followed(process, console, options.timeout, now)
        result = _result_of(store, packed, ended)
        console.line(_final_line(ended, result))
        if result is not None and options.fetch:
            _bring_files(store, packed, result, options, console)
        ending = Ending(shell, console, None, ended.watched, outputs)
        if ended.code == 0 and result is not None:
            _bring(ending, cell, result)
        else:
            raise _failure(ending, cell, ended, result, options)


def _packed(cell: Cell, store: FolderStore, namespace: Mapping[str, Any], options: Options) -> Packed:
    return pack(
        cell,
        store,
        namespace=namespace,
        files=files_of(options),
        python=sys.executable,
        is_same_environment=True,
        ask_bytes=options.value_limit or ASK_BYTES,
    )


def _tell_receipt(console: Console, packed: Packed, cell: Cell) -> None:
    items = "" if cell.items is None else f" · {plural(len(cell.items), 'item')}, one after the other"
    receipt = receipt_of(packed, cell)
    console.line(f"{receipt}{items} · here, in a process of its own: no queue, no cost")
    for note in receipt_notes(receipt):
        console.line(note)


@contextmanager
def _started(packed: Packed, options: Options, scratch: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The runner in a session of its own; whatever is left of it when the block ends is killed."""
    inherited = {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(_FAMILIES)
    }
    environment = {
        **inherited,
        "AWS_BATCH_JOB_ID": "local",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        **options.env,
        **packed.environment,
    }
    process = subprocess.Popen(
        packed.command,
        cwd=scratch,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop what still runs: SIGTERM, and SIGKILL for the whole group a little later."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _followed(
    process: subprocess.Popen[bytes], console: Console, timeout: int | None, now: Callable[[], float]
) -> _Ended:
    """Pass its output on as it comes, with a running clock, until it has ended or its time is up."""
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    began, log, sieve, is_late = now(), LogText(console), Sieve(), False
    while not is_late:
        elapsed = now() - began
        console.status(f"RUNNING here · {clock(elapsed)}", "RUNNING")
        is_late = timeout is not None and elapsed > timeout
        try:
            line = lines.get(timeout=_TICK)
        except queue.Empty:
            log.add([])
            continue
        if line is None:
            break
        log.add(sieve.shown([line.decode("utf-8", "replace").rstrip("\r\n")]))
    log.add(sieve.rest())
    code = process.wait() if not is_late else -signal.SIGTERM
    took = now() - began
    console.settle(f"ran here · {clock(took)}")
    return _Ended(code, took, Watched({}, log.shown, log.held), is_late)


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    """The reader's thread: it only hands lines on, and None at their end."""
    with suppress(ValueError):  # closed while it waited, because the time was up
        for line in process.stdout or ():
            lines.put(line)
    lines.put(None)


def _result_of(store: FolderStore, packed: Packed, ended: _Ended) -> Result | None:
    """What it left; None when it was killed before it could write anything."""
    try:
        return load_result(store, packed.bundle_id)
    except ResultLostError:
        if ended.code == 0:
            raise
        return None


def _bring_files(
    store: FolderStore, packed: Packed, result: Result, options: Options, console: Console
) -> None:
    """As those of a job: an array's into a folder of its name."""
    folder = Path(options.fetch_to or ".").expanduser()
    if packed.array_size is not None:
        folder /= options.name or "local"
    target = Target(folder, packed.bundle_id)
    try:
        target.bring(store, packed.bundle_id, result.files)
    finally:
        for line in target.close().lines():
            console.line(line)


def _final_line(ended: _Ended, result: Result | None) -> str:
    how = "SUCCEEDED" if ended.code == 0 else f"FAILED ({_in_words(ended)})"
    said = f"{how} here in {duration_in_words(ended.seconds)}"
    if result is None or not result.usage.seconds:
        return said
    busy = result.usage.cpu_seconds / max(ended.seconds, result.usage.seconds)
    return f"{said} · used {busy:.1f} vCPU, {memory(result.usage.peak_memory / (1 << 20))}"


def _in_words(ended: _Ended) -> str:
    if ended.is_late:
        return "timed out"
    return f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"


def _bring(ending: Ending, cell: Cell, result: Result) -> None:
    if cell.items is None:
        bring(ending, result)
    else:
        gather(ending, [result])


def _failure(ending: Ending, cell: Cell, ended: _Ended, result: Result | None, options: Options) -> JobError:
    """The error to raise, after what the cell had shown before it failed."""
    log, held = ending.watched.log, ending.watched.held
    if ended.is_late:
        limit = duration_in_words(options.timeout or 0)
        return JobTimedOutError(f"The cell ran longer than its timeout of {limit}.", cure="Give it longer.")
    if result is not None:
        show_result(ending.shell, ending.console, result, log)
    if result is not None and result.error is not None:
        ending.console.log(held.replace(result.error.traceback, "", 1).lstrip("\n"))
        return _raised(cell, result, result.error)
    ending.console.log(held)
    failed = JobFailedError(f"The cell failed here: {_in_words(ended)}.", log_tail=(log + held)[-_TAIL:])
    vars(failed)["_is_log_shown"] = True
    return failed


def _raised(cell: Cell, result: Result, info: RemoteErrorInfo) -> JobError:
    """What its code raised; of an array, which items failed, and the first one's error."""
    where = ""
    if cell.items is not None:
        failed = [item.position for item in result.items if item.error is not None]
        named = ", ".join(f"item {position} ({label(cell.items[position])})" for position in failed[:8])
        where = f"{len(failed):,} of {plural(len(cell.items), 'item')} failed: {named}. First: "
    error = remote_error(info, "", where=where)
    error.cure = missing_cure(info) or "Change the cell and run it again."
    return error
