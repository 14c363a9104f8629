import json

import botocore.session
import msgspec
import pytest

from nbbatch.model.arns import Arns
from nbbatch.model.containers import ContainerEnd
from nbbatch.model.jobs import Attempt, Job, JobStatus, JobView, Run, task_id
from nbbatch.wire.decode import decode_definition
from nbbatch.wire.encode import encode_job
from nbbatch.wire.encode_world import encode_definition

ARNS = Arns("us-west-2", "123456789012")
NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
MAIN = {"name": "main", "image": "busybox", "resourceRequirements": NEEDS}
SIDE = {
    **MAIN,
    "name": "side",
    "essential": False,
    "dependsOn": [{"containerName": "main", "condition": "START"}],
    "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
}
PROPERTIES = {"taskProperties": [{"containers": [MAIN, SIDE], "ipcMode": "task"}]}
DEFINITION = decode_definition({"jobDefinitionName": "def", "type": "container", "ecsProperties": PROPERTIES})
JOB = Job(
    id="j", name="n", queue="q", definition="def:1", container=DEFINITION.container, task=DEFINITION.task, created_at=1
)  # fmt: skip
ENDS = (
    ContainerEnd(name="main", exit_code=3, started_at=5, stopped_at=9),
    ContainerEnd(name="side", reason="CannotPullContainerError: x"),
)
ATTEMPT = Attempt(
    number=1, host="i-1", started_at=5, stopped_at=9, exit_code=3, reason=None,
    status_reason="Essential container in task exited", containers=ENDS,
)  # fmt: skip


def shown(status, **progress):
    run = Run(id="j", status=status, created_at=1, environment="ce", **progress)
    return json.loads(msgspec.json.encode(encode_job(JobView(job=JOB, run=run), ARNS, 9)))


def unknown(value, shape, path="") -> list[str]:
    """Members that botocore's model does not have."""
    if shape.type_name == "structure":
        missing = [f"{path}.{name}" for name in value if name not in shape.members]
        known = [(name, member) for name, member in value.items() if name in shape.members]
        return missing + [
            x for name, member in known for x in unknown(member, shape.members[name], f"{path}.{name}")
        ]
    if shape.type_name == "list":
        return [problem for item in value for problem in unknown(item, shape.member, path)]
    return []


@pytest.fixture(scope="module")
def model():
    return botocore.session.get_session().get_service_model("batch")


def test_a_registered_task_comes_back_as_it_was_sent(model):
    """Absent lists are empty, empty variables are dropped, the rest is unchanged."""
    detail = encode_definition(DEFINITION, ARNS)
    assert "containerProperties" not in detail
    (task,) = detail["ecsProperties"]["taskProperties"]
    main, side = task["containers"]
    assert (task["ipcMode"], task["volumes"]) == ("task", [])
    assert (main["dependsOn"], main["secrets"], side["dependsOn"]) == ([], [], SIDE["dependsOn"])
    assert side["environment"] == [{"name": "A", "value": "1"}]
    assert unknown(detail, model.shape_for("JobDefinition")) == []


def test_a_finished_task_tells_of_each_container(model):
    """Exit codes, reasons and streams by container, also in its attempts; no `container` beside."""
    detail = shown(JobStatus.FAILED, attempts=(ATTEMPT,), started_at=5, stopped_at=9)
    assert "container" not in detail
    assert "container" not in detail["attempts"][0]
    (task,) = detail["ecsProperties"]["taskProperties"]
    main, side = task["containers"]
    stream = f"def/main/{task_id('j', 1)}"
    assert (main["exitCode"], main["logStreamName"]) == (3, stream)
    assert side["reason"] == "CannotPullContainerError: x"
    assert side.keys().isdisjoint({"exitCode", "logStreamName"})
    assert task["taskArn"].endswith(task_id("j", 1))
    (past,) = detail["attempts"][0]["taskProperties"]
    assert past["containers"][0] == {
        "name": "main", "networkInterfaces": [], "exitCode": 3, "logStreamName": stream,
    }  # fmt: skip
    assert unknown(detail, model.shape_for("JobDetail")) == []


def test_a_running_task_has_streams_and_no_ends():
    """As for one container: the place from STARTING on, the streams from RUNNING on."""
    (starting,) = shown(JobStatus.STARTING, attempt=1, host="i-1")["ecsProperties"]["taskProperties"]
    (running,) = shown(JobStatus.RUNNING, attempt=1, host="i-1", started_at=5)["ecsProperties"][
        "taskProperties"
    ]
    assert "taskArn" in starting
    assert ["logStreamName" in known for known in starting["containers"]] == [False, False]
    assert ["logStreamName" in known for known in running["containers"]] == [True, True]
