"""`nbbatch.progress`, `log_metric`, `checkpoint`, `restore` and `interrupted`, as jobs use them.

In a job `import nbbatch` finds these functions whether or not its image has nbbatch. What is told often
is thinned here, by time, so that a loop may call on every turn. Outside a job the same calls work:
`progress` draws a bar, the others do nothing.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time

from . import checkpoints, notes

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from typing import Any

NAMES = ("progress", "log_metric", "checkpoint", "restore", "interrupted")
"""What a job finds in `nbbatch`."""
BURST, A_SECOND = 20, 4
"""Notes of one kind and name that are told at once, and how many more a second."""
BURST_OF_ALL, A_SECOND_OF_ALL = 200, 20
"""The same for all names together."""
_LONGEST_TEXT, _LONGEST_NAME = 200, 100
_BAR = 30

_gates: dict[Any, list[float]] = {}
_held: dict[tuple[str, str], dict[str, Any]] = {}
_metrics: dict[str, Any] = {}
_signals: list[int] = []


def progress(i: float, n: float | None = None, text: str = "") -> None:
    """Say how far the job is.

    Shown in the status line of the cell that waits, by `job.progress()` and `%batch job`. May be called
    as often as you like: a few calls a second are told, and the last one.

    Parameters
    ----------
    i : int or float
        How much is done.
    n : int or float, optional
        Of how much; without it only `i` is shown.
    text : str
        What the job is doing, in a few words.
    """
    body = {"i": _number("progress", i), "n": n if n is None else _number("progress", n)}
    if _is_job():
        _tell("progress", "", {**body, "text": str(text)[:_LONGEST_TEXT]})
    else:
        _draw(body["i"], body["n"], str(text))


def log_metric(name: str, value: float, step: float | None = None) -> None:
    """Record a number of the running job, such as a loss.

    Shown in the status line of the cell that waits, in `job.metrics()` and, the last value of each item,
    as a column of `arr.frame()`. Outside a job nothing happens.

    Parameters
    ----------
    name : str
        What it is.
    value : number
        Anything that has a single number in it: a NumPy scalar, a tensor of one element.
    step : number, optional
        When it was, in the job's own count.

    Raises
    ------
    TypeError
        The value is not a number.
    """
    key = str(name)[:_LONGEST_NAME]
    number = _number("log_metric", value)
    if _is_job():
        _metrics[key] = number
        _tell(
            "metric",
            key,
            {"name": key, "value": number, "step": None if step is None else _number("log_metric", step)},
        )


def checkpoint(state: Any) -> None:
    """Keep what is needed to go on from here, in the place of what was kept before.

    It survives whatever ends this attempt: a Spot interruption, a lost host, an error followed by a
    retry, `kill -9`. Each item of an array has its own. It is gone once the item has ended well. Outside
    a job nothing happens.

    Parameters
    ----------
    state : object
        Anything that can be pickled; cloudpickle helps where pickle cannot.

    Raises
    ------
    RuntimeError
        In a process that the job started and did not fork: it knows nothing of the job.
    """
    if _is_job():
        path = _checkpoint_path()
        size = checkpoints.save(path, state, notes.place["rules"])
        notes.place["report"].share(path)
        _tell("checkpoint", "", {"size": size})


def restore(default: Any = None) -> Any:
    """What the last `checkpoint` of this job or item kept; `default` where there was none."""
    if not _is_job():
        return default
    path = _checkpoint_path()
    is_there = notes.place["report"].recall(path)
    return checkpoints.load(path, notes.place["rules"]) if is_there else default


def interrupted() -> bool:
    """Whether the job has been asked to stop: Spot takes its host back, or somebody terminates it.

    A job that never asks is interrupted by an exception in whatever it does. One that has asked once is
    not, and has the time until SIGKILL, 30 seconds unless the job says else, to keep a checkpoint and
    leave, best by `sys.exit(143)`. Call it from the main thread.
    """
    if _is_job() and not _signals:
        _signals.append(0)
        signal.signal(signal.SIGTERM, lambda *_: _signals.append(signal.SIGTERM))
    return len(_signals) > 1


def end_item(*, is_done: bool) -> dict[str, Any]:
    """An item has ended: forget it, and give what its entry in the result shall say of it."""
    if is_done and os.path.exists(path := _checkpoint_path()):
        report = notes.place["report"]
        notes.place.setdefault("outdated", []).append(lambda: report.forget(path))
    metrics = _last_metrics()
    _metrics.clear()
    return {"metrics": metrics} if metrics else {}


def leave() -> str:
    """What another process has to tell for this one, which will be killed: JSON of metrics and held notes."""
    import json

    from . import unflushed

    unflushed.write_out()
    held = [[kind, body] for (kind, _), body in _held.items()]
    _held.clear()
    return json.dumps({"metrics": _last_metrics(), "held": held})


def _last_metrics() -> dict[str, Any]:
    return {name: value if value - value == 0 else repr(value) for name, value in _metrics.items()}


def lend_to(module: Any) -> None:
    """Put these functions into a module: the job's `nbbatch`."""
    for name in NAMES:
        setattr(module, name, globals()[name])


