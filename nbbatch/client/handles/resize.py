"""Right-sizing: from what a job used to the line that would have sufficed.

The rule is careful, because too little memory kills a job and too much only costs:

- **Memory**: the largest peak of any attempt or child, a quarter more, rounded up to 128 MiB below 1 GiB,
  to 512 MiB below 8 GiB, to whole GiB above; at least 256 MiB. After an end for lack of memory: twice
  what it had.
- **vCPUs**: those that were busy on average, of an array in 95 of 100 children, a quarter more, rounded up
  to the next size that there is, and never more than it had: that a program would use more is a guess. Of
  a run of less than ten seconds nothing is concluded, because starting it was most of it.
- **GPUs** stay as they are: nobody measures them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from nbbatch.client.capacity import capacity_of
from nbbatch.client.format import dollars, memory
from nbbatch.client.handles.outcome import Outcome, next_memory, outcome
from nbbatch.client.handles.usage import Use, own_usage
from nbbatch.client.money.rates import price_of
from nbbatch.client.results import Usage
from nbbatch.client.summaries import summaries
from nbbatch.errors import UserError
from nbbatch.model.jobs import TERMINAL
from nbbatch.model.resources import Resources, parse_memory

if TYPE_CHECKING:
    from nbbatch.client.handles.handle import Handle

HEAD_ROOM = 1.25
"""What is asked for, over what was used."""
LEAST_MEMORY = 256
"""MiB."""
LEAST_SECONDS = 10.0
"""Runs shorter than this tell nothing of vCPUs."""
MOST_CHILDREN = 500
"""Children whose own measure is read."""
_STEPS = ((1024, 128), (8192, 512), (math.inf, 1024))
"""MiB below which memory is rounded up to a multiple of so many."""
_BUSY = 0.9
"""Share of its vCPUs from which on a job counts as held up by them."""
_MIB = 1 << 20
_FRACTIONS = (0.25, 0.5)
"""vCPUs below one: only Fargate has them."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Advice:
    """What the next run of a job should ask for; as text it is a few words for people.

    Parameters
    ----------
    vcpus, memory, gpus : float, int, int
        To ask for; memory in MiB.
    had : Resources
        What it asked for.
    peak_memory : int or None
        MiB at most; None where nobody measured it.
    busy_vcpus : float or None
        On average, of an array in 95 of 100 children; None where nobody measured it.
    saving : float or None
        Dollars on demand, at today's prices, that a run as long as this one would cost less; below 0
        it would cost more, None where no price is known.
    because : str
        What the advice rests on.
    """

    vcpus: float
    memory: int
    gpus: int
    had: Resources
    peak_memory: int | None
    busy_vcpus: float | None
    saving: float | None
    because: str

    @property
    def is_change(self) -> bool:
        """Whether it advises anything else than what the job had."""
        return (self.vcpus, self.memory) != (self.had.vcpus, self.had.memory)

    @property
    def options(self) -> dict[str, Any]:
        """As keywords: `nbbatch.submit(train, **job.resize_advice().options)`."""
        gpus = {"gpus": self.gpus} if self.gpus else {}
        return {"vcpus": self.vcpus, "memory": f"{self.memory}M", **gpus}

    @property
    def line(self) -> str:
        """As options of `%%batch`."""
        words = [f"--vcpus {self.vcpus:g}", f"--memory {_amount(self.memory)}"]
        return " ".join([*words, f"--gpus {self.gpus}"] if self.gpus else words)

    def __str__(self) -> str:
        if not self.is_change:
            return f"{self.line} is right: {self.because}"
        saved = ""
        if self.saving is not None and self.saving:
            word = "saves" if self.saving > 0 else "costs"
            saved = f" · {word} {dollars(abs(self.saving))} {'' if self.saving > 0 else 'more '}a run"
        return f"{self.line} instead of {_line(self.had)}{saved} · {self.because}"

    def __repr__(self) -> str:
        return f"<Advice {self}>"


