"""The mapping of an order to Docker's create call, and the other pure parts of the Docker executor."""

from __future__ import annotations

import io
import json
import os
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from nbbatch.daemon.executors.docker_events import ContainerEvent, container_event
from nbbatch.daemon.executors.docker_exits import (
    OUT_OF_MEMORY,
    Outage,
    died_with_engine,
    epoch_ms,
    exited,
    never_ran,
    outage_before,
)
from nbbatch.daemon.executors.docker_host_image import host_image_tar, is_host_image
from nbbatch.daemon.executors.docker_logs import Frames, append_log
from nbbatch.daemon.executors.docker_pause import pause_image_tar
from nbbatch.daemon.executors.docker_probe import engine_address, engine_started, probe, refuses
from nbbatch.daemon.executors.docker_spec import (
    Placement,
    _upstream_mounts,
    bundle_folder,
    container_name,
    create_body,
    gpus_of,
    has_named_volumes,
)
from nbbatch.daemon.executors.docker_usage import read_usage, usage_files
from nbbatch.errors import CouldNotStartError
from nbbatch.model.containers import Container, Device, Mount, Task, Tmpfs, Ulimit
from nbbatch.model.events import StartAttempt
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import JobId, Usage, task_id
from nbbatch.model.resources import Resources

MIB = 1 << 20


def order(environment=(), tags=(), resources=None, **container) -> StartAttempt:
    resources = resources or Resources(vcpus=2, memory=512)
    return StartAttempt(
        job_id=JobId("j:3"),
        attempt=2,
        host=HostId("i-0"),
        container=Container(**{"image": "img", "resources": resources, **container}),
        environment=tuple(environment),
        resources=resources,
        log_stream="def/default/x",
        tags=tuple(tags),
    )


def body(order: StartAttempt, **placement) -> dict:
    return create_body(order, Placement(daemon_id="d1", home=Path("/nowhere"), **placement))


def host(order: StartAttempt, **placement) -> dict:
    return body(order, **placement)["HostConfig"]


def test_the_command_leaves_the_entry_point_alone():
    """A command becomes Cmd; without one, the image's own is used."""
    made = body(order(command=("a", "b")))
    assert made["Cmd"] == ["a", "b"]
    assert "Entrypoint" not in made
    assert "Cmd" not in body(order())


def test_names_and_labels_lead_back_to_the_attempt():
    """A container names its daemon, job, attempt and GPUs, whatever the job's tags say."""
    labels = body(order(tags=(("team", "x"), ("nbbatch.attempt", "9"))), gpus=(1, 3))["Labels"]
    assert labels["nbbatch.daemon"] == "d1"
    assert labels["team"] == "x"
    assert (labels["nbbatch.job-id"], labels["nbbatch.attempt"]) == ("j:3", "2")
    assert gpus_of(labels) == (1, 3)
    assert container_name("j:3", 2) == f"nbbatch-{task_id('j:3', 2)}"


def test_labels_of_others_name_no_gpu():
    """A container without our labels holds no GPU."""
    assert gpus_of({}) == ()


def test_memory_is_hard_and_vcpus_are_shares():
    """MEMORY becomes a limit and VCPU becomes 1024 shares each, within what Docker takes."""
    made = host(order())
    assert (made["Memory"], made["CpuShares"]) == (512 * MIB, 2048)
    small = host(order(resources=Resources(vcpus=0.25, memory=4)))
    assert (small["Memory"], small["CpuShares"]) == (6 * MIB, 256)


def test_swap_is_only_limited_when_asked():
    """Without maxSwap the engine decides; swappiness counts only with it."""
    assert "MemorySwap" not in host(order(swappiness=10))
    assert "MemorySwappiness" not in host(order(swappiness=10))
    made = host(order(memory_swap=600, swappiness=10))
    assert (made["MemorySwap"], made["MemorySwappiness"]) == (600 * MIB, 10)


@pytest.mark.parametrize(("privileged", "options"), [(False, ["no-new-privileges"]), (True, [])])
def test_privileges_are_given_only_when_asked(privileged, options):
    """A container gains no privileges unless its definition is privileged."""
    made = host(order(privileged=privileged))
    assert (made["Privileged"], made["SecurityOpt"]) == (privileged, options)


