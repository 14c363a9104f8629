import json
from dataclasses import replace

import botocore.session
import msgspec
import pytest
from msgspec import structs

from nbbatch.model.arns import Arns
from nbbatch.model.fleet import (
    Catalogue,
    ComputeEnvironment,
    InstanceType,
    JobQueue,
    ResourceStatus,
    Switch,
    parse_catalogue,
)
from nbbatch.model.jobs import (
    Attempt,
    Dependency,
    Job,
    JobStatus,
    JobView,
    RetryStrategy,
    Run,
    log_stream_name,
)
from nbbatch.model.resources import Resources
from nbbatch.wire.decode import decode_definition
from nbbatch.wire.decode_environment import read_environment
from nbbatch.wire.decode_queue import read_queue
from nbbatch.wire.encode import encode_job, encode_summary
from nbbatch.wire.encode_world import encode_catalogue, encode_definition, encode_environment, encode_queue

ARNS = Arns("us-west-2", "123456789012")
NOW = 9_000
S = JobStatus
PROPERTIES = {
    "image": "busybox",
    "command": ["true"],
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
}
DEFINITION = decode_definition(
    {"jobDefinitionName": "def", "type": "container", "containerProperties": PROPERTIES}
)
JOB = Job(
    id="j",
    name="name",
    queue="q",
    definition="def:3",
    container=replace(DEFINITION.container, environment=(("A", "1"),)),
    created_at=1_000,
    parameters={"p": "v"},
    depends_on=(Dependency(job_id="other"),),
    retry_strategy=RetryStrategy(attempts=2),
    timeout=60,
)


def attempt(**more):
    return Attempt(
        **{
            "number": 1, "host": "i-1", "started_at": 2_000, "stopped_at": 3_000,
            "exit_code": 1, "reason": None, "status_reason": "Essential container in task exited", **more,
        }
    )  # fmt: skip


def shown(status, *, job=JOB, index=None, counts=None, encode=encode_job, **progress):
    run = Run(id="j", status=status, created_at=1_000, environment="ce", **progress)
    detail = encode(JobView(job=job, run=run, index=index, counts=counts), ARNS, NOW)
    return json.loads(msgspec.json.encode(detail))


def undocumented(value, shape, path="") -> list[str]:
    """Members that the model does not have, and nulls."""
    if value is None:
        return [f"{path} is null"]
    if shape.type_name == "structure":
        return [
            problem
            for name, member in value.items()
            for problem in (
                undocumented(member, shape.members[name], f"{path}.{name}")
                if name in shape.members
                else [f"{path}.{name} is not in the model"]
            )
        ]
    if shape.type_name == "list":
        return [problem for item in value for problem in undocumented(item, shape.member, f"{path}[]")]
    if shape.type_name == "map":
        return [
            problem for item in value.values() for problem in undocumented(item, shape.value, f"{path}{{}}")
        ]
    kinds = {"string": str, "integer": int, "long": int, "boolean": bool, "double": float, "float": float}
    return [] if type(value) is kinds[shape.type_name] else [f"{path}: {value!r} is no {shape.type_name}"]


@pytest.fixture(scope="module")
def shapes():
    model = botocore.session.Session().get_service_model("batch")
    return model.shape_for


WAITING = {"status_reason": "blocked"}
PLACED = {"attempt": 1, "host": "i-1", "instance_type": "m6i.large"}


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        (S.SUBMITTED, {}),
        (S.RUNNABLE, WAITING),
        (S.STARTING, PLACED),
        (S.RUNNING, {**PLACED, "started_at": 2_000}),
        (S.FAILED, {"attempt": 1, "attempts": (attempt(),), "stopped_at": 3_000, "status_reason": "x"}),
    ],
)
def test_a_job_has_only_members_of_the_model(shapes, status, progress):
    """Details and summaries keep to AWS's shapes in names and types, and hold no null."""
    assert undocumented(shown(status, **progress), shapes("JobDetail")) == []
    assert undocumented(shown(status, encode=encode_summary, **progress), shapes("JobSummary")) == []


def test_a_waiting_job_shows_no_attempt():
    """RUNNABLE has the reason it is blocked, and neither times nor places."""
    detail = shown(S.RUNNABLE, **WAITING)
    assert detail["statusReason"] == "blocked"
    assert not {"startedAt", "stoppedAt"} & detail.keys()
    assert not {"taskArn", "containerInstanceArn", "logStreamName", "exitCode"} & detail["container"].keys()
    assert detail["attempts"] == []


