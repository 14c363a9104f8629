"""Operations of AWS Batch that an older botocore's model lacks, in the model's own form.

botocore 1.44 has them; with an older one they are added, so that a client whose botocore is newer
than the daemon's finds them. Sources: API reference, CancelJobs, TerminateJobs, TerminateServiceJobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BULK = ("CancelJobs", "TerminateJobs", "TerminateServiceJobs")


def _reference(shape: str) -> dict[str, str]:
    return {"shape": shape}


def _operation(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "http": {"method": "POST", "requestUri": f"/v1/{name.lower()}"},
        "input": _reference(f"{name}Request"),
        "output": _reference(f"{name}Response"),
    }


def _structure(**members: str) -> dict[str, Any]:
    """A structure whose members are all required."""
    return {
        "type": "structure",
        "required": list(members),
        "members": {name: _reference(shape) for name, shape in members.items()},
    }


def _shapes(name: str) -> dict[str, Any]:
    errors, error = f"{name}ErrorDetailList", f"{name}ErrorDetail"
    return {
        f"{name}Request": _structure(jobs="StringList", reason="String"),
        f"{name}Response": _structure(successful="StringList", errors=errors),
        errors: {"type": "list", "member": _reference(error)},
        error: _structure(job="String", code="String", message="String"),
    }


OPERATIONS: Mapping[str, Mapping[str, Any]] = {name: _operation(name) for name in _BULK}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "String": {"type": "string"},
    "StringList": {"type": "list", "member": _reference("String")},
    **{shape: made for name in _BULK for shape, made in _shapes(name).items()},
}
