"""Find or register the job definition that a job needs, once per process.

A definition's name is derived from its content (see `nbbatch.client.spec`), so whatever is ACTIVE
under the name is right, whoever registered it; two processes that register at the same time leave
two equal revisions, which does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbbatch.client.backend import Backend

_known: dict[tuple[str, str, str], str] = {}


def definition_for(backend: Backend, request: Mapping[str, Any]) -> str:
    """`name:revision` of an ACTIVE definition with this content.

    Parameters
    ----------
    backend : Backend
        Where it shall be.
    request : mapping
        RegisterJobDefinition's parameters.
    """
    key = _key(backend, request)
    if key not in _known:
        _known[key] = _find(backend, request["jobDefinitionName"]) or _register(backend, request)
    return _known[key]


def forget_definition(backend: Backend, request: Mapping[str, Any]) -> None:
    """Look again next time: somebody has deregistered it, or the backend's memory was removed."""
    _known.pop(_key(backend, request), None)


def _key(backend: Backend, request: Mapping[str, Any]) -> tuple[str, str, str]:
    return backend.name, backend.identity, request["jobDefinitionName"]


def _find(backend: Backend, name: str) -> str | None:
    with backend.errors():
        reply = backend.batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")
    revisions = [definition["revision"] for definition in reply["jobDefinitions"]]
    return f"{name}:{max(revisions)}" if revisions else None


def _register(backend: Backend, request: Mapping[str, Any]) -> str:
    with backend.errors():
        reply = backend.batch.register_job_definition(**request)
    return f"{reply['jobDefinitionName']}:{reply['revision']}"
