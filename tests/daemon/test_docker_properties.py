"""Each container property of a job definition, from its JSON to what a real container sees."""

from __future__ import annotations

import json
import subprocess
import uuid
from dataclasses import replace

import pytest
from docker_image import IMAGE
from docker_kind import DockerKind, has_image
from executor_contract import Bench

from nbbatch.daemon.executors.docker_spec import container_name
from nbbatch.daemon.secret_store import SecretStore
from nbbatch.wire.decode_container import decode_container

pytestmark = pytest.mark.docker

ROLE = "arn:aws:iam::123456789012:role/x"


@pytest.fixture
async def bench(tmp_path):
    if not has_image():
        pytest.skip(f"no Docker Engine with the image {IMAGE}; scripts/docker-test-image makes it")
    kind = DockerKind()
    bench = Bench(kind, tmp_path)
    bench.settles = False  # so that its containers can be looked at
    await bench.up()
    yield bench
    await bench.down()
    kind.clean(tmp_path)
    bench.check()


@pytest.fixture
def run(bench):
    """Run `containerProperties` as a job; gives its order and its end."""

    async def run(script, **properties):
        needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
        container = decode_container(
            {
                "image": IMAGE,
                "resourceRequirements": needs,
                "command": ["/bin/sh", "-c", script],
                **properties,
            },
            "EC2",
        )
        order = replace(bench.order("true"), container=container, environment=container.environment)
        return order, await bench.run(order)

    return run


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def host_config(order) -> dict:
    name = container_name(order.job_id, order.attempt)
    return json.loads(docker("inspect", "-f", "{{json .HostConfig}}", name))


@pytest.fixture
def image_with_entry_point():
    """An image that says something before whatever it is told."""
    name = f"nbbatch-test/entry:{uuid.uuid4().hex[:8]}"
    made = docker("create", IMAGE, "true").strip()
    docker("commit", "--change", 'ENTRYPOINT ["/bin/echo", "entry"]', "--change", 'CMD ["own"]', made, name)
    docker("rm", made)
    yield name
    docker("rmi", "-f", name)


async def test_a_command_goes_to_the_images_entry_point(run, bench, image_with_entry_point):
    """The command replaces the image's, never its entry point; without one the image's own is used."""
    order, _ = await run("", image=image_with_entry_point, command=["told", "this"])
    assert bench.log(order) == "entry told this\n"
    order, _ = await run("", image=image_with_entry_point, command=[])
    assert bench.log(order) == "entry own\n"


async def test_variables_and_secrets_are_there(run, bench):
    """A secret is a variable whose value stands in the home's file."""
    SecretStore(bench.home).put("db/password", "pässword=1 2")
    order, _ = await run(
        'echo "$PLAIN/$HUSH"',
        environment=[{"name": "PLAIN", "value": "a b"}],
        secrets=[{"name": "HUSH", "valueFrom": "db/password"}],
        executionRoleArn=ROLE,
    )
    assert bench.log(order) == "a b/pässword=1 2\n"


async def test_a_missing_secret_does_not_start(run):
    """ECS's reason, no exit code, and the retry rule of a failed start."""
    _, end = await run("true", secrets=[{"name": "A", "valueFrom": "none"}], executionRoleArn=ROLE)
    assert (end.exit_code, end.status_reason) == (None, "Task failed to start")
    assert end.reason.startswith("ResourceInitializationError: unable to pull secrets or registry auth: none")


async def test_volumes_are_mounted(run, bench):
    """A host's folder, read-only if so asked; one that is made; a task's own, the same at both its places."""
    (bench.home / "data").mkdir()
    (bench.home / "data" / "x").write_text("host\n")
    order, end = await run(
        "cat /data/x; touch /data/y 2>/dev/null || echo read-only; touch /made/z; echo t > /one/t; cat /two/t",
        volumes=[
            {"name": "data", "host": {"sourcePath": str(bench.home / "data")}},
            {"name": "made", "host": {"sourcePath": str(bench.home / "new")}},
            {"name": "own"},
        ],
        mountPoints=[
            {"sourceVolume": "data", "containerPath": "/data", "readOnly": True},
            {"sourceVolume": "made", "containerPath": "/made"},
            {"sourceVolume": "own", "containerPath": "/one"},
            {"sourceVolume": "own", "containerPath": "/two"},
        ],
    )
    assert (bench.log(order), end.exit_code) == ("host\nread-only\nt\n", 0)
    assert (bench.home / "new" / "z").exists()


