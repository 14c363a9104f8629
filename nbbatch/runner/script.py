"""Run a script or a command beside the runner.

Its output goes straight to the job's log. A script's `--out NAME` comes back as text: the shell
variable of that name (bash), else the content of the file of that name in the working directory.
What it leaves in the folder `$NBBATCH_CHECKPOINTS` is there again in the next attempt.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from . import failures, notes, pickling
from .failures import ExitCodeError, StopSignal
from .mirror import VARIABLE
from .payload import UnpicklableError

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .mirror import Mirror
    from .payload import Payload
    from .report import Report

_OWN = ".nbbatch"
"""Folder in the working directory for what is not the script's; it is never fetched."""
_OUT = os.path.join(_OWN, "out")
_TAIL = 4096
"""Bytes of an item's output that are kept."""
_REST = 1.0
"""Seconds that are waited for the rest of the output of a program that has ended."""
_KEEP_VARIABLES = """\
trap 'for _name in {names}; do
  if [ -n "${{!_name+x}}" ]; then printf %s "${{!_name}}" > "{folder}/$_name"; fi
done' EXIT
. "{script}"
"""


def run_items(
    payload: Payload, report: Report, positions: range | None, done: dict[int, dict[str, Any]]
) -> tuple[list[dict[str, Any]], BaseException | None]:
    """Run it for each position of the array, or once; gives an entry for each and the error that counts.

    `done` are entries of items that an earlier attempt has brought to a good end.
    """
    run = run_command if payload.manifest["kind"] == "command" else run_script
    error: BaseException | None = None
    entries = []
    for position in (None,) if positions is None else positions:
        entry, failed = (done[position], None) if position in done else _entry(run, payload, report, position)
        error = failed or error
        entries.append(entry)
        report.take_files(position, entry)
        if positions is not None and len(positions) > 1:
            report.keep_item(positions[len(entries) - 1], entry)
    return entries, error


def _entry(
    run: Callable[[Payload, Report, int | None, Mirror], dict[str, Any]],
    payload: Payload,
    report: Report,
    position: int | None,
) -> tuple[dict[str, Any], Exception | None]:
    """One item's entry in the result, and what it failed with."""
    started, error = time.monotonic(), None
    try:
        with _Kept(report, position) as kept:
            entry = run(payload, report, position, kept)
    except Exception as caught:
        error = caught
        entry = {"error": failures.describe(caught, {}), **getattr(caught, "left", {})}
        failures.print_failure(entry["error"])
    if position is not None:
        entry["seconds"] = round(time.monotonic() - started, 6)
    return entry, error


class _Kept:
    """The folder of checkpoints while the program of an item runs; its files stay unless that ends well."""

    def __init__(self, report: Report, position: int | None) -> None:
        self._mirror = report.mirror(position)
        self._is_first = report.attempt == 1

    def __enter__(self) -> Mirror:
        self._mirror.open(is_first=self._is_first)
        return self._mirror

    def __exit__(self, kind: object, *_: object) -> None:
        self._mirror.stop()
        if kind is None:
            notes.place.setdefault("outdated", []).append(self._mirror.forget)
        else:
            self._mirror.leave()


def run_script(payload: Payload, report: Report, position: int | None, kept: Mirror) -> dict[str, Any]:
    """Run a cell in another language; gives the entry of its one item."""
    manifest = payload.manifest
    environment = {VARIABLE: kept.folder, **manifest["variables"]}
    arguments: list[str] = []
    if position is not None:
        item = _text(payload.item(position))
        environment["ITEM"] = environment[manifest["item_name"]] = item
        arguments = [item]
    argv = [*manifest["argv"], _written(manifest), *arguments]
    left = _run(argv, environment, report, position, kept, stdin=manifest.get("stdin"))
    return {
        **left,
        "variables": {
            name: report.keep(_output(name), pickling.Rules({}, {})) for name in manifest["outputs"] or ()
        },
    }


