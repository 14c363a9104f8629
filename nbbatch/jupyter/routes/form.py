"""The options of a job as fields of a form: what they are called, what holds without them, what there is to choose."""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.client.backend import Backend
from nbbatch.client.capacity import queue_names
from nbbatch.client.config import load_config
from nbbatch.client.origins import settings_of
from nbbatch.errors import NbbatchError
from nbbatch.jupyter.flags import FLAGS
from nbbatch.jupyter.routes.shapes_submit import OptionField, OptionKind

_KINDS: dict[str, OptionKind] = {
    "queue": "text",
    "vcpus": "number",
    "memory": "memory",
    "gpus": "integer",
    "spot": "flag",
    "image": "text",
    "timeout": "duration",
    "retries": "integer",
    "max_cost": "number",
    "name": "text",
    "preset": "text",
    "definition": "text",
    "env": "pairs",
    "tags": "pairs",
    "depends": "list",
    "priority": "integer",
    "share": "text",
    "files": "list",
    "workdir": "text",
    "fetch": "list",
    "fetch_to": "text",
    "cache": "flag",
}
"""In the order of a form."""
_COMMON = 9
"""So many of them most people look at."""
_HELP = {flag.key: flag.help for flag in FLAGS}


def option_fields(backend: Backend) -> list[OptionField]:
    """All options of a notebook's job, as they hold for a backend where the form is empty."""
    settings = {one.name: one for one in settings_of(load_config(), backend=backend.name)}
    fields = []
    for place, (name, kind) in enumerate(_KINDS.items()):
        known = settings.get(name)
        value = None if known is None else known.value
        fields.append(
            OptionField(
                name=name,
                flag=f"--{name.replace('_', '-')}",
                help=_HELP.get(name, ""),
                kind=kind,
                default="" if value is None else str(value),
                source="" if known is None or value is None else known.source,
                choices=list(_choices(backend, name)),
                is_advanced=place >= _COMMON,
            )
        )
    return fields


def _choices(backend: Backend, name: str) -> Sequence[str]:
    """Values that there are; a form without them is better than none."""
    try:
        match name:
            case "queue":
                return sorted(queue_names(backend))
            case "definition":
                return _definitions(backend)
            case "preset":
                return sorted(load_config().presets)
    except NbbatchError:
        return ()
    return ()


def _definitions(backend: Backend) -> list[str]:
    """Names of active job definitions; nbbatch's own are no one's choice."""
    with backend.errors():
        pages = backend.batch.get_paginator("describe_job_definitions").paginate(status="ACTIVE")
        names = {one["jobDefinitionName"] for page in pages for one in page["jobDefinitions"]}
    return sorted(name for name in names if not name.startswith("nbbatch"))