def test_a_starting_job_has_a_place_but_no_log():
    """STARTING knows its task and instance."""
    detail = shown(S.STARTING, **PLACED)
    assert detail["container"]["taskArn"].startswith("arn:aws:ecs:us-west-2:123456789012:task/ce_Batch_")
    assert "container-instance/ce_Batch_" in detail["container"]["containerInstanceArn"]
    assert "logStreamName" not in detail["container"]
    assert "startedAt" not in detail


def test_a_running_job_has_a_log_and_a_start():
    """RUNNING adds the log stream and startedAt; there is no status reason."""
    detail = shown(S.RUNNING, **PLACED, started_at=2_000)
    assert detail["container"]["logStreamName"].startswith("def/default/")
    assert detail["container"]["logStreamName"].endswith(detail["container"]["taskArn"].rpartition("/")[2])
    assert detail["startedAt"] == 2_000
    assert not {"stoppedAt", "statusReason"} & detail.keys()


def test_a_finished_job_shows_its_last_attempt():
    """Exit code, reason, times and log of the last attempt stand in the container."""
    last = attempt(number=2, exit_code=137, reason="OutOfMemoryError: x")
    detail = shown(
        S.FAILED, attempts=(attempt(), last), attempt=2, started_at=2_000, stopped_at=3_000, status_reason="x"
    )
    assert (detail["container"]["exitCode"], detail["container"]["reason"]) == (137, "OutOfMemoryError: x")
    assert detail["container"]["logStreamName"] == log_stream_name("def:3", "j", 2)
    assert (detail["startedAt"], detail["stoppedAt"], detail["statusReason"]) == (2_000, 3_000, "x")
    assert [known["container"]["exitCode"] for known in detail["attempts"]] == [1, 137]


def test_a_job_that_never_ran_has_no_start():
    """Cancelled before it started: stoppedAt and the reason, no container end, no log stream."""
    detail = shown(S.FAILED, stopped_at=3_000, status_reason="not needed")
    assert detail["stoppedAt"] == 3_000
    assert "startedAt" not in detail
    assert not {"exitCode", "logStreamName", "taskArn"} & detail["container"].keys()


def test_an_attempt_that_could_not_start_has_no_log():
    """A pull error leaves a reason, but neither exit code nor log stream."""
    failed = attempt(started_at=None, exit_code=None, reason="CannotPullContainerError: x")
    detail = shown(S.FAILED, attempts=(failed,), attempt=1, stopped_at=3_000)
    assert detail["container"]["reason"].startswith("CannotPull")
    assert not {"exitCode", "logStreamName"} & detail["container"].keys()
    assert not {"startedAt"} & detail["attempts"][0].keys()


def test_a_job_echoes_what_counts():
    """ARNs with revision, the strategy in full, the effective container, lists even when empty."""
    detail = shown(S.SUBMITTED)
    assert detail["jobQueue"] == "arn:aws:batch:us-west-2:123456789012:job-queue/q"
    assert detail["jobDefinition"] == "arn:aws:batch:us-west-2:123456789012:job-definition/def:3"
    assert detail["retryStrategy"] == {"attempts": 2, "evaluateOnExit": []}
    assert detail["timeout"] == {"attemptDurationSeconds": 60}
    assert detail["dependsOn"] == [{"jobId": "other"}]
    assert detail["container"] == {
        "image": "busybox", "command": ["true"], "environment": [{"name": "A", "value": "1"}], "volumes": [],
        "mountPoints": [], "ulimits": [], "secrets": [], "networkInterfaces": [],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
    }  # fmt: skip


def test_an_array_parent_counts_all_seven_states():
    """A parent has its size and every status, zeros included, and nothing of an attempt."""
    counts = {S.SUCCEEDED: 2, S.RUNNING: 1}
    detail = shown(S.PENDING, job=structs.replace(JOB, array_size=3), counts=counts)
    assert detail["arrayProperties"] == {
        "size": 3,
        "statusSummary": {
            "SUBMITTED": 0, "PENDING": 0, "RUNNABLE": 0, "STARTING": 0, "RUNNING": 1, "SUCCEEDED": 2, "FAILED": 0,
        },
        "statusSummaryLastUpdatedAt": NOW,
    }  # fmt: skip
    assert "startedAt" not in detail


