"""The attempts of one spawner: who waits, who runs, who has ended, and the steps between them.

A name is in exactly one of five places: waiting (`_orders`), running (`_names`), ended and not
settled (`_ended`), lost to an earlier spawner (`_lost`), or unknown. Each step writes to the journal
before it does what cannot be taken back, and puts into `fresh_starts` and `fresh_ends` what the
daemon has to be told. No socket and no loop here: the caller says when.
"""

from __future__ import annotations

import heapq
import os
import signal
import time
from collections.abc import Callable, Sequence
from itertools import count
from math import ceil

from nbbatch.daemon.admission import Admission, Devices, Name
from nbbatch.daemon.processes import start_clock
from nbbatch.daemon.spawner_journal import Journal, Past
from nbbatch.daemon.spawner_launch import CannotStartError, Launcher, Scratch
from nbbatch.daemon.spawner_protocol import Order, quoted
from nbbatch.daemon.spawner_watch import Child, Strays, end_hoarders, epoch_ms, mib_of, signal_group

TYPE_CHECKING = False  # as typing has it, which takes long to load
if TYPE_CHECKING:
    from typing import Any

WATCH_SECONDS = 0.5
"""How often memory is looked at, and how old an attempt is before it is."""

_QUOTED_EXITED = quoted("Essential container in task exited")
_START_SECONDS = 0.02
"""Age at which a start is told."""

_NOT_STARTED = "Task failed to start"
_STOPPED_EARLY = "Task stopped before it started"
_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
_KILLED = 128 + signal.SIGKILL


