import pytest

from nbbatch.errors import ClientException
from nbbatch.model.containers import Device, Mount, Tmpfs, Ulimit
from nbbatch.model.resources import Resources
from nbbatch.wire.decode_container import decode_container, decode_overrides


def needs(vcpus="1", memory="64", gpus=None):
    amounts = {"VCPU": vcpus, "MEMORY": memory, "GPU": gpus}
    return [{"type": kind, "value": value} for kind, value in amounts.items() if value is not None]


def container(platform="EC2", **properties):
    return decode_container({"image": "busybox", "resourceRequirements": needs()} | properties, platform)


def refused(platform="EC2", **properties) -> str:
    with pytest.raises(ClientException) as caught:
        container(platform, **properties)
    return caught.value.message


def test_everything_docker_needs_is_read():
    """Mounts, limits, devices and Linux parameters become plain values."""
    read = container(
        command=["sh", "-c", "true"],
        user="1000:1000",
        privileged=True,
        readonlyRootFilesystem=True,
        volumes=[{"name": "data", "host": {"sourcePath": "/srv"}}, {"name": "scratch"}],
        mountPoints=[
            {"sourceVolume": "data", "containerPath": "/data", "readOnly": True},
            {"sourceVolume": "scratch", "containerPath": "/scratch"},
        ],
        ulimits=[{"name": "nofile", "softLimit": 10, "hardLimit": 20}],
        linuxParameters={
            "initProcessEnabled": True,
            "sharedMemorySize": 64,
            "maxSwap": 100,
            "swappiness": 60,
            "tmpfs": [{"containerPath": "/tmp", "size": 32, "mountOptions": ["noexec"]}],
            "devices": [
                {"hostPath": "/dev/a"},
                {"hostPath": "/dev/b", "containerPath": "/dev/c", "permissions": ["READ"]},
            ],
        },
    )
    assert read.mounts == (
        Mount(target="/data", source="/srv", read_only=True, volume="data"),
        Mount(target="/scratch", volume="scratch"),
    )
    assert read.ulimits == (Ulimit(name="nofile", soft=10, hard=20),)
    assert read.tmpfs == (Tmpfs(target="/tmp", size=32, options=("noexec",)),)
    assert read.devices == (
        Device(source="/dev/a", target="/dev/a"),
        Device(source="/dev/b", target="/dev/c", permissions=("READ",)),
    )
    assert (read.user, read.privileged, read.read_only_root, read.init) == ("1000:1000", True, True, True)
    assert (read.shm_size, read.memory_swap, read.swappiness) == (64, 164, 60)


def test_swappiness_alone_means_nothing():
    """Without maxSwap, Docker's own default counts."""
    read = container(linuxParameters={"swappiness": 10})
    assert (read.memory_swap, read.swappiness) == (None, None)


def test_deprecated_members_still_count():
    """Old clients give vcpus and memory directly."""
    assert container(resourceRequirements=[], vcpus=2, memory=128).resources == Resources(vcpus=2, memory=128)