def test_an_array_child_has_its_index():
    """A child shows where it stands in its array."""
    assert shown(S.RUNNABLE, index=4)["arrayProperties"] == {"index": 4}


def test_deprecated_members_stay_deprecated():
    """A definition with vcpus and memory shows them so."""
    properties = {"image": "busybox", "vcpus": 2, "memory": 64}
    old = decode_definition(
        {"jobDefinitionName": "old", "type": "container", "containerProperties": properties}
    )
    container = shown(S.SUBMITTED, job=structs.replace(JOB, container=old.container))["container"]
    assert (container["vcpus"], container["memory"], container["resourceRequirements"]) == (2, 64, [])


def test_a_summary_shows_cancellation_only_when_true():
    """Otherwise isCancelled and isTerminated are absent."""
    assert not {"isCancelled", "isTerminated"} & shown(S.RUNNABLE, encode=encode_summary).keys()
    assert shown(S.RUNNABLE, encode=encode_summary, is_cancelled=True)["isCancelled"] is True


def test_a_definition_comes_back_as_it_was_sent(shapes):
    """Nothing that was sent changes; absent lists are empty."""
    full = {
        "jobDefinitionName": "d",
        "type": "container",
        "containerProperties": {**PROPERTIES, "linuxParameters": {"tmpfs": []}, "user": "nobody"},
        "parameters": {"a": "b"},
        "retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "RETRY", "onReason": "*"}]},
        "timeout": {"attemptDurationSeconds": 60},
        "platformCapabilities": ["EC2"],
        "propagateTags": True,
        "schedulingPriority": 3,
        "tags": {"k": "v"},
    }
    detail = encode_definition(replace(decode_definition(full), revision=2), ARNS)
    told = json.loads(msgspec.json.encode(detail))
    assert undocumented(told, shapes("JobDefinition")) == []
    assert told["containerProperties"].items() >= full["containerProperties"].items()
    assert told["containerProperties"]["secrets"] == []
    assert told["retryStrategy"]["evaluateOnExit"] == [{"action": "retry", "onReason": "*"}]
    same = full.keys() - {"containerProperties", "retryStrategy"}
    assert {name: told[name] for name in same} == {name: full[name] for name in same}


def test_queues_and_environments_keep_to_the_model(shapes):
    """Also those of the default world, which nobody sent a request for."""
    environment = ComputeEnvironment(name="ce", max_vcpus=8, instance_types=("m6i.large",))
    detail = json.loads(msgspec.json.encode(encode_environment(environment, ARNS, 2.0)))
    assert undocumented(detail, shapes("ComputeEnvironmentDetail")) == []
    assert (detail["computeResources"]["type"], detail["computeResources"]["desiredvCpus"]) == ("EC2", 2)
    queue = encode_queue(JobQueue(name="q", priority=1, environments=("ce",)), ARNS, is_fargate=False)
    told = json.loads(msgspec.json.encode(queue))
    assert undocumented(told, shapes("JobQueueDetail")) == []
    assert told["computeEnvironmentOrder"] == [{"order": 1, "computeEnvironment": ARNS.environment("ce")}]
    assert told["jobQueueType"] == "ECS"


def test_what_describe_calls_show_is_read_back():
    """Queues, environments and the catalogue, as a client finds them: places, limits, types, prices, states."""
    environment = ComputeEnvironment(
        name="ce",
        resource_type="SPOT",
        min_vcpus=2,
        max_vcpus=8,
        instance_types=("m6i.large", "c6i"),
        state=Switch.DISABLED,
        status=ResourceStatus.UPDATING,
    )
    told = read_environment(json.loads(msgspec.json.encode(encode_environment(environment, ARNS, 2.0))))
    assert replace(told, request={}, uuid="") == environment
    queue = JobQueue(name="q", priority=7, environments=("b", "a"))
    read = read_queue(json.loads(msgspec.json.encode(encode_queue(queue, ARNS, is_fargate=False))))
    assert replace(read, request={}) == queue
    known = Catalogue(
        types={
            "x.l": InstanceType(
                name="x.l", resources=Resources(vcpus=2, memory=9, gpus=1), price=0.2, spot_price=0.1
            )
        },
        source="here",
        as_of="now",
    )
    assert parse_catalogue(json.dumps(encode_catalogue(known))) == known


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_arns_are_of_the_callers_partition(region, partition):
    """China and GovCloud have their own."""
    assert Arns(region, "1").job("x") == f"arn:{partition}:batch:{region}:1:job/x"
