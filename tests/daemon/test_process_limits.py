"""What a process can have of a container's properties, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from executor_contract import Bench
from process_kind import ProcessKind

from nbbatch.daemon.executors.process_limits import lack_of, refusal_of
from nbbatch.daemon.secret_store import SecretStore
from nbbatch.model.containers import Container, Device, Mount, Tmpfs


@pytest.fixture
async def bench(tmp_path):
    kind = ProcessKind()
    bench = Bench(kind, tmp_path)
    await bench.up()
    yield bench
    await bench.down()
    kind.clean(tmp_path)
    bench.check()


async def test_what_is_left_out_is_the_first_line_of_the_log(bench):
    """A process that lacks something says so, once, also after a restart."""
    order = bench.shell("echo out", user="nobody", tmpfs=(Tmpfs(target="/t", size=1),))
    await bench.run(order)
    assert (
        bench.log(order) == "nbbatch: this machine runs jobs as processes, without user nobody, tmpfs.\nout\n"
    )


async def test_secrets_reach_the_process_and_nothing_else(bench):
    """The value is in the job's environment, and in no file of the home but the store's own."""
    SecretStore(bench.home).put("token", "very-hush")
    order = bench.shell('test "$TOKEN" = very-hush', secrets=(("TOKEN", "token"),))
    assert (await bench.run(order)).exit_code == 0
    files = [path for path in bench.home.rglob("*") if path.is_file() and path.name != "secrets.json"]
    assert files
    assert not [path for path in files if b"very-hush" in path.read_bytes()]


async def test_a_missing_secret_fails_the_start(bench):
    """As in a container: ECS's reason and no exit code."""
    end = await bench.run(bench.shell("true", secrets=(("TOKEN", "none"),)))
    assert (end.exit_code, end.status_reason) == (None, "Task failed to start")
    assert end.reason.startswith("ResourceInitializationError: ")


async def test_a_mount_elsewhere_does_not_start(bench):
    """A job that would write to the wrong place is refused."""
    end = await bench.run(bench.shell("true", mounts=(Mount(target="/data", source="/srv"),)))
    assert end.reason == (
        "CannotStartContainerError: its mount point /data needs Docker, and this machine runs jobs as processes"
    )


def test_what_is_at_the_same_path_needs_no_container(bench):
    """The host's own folders and devices are there anyway."""
    zero = Device(source="/dev/zero", target="/dev/zero")
    order = bench.order("true", mounts=(Mount(target="/srv", source="/srv"),), devices=(zero,))
    assert refusal_of(order) == ""
    moved = bench.order("true", devices=(Device(source="/dev/zero", target="/dev/x"),))
    assert "its device /dev/x needs Docker" in refusal_of(moved)


def test_several_containers_are_refused(bench):
    """SubmitJob says it already; a job from a time with Docker fails to start."""
    order = bench.order("true")
    assert "its 3 containers need Docker" in refusal_of(replace(order, others=(order, order)))


def test_a_plain_container_lacks_nothing():
    """No line for what nearly all jobs are."""
    assert lack_of(Container(image="busybox", command=("true",))) == ""
