"""The sizes that Fargate offers (API reference, ResourceRequirement)."""

from __future__ import annotations

from collections.abc import Mapping

from nbbatch.errors import ClientException
from nbbatch.model.resources import Resources

_GIB = 1024
SIZES: Mapping[float, tuple[int, ...]] = {
    0.25: (512, 1024, 2048),
    0.5: tuple(range(1 * _GIB, 5 * _GIB, _GIB)),
    1: tuple(range(2 * _GIB, 9 * _GIB, _GIB)),
    2: tuple(range(4 * _GIB, 17 * _GIB, _GIB)),
    4: tuple(range(8 * _GIB, 31 * _GIB, _GIB)),
    8: tuple(range(16 * _GIB, 61 * _GIB, 4 * _GIB)),
    16: tuple(range(32 * _GIB, 121 * _GIB, 8 * _GIB)),
    32: (61440, 122880, 249856),
}
"""MiB of memory that may go with each number of vCPUs."""


def check_fargate_size(resources: Resources) -> None:
    """Refuse a pair of vCPU and memory that is no Fargate size.

    Raises
    ------
    ClientException
        In AWS's words.
    """
    if resources.memory not in SIZES.get(resources.vcpus, ()):
        raise ClientException(
            f"Fargate resource requirements ({resources.vcpus:.2f} vCPU, {resources.memory} MiB) not valid."
        )
