"""RegisterJobDefinition, DeregisterJobDefinition, and which revision a reference means."""

from __future__ import annotations

from dataclasses import replace

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of
from nbbatch.model.events import DefinitionDeregistered, DefinitionRegistered, Event
from nbbatch.model.jobs import DefinitionStatus, JobDefinition
from nbbatch.scheduler.state import SchedulerState


def register_definition(
    state: SchedulerState, definition: JobDefinition
) -> tuple[list[Event], JobDefinition]:
    """Give a definition the next revision of its name; a number is never used again."""
    known = state.definitions.get(definition.name, [])
    registered = replace(definition, revision=known[-1].revision + 1 if known else 1)
    return [DefinitionRegistered(definition=registered)], registered


def deregister_definition(state: SchedulerState, reference: str) -> tuple[list[Event], None]:
    """Make a revision INACTIVE; one that is INACTIVE already stays so.

    Raises
    ------
    ClientException
        When the reference has no revision, or there is no such definition.
    """
    key = name_of(reference, "job-definition")
    if ":" not in key:
        raise ClientException(f"JobDefinition {reference} must have a revision: name:revision or an ARN.")
    definition = _exact(state, key)
    if definition is None:
        raise _missing(reference)
    if definition.status is DefinitionStatus.INACTIVE:
        return [], None
    return [DefinitionDeregistered(name=definition.name, revision=definition.revision)], None


def resolve_definition(state: SchedulerState, reference: str) -> JobDefinition:
    """The ACTIVE definition that `name`, `name:revision` or an ARN of either means.

    Raises
    ------
    ClientException
        When there is none, in AWS's words.
    """
    key = name_of(reference, "job-definition")
    if ":" in key:
        found = _exact(state, key)
    else:
        found = next((known for known in reversed(state.definitions.get(key, [])) if _is_active(known)), None)
    if found is None or not _is_active(found):
        raise _missing(reference)
    return found


def find_definition(state: SchedulerState, reference: str) -> JobDefinition | None:
    """The revision that `name:revision` or its ARN means, in any status."""
    return _exact(state, name_of(reference, "job-definition"))


def _exact(state: SchedulerState, key: str) -> JobDefinition | None:
    name, _, revision = key.partition(":")
    known = state.definitions.get(name, [])
    if not (revision.isascii() and revision.isdigit() and len(revision) < 10):  # noqa: PLR2004
        return None
    place = int(revision) - 1
    # revisions are counted from 1 without gaps, unless very old ones were deleted
    if 0 <= place < len(known) and known[place].revision == place + 1:
        return known[place]
    return next((one for one in known if one.revision == int(revision)), None)


def _is_active(definition: JobDefinition) -> bool:
    return definition.status is DefinitionStatus.ACTIVE


def _missing(reference: str) -> ClientException:
    if reference.startswith("arn:"):
        return ClientException(f"JobDefinition {reference} not found.")
    return ClientException(f"JobDefinition name {reference} does not exist or is not in ACTIVE status")
