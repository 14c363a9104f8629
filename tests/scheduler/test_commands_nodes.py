"""SubmitJob of multi-node jobs: what goes with what, and which node runs what."""

from dataclasses import replace

import pytest
from test_commands_submit_job import DEFINITION, DRAFT, job_of, refused, world_with
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.containers import Container, Task
from nbbatch.model.jobs import Dependency, NodeProperties, NodeRange
from nbbatch.model.requests import NodeOverrides, NodeRangeOverride, Overrides
from nbbatch.model.resources import Resources
from nbbatch.scheduler.commands.stop_jobs import cancel_job, terminate_job

FIRST = NodeRange(target="0:0", first=0, last=0, container=DEFINITION.container)
REST = NodeRange(target="1:", first=1, last=None, container=DEFINITION.container)
NODES = NodeProperties(count=4, main=0, ranges=(FIRST, REST))
MULTI = replace(DEFINITION, type="multinode", nodes=NODES)


def override(target, first, last, instance_type=None, **what):
    return NodeRangeOverride(
        target=target, first=first, last=last, overrides=Overrides(**what), instance_type=instance_type
    )


def test_parameters_are_put_into_every_range():
    """And the job's container is its main node's."""
    job = job_of(world_with(MULTI), parameters={"word": "hi"})
    assert [known.container.command for known in job.nodes.ranges] == [("echo", "hi")] * 2
    assert job.container is job.nodes.range_of(0).container


def test_overrides_reach_the_range_they_name():
    """Command, environment and instance type of that range; others stay."""
    given = NodeOverrides(
        ranges=(override("1:", 1, None, "m6i.large", command=("x",), environment=(("B", "9"),)),)
    )
    job = job_of(world_with(MULTI), node_overrides=given)
    first, rest = job.nodes.ranges
    assert (first.container.command, first.instance_type) == (("echo", "hello"), None)
    assert (rest.container.command, rest.instance_type) == (("x",), "m6i.large")
    assert rest.container.environment == (("A", "1"), ("B", "9"))
    assert job.as_seen_by(3).container is rest.container


SIDE = Container(image="proxy", name="side", command=("Ref::word",), essential=False)
PAIRS = replace(NODES, ranges=(FIRST, replace(REST, task=Task(others=(SIDE,)))))
OF_PAIRS = replace(DEFINITION, type="multinode", nodes=PAIRS)


def test_parameters_and_overrides_reach_the_containers_of_a_ranges_task():
    """By their names; a node then runs them all, and takes room for all."""
    own = NodeRangeOverride(
        target="1:", first=1, last=None, task_overrides=(("side", Overrides(memory=64, vcpus=1.0)),)
    )
    job = job_of(world_with(OF_PAIRS), parameters={"word": "hi"}, node_overrides=NodeOverrides(ranges=(own,)))
    first, rest = job.nodes.ranges
    assert first.task is None
    assert [known.command for known in rest.containers] == [("echo", "hi"), ("hi",)]
    assert rest.resources == rest.container.resources + Resources(vcpus=1, memory=64)
    assert job.task is None, "the main node has one container"
    assert job.as_seen_by(2).containers == rest.containers
    assert job.as_seen_by(0).task is None
    assert job.most_containers == 2
    assert job.gang_resources.memory == first.resources.memory + 3 * rest.resources.memory


@pytest.mark.parametrize(
    ("nodes", "own", "text"),
    [
        (
            PAIRS,
            {"task_overrides": (("app", Overrides(command=("x",))),)},
            "node range 1: has no container app",
        ),
        (PAIRS, {"overrides": Overrides(command=("x",))}, "node range 1: has ecsProperties"),
        (
            NODES,
            {"task_overrides": (("side", Overrides(command=("x",))),)},
            "node range 1: has no ecsProperties",
        ),
    ],
)
def test_overrides_of_another_kind_than_their_range_are_refused(nodes, own, text):
    """They would be lost without a word."""
    definition = replace(DEFINITION, type="multinode", nodes=nodes)
    given = NodeOverrides(ranges=(NodeRangeOverride(target="1:", first=1, last=None, **own),))
    assert text in refused(world_with(definition), node_overrides=given)


def test_task_overrides_of_the_whole_job_are_refused():
    """Which node would they mean?"""
    text = refused(world_with(MULTI), task_overrides=(("side", Overrides(command=("x",))),))
    assert "ecsPropertiesOverride cannot be given for multi-node parallel jobs" in text


def test_the_number_of_nodes_may_change_where_a_range_is_open():
    """The open range then ends elsewhere."""
    job = job_of(world_with(MULTI), node_overrides=NodeOverrides(count=7))
    assert job.nodes.count == 7
    assert job.nodes.range_of(6).target == "1:"


@pytest.mark.parametrize(
    ("nodes", "given", "text"),
    [
        (NODES, NodeOverrides(count=0), "Number of nodes must be between 1 and 1000."),
        (NODES, NodeOverrides(count=1001), "Number of nodes must be between 1 and 1000."),
        (NODES, NodeOverrides(count=1), "1 must be more than 1, the lower bound"),
        (
            replace(NODES, main=3),
            NodeOverrides(count=3),
            "Main node index is out of range, must be less than numNodes.",
        ),
        (replace(NODES, ranges=(replace(FIRST, last=3),)), NodeOverrides(count=3), "has no upper bound"),
        (
            NODES,
            NodeOverrides(ranges=(override("0:1", 0, 1), override("2", 2, 2))),
            "NodeOverride targets should match job definition. Non matching targets - 0:1, 2",
        ),
    ],
)
def test_overrides_that_do_not_go_with_the_definition_are_refused(nodes, given, text):
    """The three conditions on numNodes, and targets that are ranges of the definition."""
    assert text in refused(world_with(replace(MULTI, nodes=nodes)), node_overrides=given)


def test_what_is_for_other_jobs_is_refused():
    """Node overrides need nodes; nodes need no container overrides and make no arrays."""
    assert "multi-node" in refused(world_with(), node_overrides=NodeOverrides(count=2))
    assert "nodeOverrides" in refused(world_with(MULTI), overrides=Overrides(command=("x",)))
    assert "arrayProperties" in refused(world_with(MULTI), array_size=2)


@pytest.mark.parametrize("change", [{"resource_type": "SPOT"}, {"type": "UNMANAGED"}])
def test_a_queue_without_on_demand_ec2_takes_no_nodes(change):
    """Spot and UNMANAGED environments cannot hold them; one that can, in any place, is enough."""
    world = world_with(MULTI)
    world.add_environment("other", max_vcpus=4, **change)
    world.add_queue("other", "other")
    world.add_queue("both", "other", "ce")
    assert "MANAGED compute environments of type EC2" in refused(world, queue="other")
    assert job_of(world, queue="both").nodes is not None


def test_nobody_depends_on_a_single_node():
    """A node is not a job that can be waited for."""
    world = world_with(MULTI)
    depends = (Dependency(job_id=f"{DRAFT.name}#0"),)
    assert "depend on the whole job" in refused(world, depends_on=depends)


@pytest.mark.parametrize("command", [cancel_job, terminate_job])
def test_a_node_is_not_stopped_alone(command):
    """The main node alone decides, so a single node is not taken away; what is gone already is no error."""
    world = World()
    job = world.submit(nodes=NODES)
    with pytest.raises(ClientException, match=f"{job}#1 is a node"):
        command(world.state, f"{job}#1", "why")
    assert command(world.state, f"{job}#9", "why") == ([], None)
    assert command(world.state, f"{job}:1", "why") == ([], None)
