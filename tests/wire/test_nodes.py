"""Multi-node parallel jobs on the wire: nodeProperties and nodeOverrides in, node members out."""

import json
from dataclasses import replace

import botocore.session
import msgspec
import pytest

from nbbatch.errors import ClientException
from nbbatch.model.arns import Arns
from nbbatch.model.jobs import Attempt, Job, JobStatus, JobView, Run
from nbbatch.wire.decode import decode_definition, decode_job
from nbbatch.wire.decode_nodes import decode_nodes, parse_targets
from nbbatch.wire.encode import encode_job, encode_summary
from nbbatch.wire.encode_world import encode_definition
from nbbatch.wire.validate import validate

ARNS = Arns("us-east-1", "123456789012")
CONTAINER = {
    "image": "busybox",
    "command": ["true"],
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
}
MAIN = {"targetNodes": "0", "container": CONTAINER}
REST = {"targetNodes": "1:", "container": {**CONTAINER, "command": ["sleep", "1"]}}
NODES = {"numNodes": 3, "mainNode": 0, "nodeRangeProperties": [MAIN, REST]}
DEFINITION = {"jobDefinitionName": "d", "type": "multinode", "nodeProperties": NODES}
JOB = {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}


def refused(decode, request) -> str:
    with pytest.raises(ClientException) as caught:
        decode(request)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "range_"),
    [
        ("0:3", (0, 3)),
        (":4", (0, 4)),
        ("2:", (2, None)),
        (":", (0, None)),
        ("5", (5, 5)),
        ("007:9", (7, 9)),
    ],
)
def test_target_nodes_are_read_as_the_api_reference_says(text, range_):
    """Either end may be left out; a number alone is that node."""
    assert parse_targets(text) == range_


@pytest.mark.parametrize("text", ["", "a", "1-2", "-1", "0:1:2", " 1", "1:x", "٣", "9" * 40])
def test_target_nodes_that_are_no_range_have_awss_text(text):
    """Only digits and one colon."""
    assert refused(parse_targets, text) == "targetNodes should contain only digits."


def test_a_range_may_not_end_before_it_begins():
    """It names the range."""
    assert "3:1" in refused(parse_targets, "3:1")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"numNodes": 0}, "Number of nodes must be between 1 and 1000."),
        ({"numNodes": 1001}, "Number of nodes must be between 1 and 1000."),
        ({"mainNode": 3}, "Main node index is out of range, must be less than numNodes."),
        ({"mainNode": -1}, "Main node index is out of range, must be less than numNodes."),
        ({"nodeRangeProperties": [MAIN] * 6}, "Maximum allowed size of node range properties is 5"),
        (
            {"nodeRangeProperties": [MAIN, {"targetNodes": "1:2"}]},
            "Must specify container for node range 1:2",
        ),
        ({"nodeRangeProperties": [MAIN]}, "must cover all 3 nodes; 1 is in none"),
        ({"nodeRangeProperties": []}, "must cover all 3 nodes; 0 is in none"),
        ({"nodeRangeProperties": [{**MAIN, "targetNodes": "0:5"}]}, "0:5 goes beyond node 2, the last of 3"),
        (
            {"nodeRangeProperties": [{**MAIN, "targetNodes": ":", "instanceTypes": ["a", "b"]}]},
            "instanceTypes: has 2 entries",
        ),
        (
            {"nodeRangeProperties": [{"targetNodes": ":", "container": {"image": ""}}]},
            "ECS Container Image must be provided.",
        ),
    ],
)
def test_node_properties_are_refused_in_awss_words(change, text):
    """Each rule of section 18, with section 27's texts where they are known."""
    assert text in refused(decode_definition, {**DEFINITION, "nodeProperties": {**NODES, **change}})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"platformCapabilities": ["FARGATE"]}, "Fargate does not support MNP jobs"),
        ({"containerProperties": CONTAINER}, "Cannot use both nodeProperties and containerProperties"),
        ({"eksProperties": {}}, "Cannot use both nodeProperties and eksProperties"),
        ({"type": "container"}, "nodeProperties can only be given for a job definition of type multinode."),
    ],
)
def test_a_definition_is_either_single_or_multinode(change, text):
    """And never on Fargate."""
    assert refused(decode_definition, {**DEFINITION, **change}) == text


def test_the_definitions_container_is_its_main_nodes():
    """Ranges keep their own, in the order given."""
    definition = decode_definition({**DEFINITION, "nodeProperties": {**NODES, "mainNode": 2}})
    assert definition.type == "multinode"
    assert definition.container.command == ("sleep", "1")
    assert [(one.first, one.last) for one in definition.nodes.ranges] == [(0, 0), (1, None)]


