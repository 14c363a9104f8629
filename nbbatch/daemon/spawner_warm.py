"""Warm interpreters: which environments have one, since when, and for how long.

A payload of Python is known by its command, `python F/runner.pyz F`, and by NBBATCH_BUNDLE naming F.
It starts afresh unless an interpreter is warm that was started in the same way: the same program and
runner, the same variables but for those that each job has its own of, and nothing changed since in
the files that its start read. Nobody waits for one: the first job only leaves a wish, which is
granted a moment later, when that job is out of the way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress

from nbbatch.daemon.spawner_interpreter import Interpreter, order_of
from nbbatch.daemon.spawner_protocol import Order

SWITCH = "NBBATCH_WARM"
"""Variable that keeps a job from it when it is 0."""

MOST = 4
"""Warm interpreters at once; each holds about 10 MB."""

FIRST_PAUSE = 0.2
"""Seconds until a wish is granted, times six for each time that it has come to nothing."""

_LONGEST_PAUSE = 600.0
_IDLE_SECONDS = 300.0
"""A warm interpreter ends when it had nothing to do for so long."""

_RESTED_SECONDS = 10.0
"""One that was used since does not make room for another: environments that change with each job get none."""

_MANY = 64
"""Wishes, failures and archives that are remembered."""

_OF_EACH_JOB = ("AWS_BATCH_", "NBBATCH_", "CUDA_VISIBLE_DEVICES")
_FOLDERS = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE")
_NEVER = float("inf")

Key = tuple[str, str, int, frozenset[tuple[str, str]]]
"""Program, its word on the command line, the runner's number, and the variables."""


class _Wish:
    """What to start, and when; `archive` is that of the last job that wanted it."""

    __slots__ = ("archive", "due")

    def __init__(self, archive: str, due: float) -> None:
        self.archive = archive
        self.due = due


class WarmInterpreters:
    """At most one warm interpreter for each environment, and few of them.

    Parameters
    ----------
    mark : str
        The home's mark for MARKER.

    Attributes
    ----------
    is_on : bool
        Whether forked jobs become this process's own children: see `adopt_descendants`.
    due : float
        Monotonic time at which `on_time` has something to do.
    """

    def __init__(self, mark: str) -> None:
        self.is_on = False
        self.due = _NEVER
        self._mark = mark
        self._runners = _Runners()
        self._ready: dict[Key, Interpreter] = {}
        self._wishes: dict[Key, _Wish] = {}
        self._failures: dict[Key, int] = {}

    @property
    def pids(self) -> frozenset[int]:
        """Their processes."""
        return frozenset(interpreter.pid for interpreter in self._ready.values())

    def launch(self, order: Order, program: str, folder: str, environment: Mapping[str, str]) -> int:
        """Start a job from a warm interpreter.

        Parameters
        ----------
        program : str
            The command's executable.
        folder : str
            The working directory.
        environment : mapping of str to str
            All of the job's variables.

        Returns
        -------
        int
            Its pid; 0 when it has not started and must be started afresh.

        Raises
        ------
        OSError
            When its log file cannot be opened.
        """
        if not self.is_on or not _is_payload(order, environment):
            return 0
        key = self._key(order, program, environment)
        interpreter = self._of(key, order.command[1]) if key is not None else None
        if key is None or interpreter is None:
            return 0
        with suppress(ValueError):  # the fresh start will say what is wrong
            pid = _started(interpreter, order, folder, environment)
            if pid:
                self._failures.pop(key, None)
                return pid
            self._fail(key)
        return 0

    def on_exit(self, pid: int) -> None:
        """A child has been reaped; perhaps it was one of these."""
        for key, interpreter in list(self._ready.items()):
            if interpreter.pid == pid:
                del self._ready[key]
                interpreter.release()
                self._fail(key)

    def on_time(self, now: float) -> None:
        """Grant wishes, and let go of those that nobody used for long."""
        for key, wish in list(self._wishes.items()):
            if wish.due <= now:
                del self._wishes[key]
                self._grant(key, wish.archive, now)
        for key, interpreter in list(self._ready.items()):
            if interpreter.used_at + _IDLE_SECONDS <= now:
                self._ready.pop(key).end()
        self._set_due()

    def close(self) -> None:
        """End all of them, and wait until they are gone."""
        while self._ready:
            interpreter = self._ready.popitem()[1]
            interpreter.end()
            with suppress(ChildProcessError):
                os.waitpid(interpreter.pid, 0)

    def _key(self, order: Order, program: str, environment: Mapping[str, str]) -> Key | None:
        runner = self._runners.number(order.command[1])
        if not runner:
            return None
        own = frozenset(pair for pair in environment.items() if not pair[0].startswith(_OF_EACH_JOB))
        return program, order.command[0], runner, own

    def _of(self, key: Key, archive: str) -> Interpreter | None:
        """The interpreter of an environment, if it can take a job now."""
        interpreter = self._ready.get(key)
        if interpreter is None:
            self._wish(key, archive)
        elif interpreter.is_ready():
            if not interpreter.is_stale():
                return interpreter
            self._fail(key)
            self._wish(key, archive)
        return None

    def _wish(self, key: Key, archive: str) -> None:
        wish = self._wishes.get(key)
        if wish is not None:
            wish.archive = archive
        elif len(self._wishes) < _MANY:
            pause = min(FIRST_PAUSE * 6 ** self._failures.get(key, 0), _LONGEST_PAUSE)
            self._wishes[key] = _Wish(archive, time.monotonic() + pause)
            self._set_due()

    def _grant(self, key: Key, archive: str, now: float) -> None:
        program, word, _, own = key
        if not os.path.exists(archive) or not self._has_room(now):
            return
        try:
            self._ready[key] = Interpreter(program, word, archive, dict(own), self._mark)
        except (OSError, ValueError):
            self._fail(key)

    def _has_room(self, now: float) -> bool:
        """Make some, if need be, by letting go of the one that was not used for longest."""
        if len(self._ready) < MOST:
            return True
        key, oldest = min(self._ready.items(), key=lambda item: item[1].used_at)
        if oldest.used_at + _RESTED_SECONDS > now:
            return False
        self._ready.pop(key).end()
        return True

    def _fail(self, key: Key) -> None:
        """Let go of an interpreter that was of no use; the next try comes later than this one did."""
        interpreter = self._ready.pop(key, None)
        if interpreter is not None:
            interpreter.end()
        if len(self._failures) >= _MANY:
            self._failures.clear()
        self._failures[key] = self._failures.get(key, 0) + 1
        self._set_due()

    def _set_due(self) -> None:
        dues = [wish.due for wish in self._wishes.values()]
        dues += [interpreter.used_at + _IDLE_SECONDS for interpreter in self._ready.values()]
        self.due = min(dues, default=_NEVER)