def run_command(payload: Payload, report: Report, position: int | None, kept: Mirror) -> dict[str, Any]:
    """Run a program; gives the entry of its one item."""
    manifest = payload.manifest
    environment = {VARIABLE: kept.folder}
    if position is not None:
        environment["ITEM"] = environment[manifest["item_name"]] = _text(payload.item(position))
    return _run(manifest["argv"], environment, report, position, kept, stdin=manifest.get("stdin"))


def _text(item: Any) -> str:
    return item if isinstance(item, str) else str(item)


def _written(manifest: dict[str, Any]) -> str:
    """Write the script file, and around it for bash what keeps the variables; returns its path."""
    os.makedirs(_OUT, exist_ok=True)
    script = os.path.join(os.getcwd(), _OWN, manifest["file_name"])
    with open(script, "w", encoding="utf-8") as file:
        file.write(manifest["source"])
    if not (manifest["keeps_variables"] and manifest["outputs"]):
        return script
    folder = os.path.join(os.getcwd(), _OUT)
    with open(f"{folder}.sh", "w", encoding="utf-8") as file:
        file.write(_KEEP_VARIABLES.format(names=" ".join(manifest["outputs"]), folder=folder, script=script))
    return f"{folder}.sh"


def _output(name: str) -> str | bytes:
    for path in (os.path.join(_OUT, name), name):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return _as_text(file.read())
    raise UnpicklableError(f"{name} cannot come back: the script left no variable and no file of that name.")


def _as_text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _run(
    argv: list[str],
    environment: dict[str, str],
    report: Report,
    position: int | None,
    kept: Mirror,
    *,
    stdin: str | None,
) -> dict[str, Any]:
    """Run a program to its end; signals that ask the job to stop go on to it, even as it starts.

    Of an item the entry has its exit code and the end of its output, whether it went well or not.
    """
    copy = _Copy() if position is not None and os.environ.get("NBBATCH_SCRIPT") else None
    child: subprocess.Popen[bytes] | None = None
    received: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        received.append(number)
        if child is not None:
            child.send_signal(number)
        kept.hurry()

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    sys.stdout.flush()
    try:
        with _input(stdin) as file:
            streams: dict[str, Any] = (
                {} if copy is None else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            )
            child = subprocess.Popen(argv, env={**os.environ, **environment}, stdin=file, **streams)
        if copy is not None:
            copy.start(child.stdout)
        for number in received:
            child.send_signal(number)
        code = child.wait()
    except OSError as error:
        raise ExitCodeError(127, f"{argv[0]} cannot be started: {error.strerror}.") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise StopSignal("the job was stopped")
    status = code if code >= 0 else 128 - code  # a shell's way to say "killed by signal n"
    left = None if copy is None else {"exit_code": status, "output": copy.end()}
    entry = {} if left is None else {"value": report.keep(left, pickling.Rules({}, {}))}
    if code:
        raise ExitCodeError(status, _ending(argv[0], code), entry)
    return entry


class _Copy:
    """Passes a program's output on to the log, as it comes, and keeps its end."""

    def __init__(self) -> None:
        import threading

        self._tail = b""
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._pipe: Any = None

    def start(self, pipe: Any) -> None:
        self._pipe = pipe
        self._thread.start()

    def end(self) -> str:
        """The end of the output; what a process left behind may still write is not waited for."""
        self._thread.join(_REST)
        return self._tail.decode("utf-8", "replace")

    def _pass_on(self) -> None:
        while data := os.read(self._pipe.fileno(), 1 << 16):
            self._tail = (self._tail + data)[-_TAIL:]
            while data:
                data = data[os.write(1, data) :]


def _ending(program: str, code: int) -> str:
    name = os.path.basename(program)
    return f"{name} exited with code {code}." if code > 0 else f"{name} was killed by signal {-code}."


def _input(text: str | None) -> Any:
    """What the program reads on standard input: nothing, or a text of any length."""
    import contextlib

    if text is None:
        return contextlib.nullcontext(subprocess.DEVNULL)
    import tempfile

    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(text.encode())
    file.seek(0)
    return file