def test_variables_with_an_empty_value_are_dropped():
    """Registering keeps no empty variable, not even in the echo."""
    full, empty = {"name": "A", "value": "1"}, {"name": "B", "value": ""}
    read = container(environment=[full, empty])
    assert read.environment == (("A", "1"),)
    assert read.as_registered["environment"] == [full]


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"image": ""}, "ECS Container Image must be provided."),
        ({"resourceRequirements": []}, "vCPU is required."),
        ({"resourceRequirements": needs()[:1]}, "Memory is required."),
        ({"resourceRequirements": needs("0")}, "vCPU must be at least 1, got 0."),
        ({"resourceRequirements": needs("nan")}, "vCPU must be at least 1, got nan."),
        ({"resourceRequirements": needs("0.5")}, "vCPU must be a whole number on EC2, got 0.5."),
        ({"resourceRequirements": needs("inf")}, "vCPU must be a whole number, got inf."),
        ({"resourceRequirements": needs("two")}, "resourceRequirements: VCPU 'two' is not a number."),
        ({"resourceRequirements": needs(memory="3")}, "Memory must be at least 4 Mib, got 3 Mib."),
        ({"resourceRequirements": needs(memory="1G")}, "resourceRequirements: MEMORY '1G' is not a whole number."),
        ({"resourceRequirements": needs(gpus="0")}, "GPU must be at least 1, got 0."),
        ({"resourceRequirements": needs() * 2}, "Cannot provide duplicates in resourceRequirements."),
        ({"vcpus": 1}, "Cannot use both ECS containerProperties vcpus and resourceRequirement VCPU."),
        ({"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "x"}]}, "Environment variable AWS_BATCH_JOB_ID cannot be set: names that start with AWS_BATCH are reserved."),
        ({"secrets": [{"name": "A", "valueFrom": "arn"}]}, "executionRoleArn cannot be empty when using secrets or secretOptions"),
        ({"user": "a;b"}, "User 'a;b' does not match regex ^[a-z0-9_][a-z0-9_-]{0,30}(:[a-z0-9_][a-z0-9_-]{0,30})?$"),
        ({"linuxParameters": {"maxSwap": 0, "swappiness": 101}}, "Invalid swappiness: 101, must be between 0 and 100."),
        ({"linuxParameters": {"maxSwap": 1}}, "When container specified swap memory, swappiness value is required."),
        ({"ephemeralStorage": {"sizeInGiB": 30}}, "ephemeralStorage is not applicable for EC2."),
        ({"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/a/../b"}}]}, "volumes: rootDirectory '/a/../b' leaves its file system."),
        ({"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": ".."}}]}, "volumes: efsVolumeConfiguration names no file system: '..'."),
        ({"networkConfiguration": {}}, "networkConfiguration not applicable for EC2."),
        ({"fargatePlatformConfiguration": {}}, "fargatePlatformConfiguration not applicable for EC2."),
        ({"runtimePlatform": {}}, "runtimePlatform is not applicable for EC2."),
        ({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}, "mountPoints: there is no volume 'v' among the definition's volumes."),
        ({"volumes": [{"name": "v"}], "mountPoints": [{"sourceVolume": "v", "containerPath": "v"}]}, "mountPoints: containerPath 'v' is not an absolute path."),
        ({"volumes": [{"name": "v", "host": {}, "efsVolumeConfiguration": {"fileSystemId": "x"}}]}, "When the volume parameter is specified, only one volume configuration type should be used."),
        ({"logConfiguration": {"logDriver": "awslogs", "options": {"x": "y"}}}, "Log driver awslogs disallows options: x"),
    ],
)  # fmt: skip
def test_a_container_is_refused_in_aws_words(properties, text):
    """Each rule of containerProperties has its text."""
    assert refused(**properties) == text


@pytest.mark.parametrize("prefix", ["../x", "a/../b", "/a", "a//b", ".", "a:b", "a\0b", "a\\b", ""])
def test_a_log_prefix_cannot_leave_the_logs(prefix):
    """A stream's name is made of this prefix, and a file's path of the name."""
    options = {"logDriver": "awslogs", "options": {"awslogs-stream-prefix": prefix}}
    assert "cannot be part of a log stream's name" in refused(logConfiguration=options)


def test_log_options_are_kept():
    """The scheduler names streams by the prefix."""
    options = {"awslogs-stream-prefix": "team/a", "awslogs-group": "/g"}
    read = container(logConfiguration={"logDriver": "awslogs", "options": options})
    assert dict(read.log_options) == options


def fargate(**properties):
    return {
        "platform": "FARGATE",
        "executionRoleArn": "arn:aws:iam::1:role/x",
        "resourceRequirements": needs("0.25", "512"),
    } | properties