class _Runners:
    """Numbers for what is in archives; most of them are links to one file."""

    def __init__(self) -> None:
        self._of_file: dict[tuple[int, int, int, int], int] = {}
        self._of_content: dict[bytes, int] = {}

    def number(self, archive: str) -> int:
        """The same number for the same content; 0 where it is not a runner that can wait for jobs."""
        try:
            facts = os.stat(archive)
            file = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
            found = self._of_file.get(file)
            if found is None:
                if len(self._of_file) >= _MANY:
                    self._of_file.clear()
                found = self._of_file[file] = self._read(archive)
        except OSError:
            return 0
        return found

    def _read(self, archive: str) -> int:
        with open(archive, "rb") as file:
            content = file.read()
        if b"nbbatch_runner/warm.py" not in content:
            return 0
        return self._of_content.setdefault(content, len(self._of_content) + 1)


def _is_payload(order: Order, environment: Mapping[str, str]) -> bool:
    """Whether it runs a bundle, and would start in the same way from any folder and with any limits."""
    if len(order.command) != 3 or order.ulimits:  # noqa: PLR2004 - interpreter, archive, bundle
        return False
    word, archive, bundle = order.command
    return (
        environment.get("NBBATCH_BUNDLE") == f"file://{bundle}"
        and bundle.startswith("/")
        and archive == f"{bundle}/runner.pyz"
        and (word.startswith("/") or "/" not in word)
        and environment.get(SWITCH) != "0"
        and all(
            folder.startswith("/")
            for name in _FOLDERS
            for folder in (environment[name].split(os.pathsep) if environment.get(name) else ())
        )
    )


def _started(interpreter: Interpreter, order: Order, folder: str, environment: Mapping[str, str]) -> int:
    message = order_of(folder, order.command, environment)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return interpreter.start(message, log)
    finally:
        os.close(log)
