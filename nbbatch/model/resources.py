"""The vector every placement adds and subtracts: (vCPU, memory, GPU).

Units are AWS Batch's: vCPUs (fractions only on Fargate), MiB of memory, whole GPUs. Amounts that a
person types (`4G`, `0.5`) are parsed here and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbbatch.errors import OptionError

_MEMORY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)
_MIB_PER_UNIT = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)?\s*", re.IGNORECASE)
_SECONDS_PER_UNIT = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """An amount of compute.

    Parameters
    ----------
    vcpus : float
        Number of vCPUs; multiples of 0.25 are exact.
    memory : int
        Memory in MiB.
    gpus : int
        Number of GPUs.
    """

    vcpus: float = 0.0
    memory: int = 0
    gpus: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            vcpus=self.vcpus + other.vcpus, memory=self.memory + other.memory, gpus=self.gpus + other.gpus
        )

    def __sub__(self, other: Resources) -> Resources:
        return Resources(
            vcpus=self.vcpus - other.vcpus, memory=self.memory - other.memory, gpus=self.gpus - other.gpus
        )

    def fits(self, room: Resources) -> bool:
        """Whether this amount can be taken out of `room`."""
        return self.vcpus <= room.vcpus and self.memory <= room.memory and self.gpus <= room.gpus

    def __str__(self) -> str:
        gpus = f", {self.gpus} GPU" if self.gpus else ""
        return f"{self.vcpus:g} vCPU, {self.memory} MiB{gpus}"


NOTHING = Resources()


def parse_memory(text: str | float) -> int:
    """Read an amount of memory as MiB.

    Parameters
    ----------
    text : str or float
        `4G`, `4GiB`, `512M`, `1.5g`; a bare number is MiB, as in AWS Batch.

    Raises
    ------
    OptionError
        When the text is not an amount, or less than 4 MiB (AWS's minimum).
    """
    match = _MEMORY.fullmatch(str(text))
    if match is None:
        raise OptionError(f"Memory {text!r} is not an amount.", cure="Write it like 512M, 4G or 4096 (MiB).")
    mib = round(float(match[1]) * _MIB_PER_UNIT[match[2].upper()])
    if mib < 4:  # noqa: PLR2004 - AWS Batch: "Memory must be at least 4 MiB"
        raise OptionError(
            f"Memory {text!r} is {mib} MiB; AWS Batch needs at least 4 MiB.", cure="Ask for more."
        )
    return mib


def parse_vcpus(text: str | float) -> float:
    """Read a number of vCPUs: a whole number, or 0.25 or 0.5 (Fargate sizes).

    Raises
    ------
    OptionError
        When the text is not such a number.
    """
    try:
        vcpus = float(text)
    except (TypeError, ValueError):
        vcpus = 0.0
    if vcpus in (0.25, 0.5) or (vcpus >= 1 and vcpus.is_integer()):
        return vcpus
    raise OptionError(
        f"vCPU {text!r} is not a size of AWS Batch.", cure="Use 0.25, 0.5 or a whole number from 1."
    )


def parse_duration(text: str | float) -> int:
    """Read a duration as whole seconds: `90`, `90s`, `10m`, `2h`, `1d`.

    Raises
    ------
    OptionError
        When the text is not a duration.
    """
    match = _DURATION.fullmatch(str(text))
    if match is None:
        raise OptionError(f"Duration {text!r} cannot be read.", cure="Write it like 90s, 10m, 2h or 1d.")
    return round(float(match[1]) * _SECONDS_PER_UNIT[(match[2] or "").lower()])