def test_linux_parameters_become_dockers():
    """Init, shared memory, tmpfs, devices, ulimits and read-only root are passed on."""
    made = host(
        order(
            init=True,
            shm_size=64,
            read_only_root=True,
            tmpfs=(Tmpfs(target="/scratch", size=10, options=("noexec",)),),
            devices=(Device(source="/dev/fuse", target="/dev/f", permissions=("READ", "MKNOD")),),
            ulimits=(Ulimit(name="core", soft=0, hard=1),),
        )
    )
    assert (made["Init"], made["ShmSize"], made["ReadonlyRootfs"]) == (True, 64 * MIB, True)
    assert made["Tmpfs"] == {"/scratch": "noexec,size=10m"}
    assert made["Devices"] == [
        {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/f", "CgroupPermissions": "rm"}
    ]
    assert made["Ulimits"] == [{"Name": "core", "Soft": 0, "Hard": 1}]


def test_mounts_become_binds_and_volumes():
    """A source is bound; none is an anonymous volume; a colon needs the long form."""
    made = host(
        order(
            mounts=(
                Mount(target="/a", source="/x", read_only=True),
                Mount(target="/b"),
                Mount(target="/c", source="/with:colon"),
            )
        )
    )
    assert made["Binds"] == ["/x:/a:ro"]
    assert made["Mounts"] == [
        {"Type": "volume", "Target": "/b", "ReadOnly": False},
        {"Type": "bind", "Source": "/with:colon", "Target": "/c", "ReadOnly": False},
    ]


def test_gpus_are_named_devices():
    """The container gets exactly the devices that admission gave it."""
    assert host(order())["DeviceRequests"] == []
    (request,) = host(order(), gpus=(0, 2))["DeviceRequests"]
    assert (request["DeviceIDs"], request["Capabilities"]) == (["0", "2"], [["gpu"]])


def test_networks_are_dockers_own():
    """The bridge knows the host by name; the host's network needs no help."""
    assert host(order())["NetworkMode"] == "bridge"
    assert host(order())["ExtraHosts"] == ["host.docker.internal:host-gateway"]
    assert "ExtraHosts" not in host(order(), network="host")


def test_secrets_are_variables_and_not_shown():
    """The container gets the values; what describes a placement does not have them."""
    placement = Placement(daemon_id="d", home=Path("/nowhere"), secrets=(("KEY", "hush"),))
    assert create_body(order(environment=(("A", "1"),)), placement)["Env"] == ["A=1", "KEY=hush"]
    assert "hush" not in repr(placement)


def of_task(*others, task=None, **more):
    """An order of a task, whose other containers mount the same volume or not."""
    return replace(order(**more), others=tuple(others), task=task or Task())


def test_containers_of_a_task_share_what_they_are_told_to():
    """The pause container's network, its memory and processes, and one volume by name."""
    mounts = (Mount(target="/v", volume="v"),)
    job = of_task(order(mounts=mounts), mounts=mounts, task=Task(ipc_mode="task", pid_mode="host"))
    made = host(job, task="nbbatch-x")
    assert (made["NetworkMode"], made["IpcMode"], made["PidMode"]) == (
        "container:nbbatch-x",
        "container:nbbatch-x",
        "host",
    )
    assert "ExtraHosts" not in made
    (volume,) = made["Mounts"]
    assert volume["Source"].startswith(container_name("j:3", 2))
    assert volume["VolumeOptions"]["Labels"]["nbbatch.task"] == container_name("j:3", 2)
    assert has_named_volumes(job)
    assert host(job, task="nbbatch-x", network="host")["NetworkMode"] == "host"


def test_a_volume_that_is_mounted_once_needs_no_name():
    """It goes with its container; two mounts of one volume need to find each other."""
    once, twice = (Mount(target="/a", volume="v"),), tuple(Mount(target=t, volume="v") for t in ("/a", "/b"))
    assert host(order(mounts=once))["Mounts"] == [{"Type": "volume", "Target": "/a", "ReadOnly": False}]
    sources = [known["Source"] for known in host(order(mounts=twice))["Mounts"]]
    assert sources[0] == sources[1]
    assert (has_named_volumes(order(mounts=once)), has_named_volumes(order(mounts=twice))) == (False, True)


def test_a_shared_file_system_is_a_folder_of_the_home(tmp_path):
    """It is made when it is first mounted, open to every user as a file system of many jobs is."""
    job = order(mounts=(Mount(target="/v", source="fs-1/a", volume="v", shared=True),))
    made = create_body(job, Placement(daemon_id="d", home=tmp_path))["HostConfig"]
    assert made["Binds"] == [f"{tmp_path}/volumes/fs-1/a:/v:rw"]
    assert (tmp_path / "volumes" / "fs-1" / "a").stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize(("architecture", "machine"), [("x86_64", 62), ("aarch64", 183)])
def test_the_pause_image_is_one_static_program(architecture, machine):
    """An ELF file of the engine's architecture whose one segment is the whole file."""
    with tarfile.open(fileobj=io.BytesIO(pause_image_tar(architecture))) as tar:
        (member,) = tar.getmembers()
        program = tar.extractfile(member).read()
    assert (member.name, member.mode) == ("pause", 0o755)
    assert program[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", program, 18) == (machine,)
    assert struct.unpack_from("<QQ", program, 96) == (len(program), len(program))


def test_an_architecture_without_a_program_is_told():
    """The attempt fails with a reason that names it."""
    with pytest.raises(CouldNotStartError, match="not riscv64"):
        pause_image_tar("riscv64")


def test_a_bundle_is_mounted_where_it_is(tmp_path):
    """The bundle appears in the container at its own path, writable."""
    bundle = tmp_path / "bundles" / "b"
    bundle.mkdir(parents=True)
    job = order(environment=(("NBBATCH_BUNDLE", f"file://{bundle}"),))
    made = create_body(job, Placement(daemon_id="d", home=tmp_path))
    (mount,) = made["HostConfig"]["Mounts"]
    assert (mount["Source"], mount["Target"], mount["ReadOnly"]) == (str(bundle), str(bundle), False)


def test_only_the_results_of_a_bundle_can_be_written(tmp_path):
    """Blobs are hard links that other bundles share; a job cannot change them."""
    bundle = tmp_path / "bundles" / "b"
    (bundle / "results").mkdir(parents=True)
    job = order(environment=(("NBBATCH_BUNDLE", f"file://{bundle}"),))
    mounts = create_body(job, Placement(daemon_id="d", home=tmp_path))["HostConfig"]["Mounts"]
    assert [(mount["Target"], mount["ReadOnly"]) for mount in mounts] == [
        (str(bundle), True),
        (str(bundle / "results"), False),
    ]


@pytest.mark.parametrize(
    "url",
    ["file:///etc", "file://{home}/bundles", "file://{home}/bundles/../logs", "file://{home}/bundles/link",
     "file://{home}/bundles/missing", "{home}/bundles/b", ""],
)  # fmt: skip
def test_no_bundle_leaves_its_folder(tmp_path, url):
    """Whatever does not resolve to a folder inside the bundles is refused."""
    for folder in ("bundles/b", "logs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bundles" / "link").symlink_to(tmp_path / "logs")
    with pytest.raises(CouldNotStartError, match="CannotStartContainerError: NBBATCH_BUNDLE="):
        bundle_folder((("NBBATCH_BUNDLE", url.format(home=tmp_path)),), tmp_path)


def test_a_bundle_in_s3_is_the_jobs_own_matter(tmp_path):
    """Nothing of the home is mounted for it."""
    assert bundle_folder((("NBBATCH_BUNDLE", "s3://bucket/bundles/b"),), tmp_path) is None


def test_frames_come_apart_however_they_are_cut():
    """Output is the same whether the engine's bytes come at once or one by one."""
    framed = b"".join(
        struct.pack(">BxxxL", stream, len(text)) + text
        for stream, text in ((1, b"one\n"), (2, b""), (2, b"two\n"), (1, b"\xff"))
    )
    assert Frames().feed(framed) == b"one\ntwo\n\xff"
    single = Frames()
    assert b"".join(single.feed(framed[at : at + 1]) for at in range(len(framed))) == b"one\ntwo\n\xff"


@pytest.mark.parametrize("held", [b"", b"on", b"one\ntw", b"one\ntwo\n"])
def test_a_log_is_completed_from_wherever_it_stopped(tmp_path, held):
    """Copying again adds what is missing and nothing twice."""
    path = tmp_path / "log"
    path.write_bytes(held)
    chunks = [struct.pack(">BxxxL", 1, 4) + text for text in (b"one\n", b"two\n")]
    append_log(chunks, path)
    assert path.read_bytes() == b"one\ntwo\n"


def test_dockers_times_are_epoch_milliseconds():
    """Nanoseconds are rounded, and the zero time is none."""
    assert epoch_ms("1970-01-01T00:00:01.234567891Z") == 1235
    assert epoch_ms("0001-01-01T00:00:00Z") is None


def end(code, stopped_at=10_000, *, out_of_memory=False):
    return exited(
        order(), code=code, started_at=1, stopped_at=stopped_at, usage=Usage(), out_of_memory=out_of_memory
    )


def test_out_of_memory_is_a_reason_only_of_a_failure():
    """A process that survived an out-of-memory kill of a child has simply exited."""
    assert end(137, out_of_memory=True).reason == OUT_OF_MEMORY
    assert end(0, out_of_memory=True).reason is None
    assert end(137).reason is None


@pytest.mark.parametrize(
    ("code", "stopped_at", "lost"),
    [
        (137, 50_000, True),
        (143, 50_000, True),
        (137, 25_000, True),
        (137, 70_000, False),
        (1, 50_000, False),
        (255, 50_000, False),
        (255, 58_500, True),
    ],
)
def test_a_death_with_the_engine_is_told_by_its_signal_and_its_time(code, stopped_at, lost):
    """SIGKILL and SIGTERM around an outage, and 255 at its end, count as the engine's doing."""
    outage = Outage(since=45_000, back=58_000, until=60_000)
    assert died_with_engine(end(code, stopped_at), outage) is lost


@pytest.mark.parametrize(
    ("code", "stopped_at", "lost"),
    [(137, 1, True), (255, 1, False), (255, 90_100, True), (137, 200_000, False)],
)
def test_a_new_daemon_judges_by_the_engines_start(code, stopped_at, lost):
    """What a former engine stopped is lost; what ended under this one is not."""
    assert died_with_engine(end(code, stopped_at), outage_before(90_000)) is lost
    assert not died_with_engine(end(code, stopped_at), outage_before(None))


def test_without_an_outage_a_signal_is_the_jobs_own():
    """While the engine stays, exit 137 is exit 137; an out-of-memory kill always is its own."""
    assert not died_with_engine(end(137), None)
    assert not died_with_engine(end(137, 50_000, out_of_memory=True), outage_before(60_000))


def test_what_never_ran_has_no_exit_code():
    """An attempt without a process has no code and no start."""
    made = never_ran(order(), 5, "CannotPullContainerError: x")
    assert (made.exit_code, made.started_at, made.status_reason) == (None, None, "Task failed to start")


def test_events_are_read_from_the_engines_json():
    """The container's name, time and exit code come out of Docker's message."""
    message = {
        "Action": "die",
        "Actor": {"ID": "abc", "Attributes": {"name": "nbbatch-1", "exitCode": "3"}},
        "timeNano": 5_000_000_000,
    }
    expected = ContainerEvent(action="die", name="nbbatch-1", container_id="abc", at=5000, exit_code=3)
    assert container_event(json.loads(json.dumps(message))) == expected


def test_the_host_image_is_mount_points_only():
    """The image holds folders, open to everybody, and a /tmp that anyone may write to."""
    with tarfile.open(fileobj=io.BytesIO(host_image_tar())) as tar:
        members = {member.name: member for member in tar.getmembers()}
    assert all(member.isdir() and member.mode & 0o005 == 0o005 for member in members.values())
    assert members["tmp"].mode == 0o1777
    assert {"usr", "lib64", "root", "home"} <= members.keys()
    assert is_host_image("nbbatch/host:latest")
    assert not is_host_image("nbbatch/hostess")


def test_usage_is_read_under_both_control_group_versions(tmp_path):
    """CPU seconds and peak memory are found under either version; what is gone keeps its last value."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, files in {
        one / "cpuacct/docker/c": {"cpuacct.usage": "1500000000"},
        one / "memory/docker/c": {"memory.max_usage_in_bytes": str(3 * MIB)},
        two / "system.slice/docker-c.scope": {
            "cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
            "memory.peak": str(3 * MIB),
        },
    }.items():
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    for root in (one, two):
        files = usage_files("c", root)
        assert read_usage(files, Usage()) == Usage(cpu_seconds=1.5, peak_memory=3)
        before = Usage(cpu_seconds=9.0, peak_memory=9)
        assert read_usage(files, before) == before
        assert read_usage(replace(files, cpu=root / "gone"), before) == before
    assert usage_files("unknown", one) is None


async def test_where_no_engine_is_none_is_found(tmp_path, monkeypatch):
    """An address where nobody listens refuses, and the probe says None."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    assert engine_address() == f"unix://{tmp_path}/none"
    assert refuses(f"unix://{tmp_path}/none")
    assert await probe() is None


def test_an_engines_start_is_told_by_its_socket(tmp_path, monkeypatch):
    """The socket's age is the engine's; of an engine elsewhere nothing is known."""
    monkeypatch.setattr("nbbatch.daemon.executors.docker_probe._PID_FILE", tmp_path / "none")
    (tmp_path / "s").touch()
    os.utime(tmp_path / "s", (5, 5))
    assert engine_started(f"unix://{tmp_path}/s") == 5000
    assert engine_started("tcp://127.0.0.1:1") is None


def test_bundles_of_earlier_jobs_are_mounted_to_be_read(tmp_path):
    """Those that the bundle names, if they lie beside it; nothing else of the home."""
    bundles = tmp_path / "bundles"
    earlier, bundle = bundles / "earlier", bundles / "mine"
    for folder in (earlier, bundle):
        (folder / "results").mkdir(parents=True)
    (bundle / "upstream").write_text(f"file://{earlier}")
    assert _upstream_mounts(bundle) == [Mount(source=str(earlier), target=str(earlier), read_only=True)]
    for url in (f"file://{tmp_path}", f"file://{bundles}/gone", f"file://{bundles}/../secrets.json"):
        (bundle / "upstream").write_text(url)
        with pytest.raises(CouldNotStartError, match="earlier job"):
            _upstream_mounts(bundle)