async def test_a_shared_file_system_is_one_folder_for_all_jobs(run, bench):
    """EFS and S3 Files: what one job writes another finds, as any user, below the home's `volumes`."""
    efs = {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12", "rootDirectory": "/a"}}
    mounted = {"volumes": [efs], "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}
    _, end = await run("echo kept > /v/f", user="1234", **mounted)
    assert end.exit_code == 0
    order, _ = await run("cat /v/f", **mounted)
    assert bench.log(order) == "kept\n"
    assert (bench.home / "volumes" / "fs-12" / "a" / "f").read_text() == "kept\n"


async def test_linux_parameters_are_set(run, bench):
    """ulimits, tmpfs, shared memory, devices and an init process, as the process itself sees them."""
    order, _ = await run(
        "ulimit -n; ulimit -Hn; df -k /scratch /dev/shm | tail -n +2 | tr -s ' ' | cut -d' ' -f2; "
        "grep ' /scratch ' /proc/mounts | grep -c noexec; test -c /dev/zippo && echo device; ps -o comm= 1 2>/dev/null || cat /proc/1/comm",
        ulimits=[{"name": "nofile", "softLimit": 99, "hardLimit": 100}],
        linuxParameters={
            "tmpfs": [{"containerPath": "/scratch", "size": 3, "mountOptions": ["noexec"]}],
            "sharedMemorySize": 5,
            "devices": [{"hostPath": "/dev/zero", "containerPath": "/dev/zippo", "permissions": ["READ"]}],
            "initProcessEnabled": True,
        },
    )
    told = bench.log(order).split()
    assert told[:6] == ["99", "100", "3072", "5120", "1", "device"]
    assert "init" in told[6]


async def test_user_and_root_file_system(run, bench):
    """The process is the user it was told to be, and cannot write where the image is."""
    order, end = await run(
        "id -u; id -g; touch /x 2>/dev/null || echo closed", user="1234:2345", readonlyRootFilesystem=True
    )
    assert (bench.log(order), end.exit_code) == ("1234\n2345\nclosed\n", 0)


async def test_privileged_is_the_engines_to_give(run, bench):
    """Where the engine gives it, the process has every capability; where not, the engine's words are the reason."""
    order, end = await run("grep CapEff /proc/self/status", privileged=True)
    if end.exit_code is None:
        assert end.reason.startswith(("CannotCreateContainerError: ", "CannotStartContainerError: "))
        return
    assert host_config(order)["Privileged"]
    plain, _ = await run("grep CapEff /proc/self/status")
    assert int(bench.log(order).split()[1], 16) > int(bench.log(plain).split()[1], 16)


async def test_swap_is_bounded(run):
    """MaxSwap is what may be used beyond memory, with its swappiness; engines without accounting leave it out."""
    order, end = await run("true", linuxParameters={"maxSwap": 32, "swappiness": 7})
    made = host_config(order)
    assert end.exit_code == 0
    assert made["Memory"] == 64 << 20
    assert made["MemorySwap"] in (96 << 20, 0, -1)
    assert made["MemorySwappiness"] in (7, None)


@pytest.mark.parametrize(
    "driver", ["json-file", "syslog", "journald", "gelf", "fluentd", "splunk", "awslogs"]
)
async def test_any_log_driver_logs_here(run, bench, driver):
    """Wherever a definition sends its log, this machine keeps it in the log store."""
    order, _ = await run("echo said", logConfiguration={"logDriver": driver})
    assert bench.log(order) == "said\n"