class Attempts:
    """All attempts this spawner knows.

    Parameters
    ----------
    journal : Journal
        Written before anything is done.
    past : Past
        What earlier spawners have left.
    launcher : Launcher
        Makes processes.
    scratch : Scratch
        Their working directories.
    log : callable
        Takes one line for the spawner's log.
    """

    def __init__(
        self, journal: Journal, past: Past, launcher: Launcher, scratch: Scratch, log: Callable[[str], None]
    ) -> None:
        self.fresh_starts: dict[Name, Child] = {}
        self.fresh_ends: list[str] = []
        self._journal = journal
        self._launcher = launcher
        self._scratch = scratch
        self._log = log
        self._admission = Admission(0, 0)
        self._orders: dict[Name, Order] = {}
        self._drawn: dict[Name, Devices] = {}
        self._running: dict[int, Child] = {}
        self._names: dict[Name, Child] = {}
        self._ended = past.ended
        self._lost = past.lost
        self._was_rebooted = past.rebooted
        self._unwritten: list[str] = []
        self._leftovers: dict[Name, str] = {}
        self._helpers: set[int] = set()
        self._count = count()
        self._kills: list[tuple[float, int, Child]] = []
        self._watch_at = 0.0
        self._strays: Strays | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._running and not self._orders

    @property
    def has_backlog(self) -> bool:
        """Whether orders wait for room."""
        return bool(self._orders)

    def due(self) -> float:
        """Monotonic time at which `on_time` has something to do."""
        due = self._watch_at if self._running else float("inf")
        if self._kills:
            due = min(due, self._kills[0][0])
        return min(due, self._scratch.drop_at, self._launcher.warm.due)

    # What the daemon says.

    def on_hello(self, hello: dict[str, Any]) -> dict[str, object]:
        """Take a daemon's settings, forget what it does not expect, and say what is known.

        Returns
        -------
        dict
            `running`, `waiting`, `ended` and `lost`, as the protocol has them.
        """
        self._launcher.base = hello["environment"]
        self._launcher.devices = hello["devices"]
        self._admission.resize(*hello["machine"])
        for order in [order for order in self._orders.values() if self._refusal(order)]:
            self._withdraw(order.name)
            self.on_start(order)
        self._reconcile({(job_id, attempt) for job_id, attempt in hello["expected"]})
        self.fresh_starts.clear()
        self.fresh_ends.clear()
        children = [child for child in self._names.values() if not child.is_unwanted]
        return {
            "running": [[*child.order.name, child.started_at] for child in children],
            "waiting": self._admission.waiting,
            "ended": list(self._ended.values()),
            "lost": list(self._lost),
        }

    def keep_strays(self) -> None:
        """From now on inherit what attempts leave behind, to be able to kill it."""
        if self._strays is None:
            self._strays = Strays()
            self._launcher.warm.is_on = self._strays.come_here

    def on_start(self, order: Order) -> None:
        """Let an order wait for room; a name that is known already is not started again."""
        name = order.name
        if name in self._orders or name in self._names or name in self._ended or name in self._lost:
            return
        refusal = self._refusal(order)
        if refusal:
            self._not_started(name, f"CannotStartContainerError: {refusal}")
            return
        self._orders[name] = order
        devices = None if order.main is None else self._admission.draw(name, order.main, order.amount)
        if devices is None:
            self._admission.wait(name, order.amount, order.others)
        else:
            self._drawn[name] = devices

    def on_stop(self, name: Name, grace: float) -> None:
        """End an attempt: at once when it waits, else by SIGTERM and, after `grace` seconds, SIGKILL."""
        child = self._names.get(name)
        if name in self._orders:
            self._withdraw(name)
            self._not_started(name, None, _STOPPED_EARLY)
        elif child is not None:
            if not child.is_stopping:
                child.is_stopping = True
                signal_group(child.pid, signal.SIGTERM)
            heapq.heappush(self._kills, (time.monotonic() + grace, next(self._count), child))

    def on_settled(self, names: Sequence[Name]) -> None:
        """Forget ends that are durable elsewhere."""
        folders = []
        for name in names:
            self._ended.pop(name, None)
            if name in self._leftovers:
                folders.append(self._leftovers.pop(name))
        self._remove_scratch(folders)
        self._forget(names)

    def _forget(self, names: Sequence[Name]) -> None:
        """Let go of names; when that cannot be written, the next daemon does not expect them either."""
        if self._journal.is_worth_rewriting(len(self._ended) + len(self._names)):
            self._rewrite()
            return
        try:
            self._journal.settle(names)
        except OSError as error:
            self._log(f"the journal cannot be written: {error.strerror}")

    def _reconcile(self, expected: set[Name]) -> None:
        if self._was_rebooted:
            self._was_rebooted = False
            self._lost |= expected - self._ended.keys()
        for name in self._orders.keys() - expected:
            self._withdraw(name)
        for name in self._names.keys() - expected:
            self._names[name].is_unwanted = True
            signal_group(self._names[name].pid, signal.SIGKILL)
        for name in self._ended.keys() - expected:
            del self._ended[name]
            self._leftovers.pop(name, None)
        self._lost &= expected
        self._rewrite()
        self._scratch.drop_spares()
        kept = {child.order.scratch for child in self._names.values()} | set(self._leftovers.values())
        self._remove_scratch(self._scratch.others(kept))

    def _rewrite(self) -> None:
        try:
            self._journal.rewrite(self._begun(), self._ended)
        except OSError as error:
            self._log(f"the journal cannot be rewritten: {error.strerror}")

    def _begun(self) -> dict[Name, tuple[int, float]]:
        begun = dict.fromkeys(self._lost, (0, 0.0))
        begun.update((name, (child.pid, child.born)) for name, child in self._names.items())
        return begun

    def _remove_scratch(self, folders: Sequence[str]) -> None:
        helper = self._scratch.remove(folders)
        if helper:
            self._helpers.add(helper)

    # What happens by itself.

    def on_child(self) -> None:
        """Reap whoever has ended, then look for what they left."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                break
            child = self._running.pop(pid, None)
            if child is None:
                self._helpers.discard(pid)
                self._launcher.warm.on_exit(pid)
            else:
                self._on_exit(child, status, used.ru_utime + used.ru_stime, used.ru_maxrss)
        if self._strays is not None:
            self._strays.end(self._running, self._names, self._helpers | self._launcher.warm.pids)

    def on_time(self, now: float) -> None:
        """Kill those whose grace is over or who hold more memory than they asked for; tidy up."""
        while self._kills and self._kills[0][0] <= now:
            child = heapq.heappop(self._kills)[2]
            if self._running.get(child.pid) is child:
                signal_group(child.pid, signal.SIGKILL)
        if now >= self._scratch.drop_at:
            self._scratch.drop_spares()
        if now >= self._launcher.warm.due:
            self._launcher.warm.on_time(now)
        if self._running and now >= self._watch_at:
            self._watch_at = now + WATCH_SECONDS
            for child in end_hoarders(self._running, start_clock() - WATCH_SECONDS):
                self._log(f"{child.order.name} is over its {child.order.memory_limit} MiB of memory")

    def admit(self) -> None:
        """Begin, in order, as many as there is room for."""
        while batch := self._admitted():
            try:
                self._journal.begin([order.name for order, _ in batch])
            except OSError as error:
                self._log(f"the journal cannot be written: {error.strerror}")
                reason = f"CannotStartContainerError: its start cannot be written down: {error.strerror}"
                for order, _ in batch:
                    self._not_started(order.name, reason)
                continue
            children = [child for order, devices in batch if (child := self._launch(order, devices))]
            if children:
                self._write_born(children)

    def write_ends(self) -> None:
        """Append new ends to their file; when that fails, they are still in memory for the daemon."""
        if self._unwritten:
            try:
                self._journal.end(self._unwritten)
            except OSError as error:
                self._log(f"ends cannot be written: {error.strerror}")
            self._unwritten.clear()

    def reports_due(self) -> float:
        """Start clock's time at which there is something to tell.

        A start is told when it is a little old. An attempt that has ended by then is only among the
        ends, which say when it started, too: half the work for everybody behind.
        """
        if self.fresh_ends:
            return 0.0
        for child in self.fresh_starts.values():
            return child.born + _START_SECONDS
        return float("inf")

    def take_reports(self, now: float) -> tuple[list[str], list[str]]:
        """Starts and ends that the daemon has not been told, and will be now."""
        starts = []
        for name, child in list(self.fresh_starts.items()):
            if child.born + _START_SECONDS > now:
                break
            del self.fresh_starts[name]
            starts.append(f"[{quoted(name[0])},{name[1]},{child.started_at}]")
        ends, self.fresh_ends = self.fresh_ends, []
        return starts, ends

    def close(self) -> None:
        """End what is there for attempts to come."""
        self._launcher.warm.close()

    def _refusal(self, order: Order) -> str:
        return self._admission.refusal(order.amount, order.others)

    def _withdraw(self, name: Name) -> None:
        """Take back an order that has not begun."""
        del self._orders[name]
        if not self._admission.withdraw(name):
            del self._drawn[name]
            self._admission.release(name)

    def _admitted(self) -> list[tuple[Order, Devices]]:
        """Nodes that follow their main node, and whoever there is room for now."""
        batch = [(self._orders.pop(name), devices) for name, devices in self._drawn.items()]
        self._drawn.clear()
        while admitted := self._admission.admit():
            name, devices = admitted
            batch.append((self._orders.pop(name), devices))
        return batch

    def _launch(self, order: Order, devices: Devices) -> Child | None:
        name = order.name
        try:
            child = Child(order, self._launcher.launch(order, devices))
        except CannotStartError as error:
            self._leave_scratch(order)
            self._not_started(name, str(error))
            return None
        self._running[child.pid] = child
        self._names[name] = child
        self.fresh_starts[name] = child
        return child

    def _write_born(self, children: Sequence[Child]) -> None:
        try:
            self._journal.born([(*child.order.name, child.pid, child.born) for child in children])
        except OSError as error:
            self._log(f"pids cannot be written, MARKER must do: {error.strerror}")

    def _on_exit(self, child: Child, status: int, cpu_seconds: float, resident: int) -> None:
        signal_group(child.pid, signal.SIGKILL)
        order = child.order
        name = order.name
        del self._names[name]
        self._admission.release(name)
        self._leave_scratch(order)
        if child.is_unwanted:
            self.fresh_starts.pop(name, None)
            self.on_settled([name])
            return
        code = os.waitstatus_to_exitcode(status)
        code = code if code >= 0 else 128 - code
        reason = _OUT_OF_MEMORY if child.is_over_memory and code == _KILLED else None
        peak = max(child.peak, mib_of(resident))
        times = f"{child.started_at},{max(child.started_at, epoch_ms())}"
        usage = f"{cpu_seconds:.6f},{ceil(peak)}"
        self._end(name, f"{code},{times},{quoted(reason)},{_QUOTED_EXITED},{usage}")

    def _not_started(self, name: Name, reason: str | None, status_reason: str = _NOT_STARTED) -> None:
        self._admission.release(name)
        self._end(name, f"null,null,{epoch_ms()},{quoted(reason)},{quoted(status_reason)},null,null")

    def _end(self, name: Name, rest: str) -> None:
        line = f"[{quoted(name[0])},{name[1]},{rest}]"
        self._ended[name] = line
        self._unwritten.append(line)
        self.fresh_starts.pop(name, None)
        self.fresh_ends.append(line)

    def _leave_scratch(self, order: Order) -> None:
        if not self._scratch.leave(order.scratch):
            self._leftovers[order.name] = order.scratch