def _is_job() -> bool:
    return "AWS_BATCH_JOB_ID" in os.environ


def _checkpoint_path() -> str:
    place = notes.place
    if "report" not in place:
        raise RuntimeError("Checkpoints are kept by the job's own process and those that it forks.")
    item = "" if place["item"] is None else f".{place['item']}"
    return f"{place['report'].index_path}{item}.checkpoint"


def _number(word: str, value: Any) -> Any:
    """A number that JSON knows, of whatever library."""
    if not isinstance(value, (int, float)) and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, (int, float)):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"nbbatch.{word} takes a number, not {value!r:.60}") from None


def _tell(kind: str, name: str, body: dict[str, Any]) -> None:
    """Tell now, or hold it back where much has been told: then it is told later unless another one comes."""
    key, now = (kind, name), time.monotonic()
    if _passes(key, now, BURST, A_SECOND) and _passes(None, now, BURST_OF_ALL, A_SECOND_OF_ALL):
        _held.pop(key, None)
        notes.note(kind, **body)
        return
    if not _held:
        _tell_at_the_end()
    _held[key] = {**body, "time": time.time_ns() // 1_000_000, "item": notes.place.get("item")}


def _passes(key: Any, now: float, burst: int, a_second: int) -> bool:
    """Whether there is a token left in a bucket that fills with time."""
    gate = _gates.setdefault(key, [float(burst), now])
    gate[0] = min(burst, gate[0] + (now - gate[1]) * a_second)
    gate[1] = now
    if gate[0] < 1:
        return False
    gate[0] -= 1
    return True


def _tell_held() -> None:
    for (kind, _), body in _held.items():
        notes.note(kind, **body)
    _held.clear()


def _tell_at_the_end() -> None:
    """At the end of this process, also where multiprocessing has forked it."""
    atexit.unregister(_tell_held)
    atexit.register(_tell_held)
    if "multiprocessing.util" in sys.modules:
        from multiprocessing import util

        util.Finalize(None, _tell_held, exitpriority=0)


os.register_at_fork(after_in_child=_held.clear)
for _name in NAMES:
    globals()[_name].__module__ = "nbbatch"  # where a pickle finds it, here and in the job


def _draw(i: Any, n: Any, text: str) -> None:
    """A bar in the notebook or terminal, redrawn in its line."""
    is_last = n is not None and i >= n
    if not _passes("bar", time.monotonic(), 1, A_SECOND) and not is_last:
        return
    share = 0.0 if not n else min(1.0, max(0.0, i / n))
    bar = "" if n is None else f"{share:4.0%} {'█' * int(_BAR * share):<{_BAR}} "
    of = "" if n is None else f"/{n}"
    sys.stderr.write(f"\r{bar}{i}{of} {text}".rstrip() + ("\n" if is_last else ""))
    sys.stderr.flush()
