"""`resourceRequirements` and their deprecated twins: AWS's texts to vCPUs, MiB and GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.resources import Resources

MIN_MEMORY = 4
"""MiB; EC2's minimum, which is Docker's."""

_LEGACY = {"VCPU": "vcpus", "MEMORY": "memory"}


def decode_resources(properties: Mapping[str, Any], platform: str) -> Resources:
    """What a container of a definition asks for; vCPU and memory are required.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    amounts = decode_amounts(properties.get("resourceRequirements", ()))
    for kind, legacy in _LEGACY.items():
        if legacy in properties:
            _check_legacy(legacy, kind, amounts, platform)
            amounts[kind] = str(properties[legacy])
    if "VCPU" not in amounts:
        raise ClientException("vCPU is required.")
    if "MEMORY" not in amounts:
        raise ClientException("Memory is required.")
    vcpus = decode_vcpus(amounts["VCPU"])
    if platform != "FARGATE" and not vcpus.is_integer():
        raise ClientException(f"vCPU must be a whole number on {platform}, got {amounts['VCPU']}.")
    return Resources(
        vcpus=vcpus,
        memory=decode_memory(amounts["MEMORY"]),
        gpus=decode_gpus(amounts["GPU"]) if "GPU" in amounts else 0,
    )


def decode_amounts(entries: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The values of `resourceRequirements` by type, as they were written."""
    amounts = {entry["type"]: entry["value"] for entry in entries}
    if len(amounts) != len(entries):
        raise ClientException("Cannot provide duplicates in resourceRequirements.")
    return amounts


def decode_vcpus(text: str) -> float:
    """Whole vCPUs, or a quarter or half of one, which only Fargate gives."""
    try:
        vcpus = float(text)
    except ValueError:
        raise ClientException(f"resourceRequirements: VCPU {text!r} is not a number.") from None
    if vcpus in (0.25, 0.5):
        return vcpus
    if not vcpus >= 1:
        raise ClientException(f"vCPU must be at least 1, got {text}.")
    if not vcpus.is_integer():
        raise ClientException(f"vCPU must be a whole number, got {text}.")
    return vcpus


def decode_memory(text: str) -> int:
    """MiB."""
    memory = _whole("MEMORY", text)
    if memory < MIN_MEMORY:
        raise ClientException(f"Memory must be at least {MIN_MEMORY} Mib, got {memory} Mib.")
    return memory


def decode_gpus(text: str) -> int:
    """Whole GPUs, at least one."""
    gpus = _whole("GPU", text)
    if gpus < 1:
        raise ClientException(f"GPU must be at least 1, got {gpus}.")
    return gpus


def _check_legacy(legacy: str, kind: str, amounts: Mapping[str, str], platform: str) -> None:
    if platform == "FARGATE":
        raise ClientException(f"{legacy} is not applicable for Fargate. Use resource requirements instead.")
    if kind in amounts:
        raise ClientException(
            f"Cannot use both ECS containerProperties {legacy} and resourceRequirement {kind}."
        )


def _whole(kind: str, text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 12):  # noqa: PLR2004
        raise ClientException(f"resourceRequirements: {kind} {text[:40]!r} is not a whole number.")
    return int(text)