def resize_advice(handle: Handle) -> Advice:
    """What the next run of a job, or of an array, should ask for; see the top of the module.

    Raises
    ------
    UserError
        It has not ended, or nobody measured what it used.
    """
    detail = handle.detail()
    if detail["status"] not in TERMINAL:
        raise UserError(f"{handle!r} has not ended.", cure="Wait for it: then it is known what it used.")
    use = handle.usage()
    children = own_usage(handle.backend.store, detail, most=MOST_CHILDREN)
    had = Resources(vcpus=use.vcpus, memory=use.memory, gpus=use.gpus)
    advised, because = advise(use, children, lacked_memory=_lacked_memory(handle))
    capacity = capacity_of(handle.backend, detail["jobQueue"])
    before, after = price_of(capacity, had), price_of(capacity, advised)
    return Advice(
        vcpus=advised.vcpus,
        memory=advised.memory,
        gpus=advised.gpus,
        had=had,
        peak_memory=_peak(use, children),
        busy_vcpus=_busy(use, children),
        saving=(before[0] - after[0]) * use.seconds / 3600 if before and after else None,
        because=because,
    )


def advise(use: Use, children: Sequence[Usage], *, lacked_memory: bool) -> tuple[Resources, str]:
    """Resources for the next run, and why: the rule itself.

    Parameters
    ----------
    use : Use
        What the job asked for and used, by its backend's account.
    children : sequence of Usage
        What it, or each child of an array, measured of itself.
    lacked_memory : bool
        It, or a child, was killed for using more than it had.

    Raises
    ------
    UserError
        Nobody measured anything.
    """
    peak, busy = _peak(use, children), _busy(use, children)
    if peak is None and busy is None and not lacked_memory:
        raise UserError(
            "Nobody measured what this job used.", cure="Jobs that ran to their end, or on this machine, are."
        )
    advised = Resources(
        vcpus=_enough_vcpus(use, children, busy),
        memory=parse_memory(next_memory(use.memory)) if lacked_memory else _enough_memory(use, peak),
        gpus=use.gpus,
    )
    return advised, _because(use, peak, busy, lacked_memory=lacked_memory)


def _enough_memory(use: Use, peak: int | None) -> int:
    if peak is None:
        return use.memory
    wanted = max(LEAST_MEMORY, peak * HEAD_ROOM)
    step = next(step for limit, step in _STEPS if wanted <= limit)
    return math.ceil(wanted / step) * step


def _enough_vcpus(use: Use, children: Sequence[Usage], busy: float | None) -> float:
    if busy is None or _longest(use, children) < LEAST_SECONDS:
        return use.vcpus
    wanted = busy * HEAD_ROOM
    sizes = [size for size in _FRACTIONS if use.vcpus < 1 and size >= wanted]
    return min(use.vcpus, sizes[0] if sizes else float(math.ceil(wanted)))


def _peak(use: Use, children: Sequence[Usage]) -> int | None:
    peaks = [-(-one.peak_memory // _MIB) for one in children]
    return max([*peaks, *([] if use.peak_memory is None else [use.peak_memory])], default=None)


def _busy(use: Use, children: Sequence[Usage]) -> float | None:
    """Average of a single job; of many children what 95 of 100 of them stay below."""
    shares = sorted(one.cpu_seconds / one.seconds for one in children if one.seconds > 0)
    if len(shares) > 1:
        return shares[min(len(shares) - 1, math.ceil(0.95 * len(shares)) - 1)]
    return use.busy_vcpus if use.busy_vcpus is not None else next(iter(shares), None)


def _longest(use: Use, children: Sequence[Usage]) -> float:
    return max((one.seconds for one in children), default=use.seconds)


def _because(use: Use, peak: int | None, busy: float | None, *, lacked_memory: bool) -> str:
    parts = []
    if lacked_memory:
        parts.append(f"it was killed for using more than {memory(use.memory)}")
    elif peak is not None:
        parts.append(f"it used {memory(peak)} of {memory(use.memory)}")
    if busy is not None and use.vcpus:
        held = " and may be faster with more" if busy >= _BUSY * use.vcpus else ""
        parts.append(f"{busy:.1f} of {use.vcpus:g} vCPU{held}")
    return ", ".join(parts)


def _lacked_memory(handle: Handle) -> bool:
    """Whether it, or a child of an array, was killed for its memory."""
    detail = handle.detail()
    if outcome(detail) is not Outcome.CHILDREN_FAILED:
        return outcome(detail) is Outcome.OUT_OF_MEMORY
    failed = summaries(handle.backend, arrayJobId=handle.id, jobStatus="FAILED")
    return any(outcome(one) is Outcome.OUT_OF_MEMORY for one in islice(failed, MOST_CHILDREN))


def _line(had: Resources) -> str:
    return f"--vcpus {had.vcpus:g} --memory {_amount(had.memory)}"


def _amount(mib: int) -> str:
    """`640M`, `4G`."""
    return f"{mib // 1024}G" if mib % 1024 == 0 else f"{mib}M"