def test_node_overrides_are_read():
    """numNodes, and per range a container's overrides and an instance type."""
    draft = decode_job(
        {
            **JOB,
            "nodeOverrides": {
                "numNodes": 5,
                "nodePropertyOverrides": [
                    {
                        "targetNodes": "1:",
                        "containerOverrides": {"command": ["x"], "instanceType": "m6i.large"},
                    }
                ],
            },
        }
    )
    (override,) = draft.node_overrides.ranges
    assert draft.node_overrides.count == 5
    assert (override.target, override.first, override.last) == ("1:", 1, None)
    assert override.overrides.command == ("x",)
    assert override.instance_type == "m6i.large"


def model():
    return botocore.session.get_session().get_service_model("batch")


def shown(encode, view):
    return json.loads(msgspec.json.encode(encode(view, ARNS, 9_000)))


def job():
    definition = decode_definition(DEFINITION)
    return Job(
        id="j", name="n", queue="q", definition="d:1", container=definition.container, created_at=1,
        nodes=definition.nodes,
    )  # fmt: skip


def attempt():
    return Attempt(
        number=1, host="i-1", started_at=2, stopped_at=3, exit_code=4, reason=None,
        status_reason="Essential container in task exited",
    )  # fmt: skip


def test_describe_shows_a_definition_as_it_was_registered():
    """Lists that are absent come back empty, nothing else changes."""
    detail = encode_definition(replace(decode_definition(DEFINITION), revision=1), ARNS)
    nodes = detail["nodeProperties"]
    assert "containerProperties" not in detail
    assert (nodes["numNodes"], nodes["mainNode"]) == (3, 0)
    assert [one["targetNodes"] for one in nodes["nodeRangeProperties"]] == ["0", "1:"]
    assert nodes["nodeRangeProperties"][1]["container"] == {
        **REST["container"],
        **{name: [] for name in ("volumes", "environment", "mountPoints", "ulimits", "secrets")},
    }


def test_the_job_shows_its_nodes_and_the_main_nodes_story():
    """Its nodes instead of a container; attempts, times and reason are the main node's."""
    run = Run(
        id="j", status=JobStatus.FAILED, created_at=1, environment="ce", attempt=1, started_at=2, stopped_at=3,
        status_reason="Essential container in task exited", attempts=(attempt(),),
    )  # fmt: skip
    detail = shown(encode_job, JobView(job=job(), run=run))
    assert "container" not in detail
    assert "arrayProperties" not in detail
    assert detail["nodeProperties"]["numNodes"] == 3
    assert detail["nodeProperties"]["nodeRangeProperties"][1]["container"]["command"] == ["sleep", "1"]
    assert (detail["startedAt"], detail["stoppedAt"]) == (2, 3)
    assert detail["attempts"][0]["container"]["exitCode"] == 4
    assert detail["attempts"][0]["container"]["taskArn"] == ARNS.task("ce", "j#0", 1)
    summary = shown(encode_summary, JobView(job=job(), run=run))
    assert summary["nodeProperties"] == {"numNodes": 3}
    assert summary["container"] == {"exitCode": 4}


def test_a_node_shows_its_place_and_its_own_container():
    """Node details and the container of its range; members are all of the model's."""
    run = Run(
        id="j#1",
        status=JobStatus.RUNNING,
        created_at=1,
        environment="ce",
        host="i-1",
        attempt=1,
        started_at=2,
    )
    view = JobView(job=job().as_seen_by(1), run=run, index=1)
    detail = shown(encode_job, view)
    assert detail["jobId"] == "j#1"
    assert detail["jobArn"].endswith(":job/j#1")
    assert detail["nodeDetails"] == {"nodeIndex": 1, "isMainNode": False}
    assert detail["container"]["command"] == ["sleep", "1"]
    assert detail["container"]["logStreamName"].startswith("d/default/")
    assert "arrayProperties" not in detail
    assert detail.keys() <= model().shape_for("JobDetail").members.keys()
    summary = shown(encode_summary, view)
    assert summary["nodeProperties"] == {"nodeIndex": 1, "isMainNode": False, "numNodes": 3}