def test_fargate_takes_its_own_sizes():
    """A quarter of a vCPU goes with 512 MiB."""
    assert container(**fargate()).resources == Resources(vcpus=0.25, memory=512)


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"resourceRequirements": needs("0.5", "4")}, "Fargate resource requirements (0.50 vCPU, 4 MiB) not valid."),
        ({"executionRoleArn": ""}, "executionRoleArn is required for Fargate jobs."),
        ({"ulimits": [{"name": "a", "softLimit": 1, "hardLimit": 1}]}, "ulimits is not applicable for Fargate."),
        ({"linuxParameters": {"devices": [{"hostPath": "/dev/x"}]}}, "linuxParameter.devices is not allowed for Fargate."),
        ({"logConfiguration": {"logDriver": "syslog"}}, "Log driver for Fargate is not valid: syslog"),
        ({"resourceRequirements": needs("0.25", "512", "1")}, "GPU is not applicable for Fargate."),
        ({"privileged": True}, "privileged is not applicable for Fargate."),
        ({"vcpus": 1}, "vcpus is not applicable for Fargate. Use resource requirements instead."),
        ({"linuxParameters": {"sharedMemorySize": 64}}, "linuxParameter.sharedMemorySize is not allowed for Fargate."),
        ({"linuxParameters": {"swappiness": 0}}, "linuxParameter.swappiness is not allowed for Fargate."),
        ({"linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 1}]}}, "linuxParameter.tmpfs is not allowed for Fargate."),
        ({"volumes": [{"name": "v", "host": {"sourcePath": "/x"}}]}, "host.sourcePath is not allowed for Fargate."),
        ({"ephemeralStorage": {"sizeInGiB": 20}}, "ephemeralStorage.sizeInGiB: 20 is not between 21 and 200"),
        ({"ephemeralStorage": {"sizeInGiB": 201}}, "ephemeralStorage.sizeInGiB: 201 is not between 21 and 200"),
        ({"logConfiguration": {"logDriver": "awsfirelens"}}, "Log driver for Fargate is not valid: awsfirelens"),
        ({"runtimePlatform": {"cpuArchitecture": "MIPS"}}, "runtimePlatform.cpuArchitecture: 'MIPS' is not one of X86_64, ARM64"),
        ({"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}, "runtimePlatform.operatingSystemFamily: WINDOWS_SERVER_2022_CORE cannot run on this machine; use LINUX, or AWS."),
        ({"networkConfiguration": {"assignPublicIp": "YES"}}, "networkConfiguration.assignPublicIp: 'YES' is not ENABLED or DISABLED"),
    ],
)  # fmt: skip
def test_fargate_refuses_what_it_cannot_run(properties, text):
    """Fargate's rules have AWS's texts."""
    assert refused(**fargate(**properties)) == text


def test_fargate_takes_its_own_settings():
    """Storage within the bounds, a platform, an address, EFS."""
    efs = {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/a//b/"}}
    read = container(
        **fargate(
            ephemeralStorage={"sizeInGiB": 200},
            runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
            networkConfiguration={"assignPublicIp": "ENABLED"},
            volumes=[efs],
            mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}],
        )
    )
    assert read.mounts == (Mount(target="/v", source="fs-1/a/b", volume="v", shared=True),)


@pytest.mark.parametrize(
    ("vcpus", "memory", "fits"),
    [
        ("0.25", 512, True), ("0.25", 2048, True), ("0.25", 3072, False), ("0.5", 4096, True),
        ("0.5", 512, False), ("1", 2048, True), ("1", 8192, True), ("1", 2560, False), ("2", 4096, True),
        ("2", 16384, True), ("4", 30720, True), ("4", 31744, False), ("8", 16384, True), ("8", 61440, True),
        ("8", 17408, False), ("16", 32768, True), ("16", 122880, True), ("16", 36864, False),
        ("32", 61440, True), ("32", 122880, True), ("32", 249856, True), ("32", 245760, False), ("3", 8192, False),
    ],
)  # fmt: skip
def test_fargates_table(vcpus, memory, fits):
    """The corners of AWS's table of vCPUs and memory."""
    asked = fargate(resourceRequirements=needs(vcpus, str(memory)))
    if fits:
        assert container(**asked).resources.memory == memory
    else:
        assert (
            refused(**asked)
            == f"Fargate resource requirements ({float(vcpus):.2f} vCPU, {memory} MiB) not valid."
        )


def test_overrides_are_read_by_type():
    """Each amount stands for itself; an empty value of a variable is kept."""
    read = decode_overrides(
        {
            "command": ["x"],
            "environment": [{"name": "A", "value": ""}],
            "resourceRequirements": needs("4", None, "1"),
            "memory": 32,
        }
    )
    assert (read.command, read.environment) == (("x",), (("A", ""),))
    assert (read.vcpus, read.memory, read.gpus, read.legacy_memory) == (4, None, 1, 32)
