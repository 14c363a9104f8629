import pytest

from nbbatch.errors import ClientException
from nbbatch.model.containers import ContainerCondition, ContainerDependency, Mount
from nbbatch.model.resources import Resources
from nbbatch.wire.decode_task import decode_task, decode_task_overrides


def one(name="main", vcpus="1", memory="64", **more):
    needs = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
    return {"name": name, "image": "busybox", "resourceRequirements": needs} | more


def task(*containers, platform="EC2", **more):
    return decode_task({"taskProperties": [{"containers": list(containers), **more}]}, platform)


def refused(*containers, platform="EC2", **more):
    with pytest.raises(ClientException) as caught:
        task(*containers, platform=platform, **more)
    return caught.value.message


def test_containers_are_read_with_what_they_share():
    """Volumes and modes stand with the task, the rest with each container."""
    wait = {"containerName": "main", "condition": "START"}
    first, read = task(
        one(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]),
        one("side", essential=False, dependsOn=[wait], startTimeout=5, stopTimeout=7),
        volumes=[{"name": "v"}],
        ipcMode="task",
        pidMode="host",
    )
    (side,) = read.others
    assert (first.name, first.essential, first.mounts) == ("main", True, (Mount(target="/v", volume="v"),))
    assert (side.essential, side.start_timeout, side.stop_timeout) == (False, 5, 7)
    assert side.depends_on == (ContainerDependency(name="main", condition=ContainerCondition.START),)
    assert (read.ipc_mode, read.pid_mode) == ("task", "host")
    assert read.as_registered == {"volumes": [{"name": "v"}], "ipcMode": "task", "pidMode": "host"}


def test_a_single_container_needs_no_name():
    """It is called as AWS calls the only container of a job."""
    unnamed = one()
    del unnamed["name"]
    first, read = task(unnamed)
    assert (first.name, read.others) == ("default", ())


def waits(condition, name="main"):
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


@pytest.mark.parametrize(
    ("containers", "text"),
    [
        ([], "Number of containers must be between 1 and 10"),
        ([one(str(i)) for i in range(11)], "Number of containers must be between 1 and 10"),
        ([one(), one()], "Container names must be unique"),
        ([one("a b")], "Container name 'a b' does not match regex ^[A-Za-z0-9_-]{1,255}$"),
        ([one(essential=False)], "At least one container must be set as essential"),
        ([one(), one("b", **waits("START", "c"))], "containerName c must reference a defined container."),
        ([one(**waits("START"))], "Container dependency can not be used in a single-container job."),
        ([one(), one("b", **waits("SUCCESS"))], "dependsOn: container b cannot wait for SUCCESS of main, which is essential: its end ends the job."),
        ([one(), one("b", **waits("HEALTHY"))], "dependsOn.condition: 'HEALTHY' is not one of START, COMPLETE, SUCCESS"),
        ([one(**waits("START", "b")), one("b", **waits("START"))], "dependsOn: containers main, b wait for each other."),
        ([one(startTimeout=1)], "startTimeout: 1 is not at least 2 seconds"),
        ([one(image="")], "ECS Container Image must be provided."),
        ([one(secrets=[{"name": "A", "valueFrom": "x"}])], "executionRoleArn cannot be empty when using secrets or secretOptions"),
        ([one(environment=[{"name": "AWS_BATCH_X", "value": "1"}])], "Environment variable AWS_BATCH_X cannot be set: names that start with AWS_BATCH are reserved."),
    ],
)  # fmt: skip
def test_a_task_is_refused_in_aws_words(containers, text):
    """Each rule of ecsProperties has its text."""
    assert refused(*containers) == text


def test_one_task_and_known_modes():
    """There is one task, and ECS's modes are few."""
    assert refused(one(), ipcMode="all") == "ipcMode: 'all' is not one of host, task, none"
    assert refused(one(), pidMode="none") == "pidMode: 'none' is not one of host, task"
    assert refused(one(), runtimePlatform={}) == "runtimePlatform is not applicable for EC2."
    with pytest.raises(ClientException, match="has 2 entries, and must have 1"):
        decode_task({"taskProperties": [{"containers": [one()]}] * 2}, "EC2")


FARGATE = {"platform": "FARGATE", "executionRoleArn": "arn:aws:iam::1:role/x"}


def test_fargate_sizes_a_task_as_a_whole():
    """The containers' sum is one of Fargate's sizes; each alone need not be."""
    first, read = task(one(vcpus="0.25", memory="128"), one("b", vcpus="0.25", memory="896"), **FARGATE)
    assert first.resources + read.others[0].resources == Resources(vcpus=0.5, memory=1024)
    small = [one(vcpus="0.25", memory="128"), one("b", vcpus="0.25", memory="128")]
    assert refused(*small, **FARGATE) == "Fargate resource requirements (0.50 vCPU, 256 MiB) not valid."


def test_fargate_takes_firelens_and_a_stop_timeout_of_two_minutes():
    """Two rules that differ from a plain container's."""
    firelens = {"logConfiguration": {"logDriver": "awsfirelens"}}
    assert task(one(vcpus="0.25", memory="512", **firelens), **FARGATE)
    late = one(vcpus="0.25", memory="512", stopTimeout=121)
    assert refused(late, **FARGATE) == "stopTimeout: 121 is not between 2 and 120 seconds"


def test_overrides_are_read_by_name():
    """Each container has its own."""
    needs = [{"type": "VCPU", "value": "2"}]
    entries = [{"name": "a", "command": ["x"]}, {"name": "b", "resourceRequirements": needs}]
    read = dict(decode_task_overrides({"taskProperties": [{"containers": entries}]}))
    assert (read["a"].command, read["b"].vcpus) == (("x",), 2)
    with pytest.raises(ClientException, match="Container names must be unique"):
        decode_task_overrides({"taskProperties": [{"containers": entries[:1] * 2}]})
