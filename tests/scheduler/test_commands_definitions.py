import pytest
from world import IMAGE, World

from nbbatch.errors import ClientException
from nbbatch.model.jobs import DefinitionStatus, JobDefinition
from nbbatch.scheduler.commands.definitions import (
    deregister_definition,
    find_definition,
    register_definition,
    resolve_definition,
)

ARN = "arn:aws:batch:us-east-1:123456789012:job-definition/"


def register(world, name="d") -> JobDefinition:
    events, made = register_definition(world.state, JobDefinition(name=name, revision=0, container=IMAGE))
    for event in events:
        world.happen(event)
    return made


def deregister(world, reference) -> int:
    events, _ = deregister_definition(world.state, reference)
    for event in events:
        world.happen(event)
    return len(events)


def test_revisions_count_from_one_for_each_name():
    """Every registration is a new revision."""
    world = World()
    assert [register(world).revision, register(world).revision, register(world, "e").revision] == [1, 2, 1]


def test_a_revision_is_never_used_again():
    """Deregistering leaves a gap in the ACTIVE ones, not in the numbers."""
    world = World()
    register(world)
    assert deregister(world, "d:1") == 1
    assert register(world).revision == 2


def test_a_name_means_its_latest_active_revision():
    """INACTIVE ones are passed over."""
    world = World()
    for _ in range(3):
        register(world)
    deregister(world, "d:3")
    assert resolve_definition(world.state, "d").revision == 2
    assert resolve_definition(world.state, f"{ARN}d").revision == 2
    assert resolve_definition(world.state, "d:1").revision == 1
    assert resolve_definition(world.state, f"{ARN}d:1").revision == 1


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("x", "JobDefinition name x does not exist or is not in ACTIVE status"),
        ("d:9", "JobDefinition name d:9 does not exist or is not in ACTIVE status"),
        ("d:one", "JobDefinition name d:one does not exist or is not in ACTIVE status"),
        (
            "d:" + "9" * 400,
            "JobDefinition name d:" + "9" * 400 + " does not exist or is not in ACTIVE status",
        ),
        (f"{ARN}x:1", f"JobDefinition {ARN}x:1 not found."),
    ],
)
def test_an_unknown_definition_is_refused_in_aws_words(reference, text):
    """Names and ARNs have texts of their own."""
    world = World()
    register(world)
    with pytest.raises(ClientException) as caught:
        resolve_definition(world.state, reference)
    assert caught.value.message == text


def test_deregistering_makes_inactive_once():
    """It stays describable, and a second time changes nothing."""
    world = World()
    register(world)
    assert [deregister(world, f"{ARN}d:1"), deregister(world, "d:1")] == [1, 0]
    assert find_definition(world.state, "d:1").status is DefinitionStatus.INACTIVE
    with pytest.raises(ClientException, match="not in ACTIVE status"):
        resolve_definition(world.state, "d")


def test_deregistering_needs_a_revision_that_exists():
    """A bare name is refused, as is an unknown revision."""
    world = World()
    register(world)
    with pytest.raises(ClientException, match="must have a revision"):
        deregister(world, "d")
    with pytest.raises(ClientException, match="does not exist"):
        deregister(world, "d:2")