SIDE = {
    "image": "proxy",
    "name": "side",
    "essential": False,
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "32"}],
}
TASK = {
    "ipcMode": "task",
    "containers": [
        {**CONTAINER, "name": "app", "dependsOn": [{"containerName": "side", "condition": "START"}]},
        SIDE,
    ],
}
PAIRS = {
    "numNodes": 3,
    "mainNode": 1,
    "nodeRangeProperties": [MAIN, {"targetNodes": "1:", "ecsProperties": {"taskProperties": [TASK]}}],
}
OF_PAIRS = {**DEFINITION, "nodeProperties": PAIRS}


def test_a_range_of_several_containers_is_read():
    """Each of its nodes is a task; the definition's own containers are its main node's."""
    definition = decode_definition(OF_PAIRS)
    first, rest = definition.nodes.ranges
    assert first.task is None
    assert [known.name for known in rest.containers] == ["app", "side"]
    assert (rest.task.ipc_mode, rest.resources.vcpus, rest.resources.memory) == ("task", 2, 96)
    assert (definition.container, definition.task) == (rest.container, rest.task)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"container": CONTAINER}, "Cannot use both container and ecsProperties for node range 1:"),
        ({"eksProperties": {"podProperties": {}}}, "eksProperties of a node range is not there"),
        ({"ecsProperties": {"taskProperties": []}}, "must have 1"),
        (
            {"ecsProperties": {"taskProperties": [{**TASK, "containers": [SIDE]}]}},
            "At least one container must be set as essential",
        ),
    ],
)
def test_a_range_of_several_containers_is_refused_as_a_task_is(change, text):
    """By the rules of ecsProperties, and never beside another kind."""
    first, rest = PAIRS["nodeRangeProperties"]
    nodes = {**PAIRS, "nodeRangeProperties": [first, {**rest, **change}]}
    assert text in refused(decode_definition, {**DEFINITION, "nodeProperties": nodes})


def test_overrides_of_a_ranges_containers_are_read_by_name():
    """As those of a job with ecsProperties."""
    given = {"taskProperties": [{"containers": [{"name": "side", "command": ["y"]}]}]}
    entry = {"targetNodes": "1:", "ecsPropertiesOverride": given}
    draft = decode_job({**JOB, "nodeOverrides": {"nodePropertyOverrides": [entry]}})
    ((name, overrides),) = draft.node_overrides.ranges[0].task_overrides
    assert (name, overrides.command) == ("side", ("y",))


def test_a_range_of_several_containers_is_shown():
    """In the definition as registered, in the job with effective values, in a node as its task."""
    definition = replace(decode_definition(OF_PAIRS), revision=1)
    shown_first, shown_rest = encode_definition(definition, ARNS)["nodeProperties"]["nodeRangeProperties"]
    assert "ecsProperties" not in shown_first
    assert "container" not in shown_rest
    (task,) = shown_rest["ecsProperties"]["taskProperties"]
    assert [known["name"] for known in task["containers"]] == ["app", "side"]
    whole = Job(
        id="j", name="n", queue="q", definition="d:1", container=definition.container, task=definition.task,
        created_at=1, nodes=definition.nodes,
    )  # fmt: skip
    run = Run(id="j", status=JobStatus.RUNNING, created_at=1, environment="ce", attempt=1, started_at=2)
    detail = shown(encode_job, JobView(job=whole, run=run))
    assert "container" not in detail
    assert "ecsProperties" not in detail
    ranges = detail["nodeProperties"]["nodeRangeProperties"]
    assert ranges[1]["ecsProperties"]["taskProperties"][0]["containers"][1]["image"] == "proxy"
    node = Run(
        id="j#1",
        status=JobStatus.RUNNING,
        created_at=1,
        environment="ce",
        host="i-1",
        attempt=1,
        started_at=2,
    )
    one = shown(encode_job, JobView(job=whole.as_seen_by(1), run=node, index=1))
    assert "container" not in one
    streams = [known["logStreamName"] for known in one["ecsProperties"]["taskProperties"][0]["containers"]]
    assert [stream.split("/")[1] for stream in streams] == ["app", "side"]
    assert "ecsProperties" not in shown(encode_job, JobView(job=whole.as_seen_by(0), run=node, index=0))
    for known in (detail, one):
        assert known.keys() <= model().shape_for("JobDetail").members.keys()


def test_the_models_own_example_of_node_properties_is_read():
    """A request as boto3 sends it passes validation and decoding."""
    from nbbatch.wire.operations import load_model

    operation = load_model("batch").operations["RegisterJobDefinition"]
    assert decode_nodes(validate(operation, DEFINITION)["nodeProperties"], "EC2").count == 3
