"""The Docker executor against a real engine: real containers, real ends, restarts on both sides."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from docker_image import IMAGE
from docker_kind import SYSTEM_DOCKER, has_image

from nbbatch.daemon.executors.docker import DockerExecutor
from nbbatch.daemon.executors.docker_probe import probe
from nbbatch.daemon.ports import ExpectedAttempt
from nbbatch.model.containers import Container, Mount, Ulimit
from nbbatch.model.events import (
    AttemptExited,
    AttemptStarted,
    AttemptVanished,
    StartAttempt,
    StopAttempt,
)
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import JobId
from nbbatch.model.resources import Resources

DEADLINE = 120.0

pytestmark = pytest.mark.docker


@pytest.fixture(scope="session")
def image():
    if not has_image():
        pytest.skip(f"no Docker Engine with the image {IMAGE}; scripts/docker-test-image makes it")
    return IMAGE


def order(*command, job_id=None, attempt=1, memory=64, vcpus=1.0, env=(), **container) -> StartAttempt:
    """An order to run a command."""
    resources = Resources(vcpus=vcpus, memory=memory)
    name = JobId(job_id or str(uuid.uuid4()))
    return StartAttempt(
        job_id=name,
        attempt=attempt,
        host=HostId("i-0"),
        container=Container(
            **{"image": IMAGE, "command": tuple(command), "resources": resources, **container}
        ),
        environment=(("AWS_BATCH_JOB_ID", name), *env),
        resources=resources,
        log_stream=f"def/default/{uuid.uuid4().hex}",
    )


def python(code: str, **rest) -> StartAttempt:
    return order("python3", "-u", "-c", code, **rest)


class Logs:
    """A sink in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, stream: str) -> str:
        file = self._root / f"{stream}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        return str(file)

    def size(self, stream: str) -> int:
        return Path(self.path(stream)).stat().st_size


class World:
    """An executor that can be let go and taken up again, and all it has reported."""

    def __init__(self, home: Path, address: str = SYSTEM_DOCKER, **settings) -> None:
        self.home, self.address, self.settings = home, address, settings
        self.daemon_id = f"test-{uuid.uuid4().hex}"
        self.logs = Logs(home / "logs")
        self.reports: list = []
        self.news = asyncio.Event()
        self.executor: DockerExecutor | None = None

    def report(self, reports) -> None:
        self.reports += reports
        self.news.set()

    async def open(self, *expected: ExpectedAttempt) -> DockerExecutor:
        machine = self.settings.get("machine", Resources(vcpus=4, memory=4096))
        self.executor = DockerExecutor(
            self.home,
            machine,
            self.report,
            self.logs,
            self.daemon_id,
            address=self.address,
            network=self.settings.get("network", "host"),
        )
        await self.executor.adopt(expected)
        return self.executor

    async def until(self, condition: Callable[[], object], seconds: float = DEADLINE):
        async with asyncio.timeout(seconds):
            while not (result := condition()):
                self.news.clear()
                await self.news.wait()
        return result

    def of(self, order, kind):
        return [
            r
            for r in self.reports
            if (r.job_id, r.attempt) == (order.job_id, order.attempt) and isinstance(r, kind)
        ]

    async def end(self, order):
        (end,) = await self.until(lambda: self.of(order, AttemptExited | AttemptVanished))
        return end

    async def started(self, order) -> AttemptStarted:
        return (await self.until(lambda: self.of(order, AttemptStarted)))[0]

    async def run(self, order):
        self.executor.start([order])
        return await self.end(order)

    def log(self, order) -> bytes:
        path = Path(self.logs.path(order.log_stream))
        return path.read_bytes() if path.exists() else b""

    async def log_has(self, order, text: bytes) -> None:
        """Wait for output to become visible while the job runs."""
        async with asyncio.timeout(DEADLINE):
            while text not in self.log(order):
                assert not self.of(order, AttemptExited | AttemptVanished)
                await asyncio.sleep(0.01)  # files tell nobody that they grow

    def containers(self) -> list[str]:
        listing = self.docker("ps", "-aq", "--filter", f"label=nbbatch.daemon={self.daemon_id}")
        return listing.split()

    def docker(self, *arguments: str) -> str:
        command = ["docker", "-H", self.address, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    async def gone(self) -> None:
        """Wait until no container of this daemon is left."""
        async with asyncio.timeout(DEADLINE):
            while self.executor._tasks:
                await asyncio.wait(set(self.executor._tasks))
        assert self.containers() == []

    async def close(self) -> None:
        if self.executor is not None:
            await self.executor.close()
            self.executor = None

    def clean(self) -> None:
        left = self.containers()
        if left:  # one may be going just now
            command = ["docker", "-H", self.address, "rm", "-fv", *left]
            subprocess.run(command, capture_output=True, check=False)


@pytest.fixture
async def world(image, tmp_path):
    world = World(tmp_path)
    await world.open()
    yield world
    await world.close()
    world.clean()


async def test_exit_code_times_and_output_come_back(world):
    """A container's exit code, times and output are those of its process."""
    job = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    end = await world.run(job)
    assert (end.exit_code, end.reason, end.status_reason) == (3, None, "Essential container in task exited")
    assert sorted(world.log(job).splitlines()) == [b"err", b"out"]
    (started,) = world.of(job, AttemptStarted)
    assert started.started_at == end.started_at <= end.stopped_at


async def test_settled_removes_the_container_and_not_before(world):
    """The container is kept until its end is durable."""
    job = order("true")
    end = await world.run(job)
    assert len(world.containers()) == 1
    world.executor.settled([end])
    await world.gone()


async def test_starting_twice_starts_once(world):
    """The same attempt ordered twice runs once."""
    job = python("print('once')")
    world.executor.start([job, job])
    world.executor.start([job])
    await world.end(job)
    assert world.log(job) == b"once\n"
    assert len(world.containers()) == 1


async def test_environment_and_user_reach_the_process(world):
    """Variables, user and entry-point-free command arrive as ordered."""
    job = python(
        "import os; print(os.environ['K'], os.environ['AWS_BATCH_JOB_ID'], os.getuid(), os.getgid())",
        env=(("K", "a=b c"),),
        user="1234:2345",
    )
    await world.run(job)
    assert world.log(job).decode() == f"a=b c {job.job_id} 1234 2345\n"


async def test_limits_are_set(world):
    """Memory, shares, ulimits, shared memory and capabilities are those of the definition."""
    job = order(
        "true", memory=128, vcpus=2.0, ulimits=(Ulimit(name="nofile", soft=99, hard=100),), shm_size=32
    )
    await world.run(job)
    (container,) = world.containers()
    shown = json.loads(world.docker("inspect", "-f", "{{json .HostConfig}}", container))
    assert (shown["Memory"], shown["CpuShares"], shown["ShmSize"]) == (128 << 20, 2048, 32 << 20)
    assert (shown["Privileged"], shown["SecurityOpt"]) == (False, ["no-new-privileges"])
    assert shown["Ulimits"] == [{"Name": "nofile", "Soft": 99, "Hard": 100}]


async def test_a_bundle_is_the_only_part_of_the_home_that_is_seen(world):
    """A job writes into its own bundle as its user and sees no other."""
    ours, other = world.home / "bundles" / "b1", world.home / "bundles" / "b2"
    for folder in (ours, other):
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    code = (
        f"import os; print(os.listdir({str(ours.parent)!r})); open({str(ours / 'result')!r}, 'w').write('x')"
    )
    job = python(code, env=(("NBBATCH_BUNDLE", f"file://{ours}"),), user=f"{os.getuid()}:{os.getgid()}")
    assert (await world.run(job)).exit_code == 0
    assert world.log(job) == b"['b1']\n"
    assert (ours / "result").stat().st_uid == os.getuid()


async def test_a_bundle_outside_the_home_does_not_start(world):
    """A path that leaves the bundles' folder is refused by name."""
    (world.home / "bundles").mkdir()
    job = order("true", env=(("NBBATCH_BUNDLE", f"file://{world.home}/bundles/../logs"),))
    end = await world.run(job)
    assert end.exit_code is None
    assert end.status_reason == "Task failed to start"
    assert end.reason.startswith("CannotStartContainerError: NBBATCH_BUNDLE=")


async def test_read_only_mounts_cannot_be_written(world):
    """A read-only mount shows the host's files and takes no writes."""
    (world.home / "data").mkdir()
    (world.home / "data" / "x").write_text("hello")
    mount = Mount(target="/data", source=str(world.home / "data"), read_only=True)
    job = python("print(open('/data/x').read()); open('/data/y', 'w')", mounts=(mount,))
    assert (await world.run(job)).exit_code == 1
    assert b"hello" in world.log(job)
    assert b"Read-only file system" in world.log(job)


async def test_out_of_memory_is_told_apart(world):
    """A container killed for its memory ends with ECS's reason and its peak."""
    job = python("x = bytearray(400 << 20)", memory=48, memory_swap=48)
    end = await world.run(job)
    assert end.exit_code == 137
    assert end.reason == "OutOfMemoryError: Container killed due to memory usage"
    assert end.usage.peak_memory == 48


async def test_usage_is_measured(world, monkeypatch):
    """CPU time and peak memory of a job that runs for a while are known."""
    monkeypatch.setattr("nbbatch.daemon.executors.docker._SAMPLE_EVERY", 0.02)
    job = python(
        "import time; x = bytearray(50 << 20); end = time.process_time() + 0.8\n"
        "while time.process_time() < end: pass",
        memory=256,
    )
    end = await world.run(job)
    if end.usage.peak_memory is None:
        pytest.skip("the engine's control groups cannot be read here")
    assert 50 <= end.usage.peak_memory <= 256
    assert 0.3 <= end.usage.cpu_seconds <= 3


async def test_output_is_live(world):
    """What a job has printed can be read while it runs, partial reads and all."""
    gate = world.home / "gate"
    gate.mkdir()
    mount = Mount(target="/gate", source=str(gate), read_only=True)
    code = "import os, time; print('first')\nwhile not os.path.exists('/gate/go'): time.sleep(.01)\nprint('last')"
    job = python(code, mounts=(mount,))
    world.executor.start([job])
    await world.log_has(job, b"first\n")
    assert not world.of(job, AttemptExited)
    (gate / "go").touch()
    await world.end(job)
    assert world.log(job) == b"first\nlast\n"


async def test_a_large_log_is_complete(world):
    """Many lines, written faster than they are read, arrive all and once."""
    code = "import sys, time\ntime.sleep(.5)\nfor n in range(200_000): sys.stdout.write(f'{n}\\n')"
    job = order("python3", "-c", code)
    await world.run(job)
    assert world.log(job) == b"".join(b"%d\n" % n for n in range(200_000))


async def test_a_log_has_one_writer_at_a_time(world, monkeypatch):
    """A short job's log does not become live while its final copy is under way."""
    from nbbatch.daemon.executors import docker_output

    followers, counts = [], []
    copy = docker_output.bring_log_home

    def slow_copy(*arguments):
        counts.append(len(followers))
        time.sleep(0.3)
        copy(*arguments)
        counts.append(len(followers))

    monkeypatch.setattr(docker_output, "_FOLLOW_AFTER", 0.2)
    monkeypatch.setattr(docker_output, "LogFollower", lambda *arguments: followers.append(arguments))
    monkeypatch.setattr(docker_output, "bring_log_home", slow_copy)
    job = python("print('once')")
    await world.run(job)
    assert world.log(job) == b"once\n"
    assert counts[0] == counts[1]


async def test_stop_terminates_politely_first(world):
    """SIGTERM lets a process finish by itself."""
    code = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('ready')\nwhile True: time.sleep(0.05)"
    )
    job = python(code)
    world.executor.start([job])
    await world.log_has(job, b"ready")
    world.executor.stop([StopAttempt(job_id=job.job_id, attempt=1, grace_seconds=30)])
    assert (await world.end(job)).exit_code == 5


async def test_stop_kills_after_the_grace(world):
    """A process that ignores SIGTERM is killed when the grace is over."""
    job = python("import signal, time; signal.signal(15, signal.SIG_IGN); print('ready'); time.sleep(60)")
    world.executor.start([job])
    await world.log_has(job, b"ready")
    world.executor.stop([StopAttempt(job_id=job.job_id, attempt=1, grace_seconds=1)])
    end = await world.end(job)
    assert (end.exit_code, end.reason) == (137, None)


async def test_what_waits_for_room_never_runs_when_stopped(world):
    """A stopped attempt that was still waiting ends without a container."""
    big = python("import time; time.sleep(60)", memory=4096)
    waiting = order("true", memory=64)
    world.executor.start([big, waiting])
    await world.started(big)
    world.executor.stop([StopAttempt(job_id=waiting.job_id, attempt=1)])
    end = await world.end(waiting)
    assert (end.exit_code, end.started_at) == (None, None)
    world.executor.stop([StopAttempt(job_id=big.job_id, attempt=1, grace_seconds=0)])
    assert (await world.end(big)).exit_code in (137, 143)


async def test_a_missing_image_is_a_start_failure_in_the_engines_words(world):
    """An image that cannot be had fails the attempt as ECS would say it."""
    end = await world.run(order("true", image="127.0.0.1:9/no/such:tag"))
    assert (end.exit_code, end.status_reason) == (None, "Task failed to start")
    assert end.reason.startswith("CannotPullContainerError: ")


async def test_a_command_that_is_not_there_is_a_start_failure(world):
    """A program missing in the image fails the start with the engine's words."""
    job = order("no-such-program")
    end = await world.run(job)
    assert end.exit_code is None
    assert end.reason.startswith("CannotStartContainerError: ")
    assert "no-such-program" in end.reason
    world.executor.settled([end])
    await world.gone()


async def test_a_new_daemon_adopts_what_runs(world):
    """A running container goes on under a new daemon: same process, no line lost or doubled."""
    gate = world.home / "gate"
    gate.mkdir()
    mount = Mount(target="/gate", source=str(gate), read_only=True)
    code = (
        "import os, time\nfor n in range(3000): print(n)\n"
        "while not os.path.exists('/gate/go'): time.sleep(.01)\n"
        "for n in range(3000, 6000): print(n)\nraise SystemExit(7)"
    )
    job = python(code, mounts=(mount,))
    world.executor.start([job])
    await world.log_has(job, b"\n2000\n")
    await world.close()
    await world.open(ExpectedAttempt(order=job, was_running=True))
    (gate / "go").touch()
    end = await world.end(job)
    assert end.exit_code == 7
    assert end.started_at is not None
    assert len(world.of(job, AttemptStarted)) == 1
    assert world.log(job) == b"".join(b"%d\n" % n for n in range(6000))


async def test_a_new_daemon_learns_of_ends_it_missed(world):
    """What ended while no daemon watched is reported with its true exit code and whole log."""
    gate = world.home / "gate"
    gate.mkdir()
    mount = Mount(target="/gate", source=str(gate), read_only=True)
    code = "import os, time\nwhile not os.path.exists('/gate/go'): time.sleep(.01)\nprint('done'); raise SystemExit(9)"
    job = python(code, mounts=(mount,))
    world.executor.start([job])
    await world.started(job)
    await world.close()
    (gate / "go").touch()
    await asyncio.to_thread(world.docker, "wait", *world.containers())
    await world.open(ExpectedAttempt(order=job, was_running=True))
    assert (await world.end(job)).exit_code == 9
    assert world.log(job) == b"done\n"


async def test_a_new_daemon_begins_what_was_decided_and_gives_up_what_is_gone(world):
    """Never begun is begun now; begun and gone has vanished; what nobody expects is removed."""
    stray, fresh, lost = python("import time; time.sleep(60)"), order("true"), order("true")
    world.executor.start([stray])
    await world.started(stray)
    await world.close()
    await world.open(
        ExpectedAttempt(order=fresh, was_running=False), ExpectedAttempt(order=lost, was_running=True)
    )
    assert isinstance(await world.end(lost), AttemptVanished)
    end = await world.end(fresh)
    assert end.exit_code == 0
    world.executor.settled([end])
    await world.gone()


async def test_a_container_made_but_not_started_is_started(world):
    """A daemon killed between create and start finds the container and starts it."""
    from nbbatch.daemon.executors.docker_engine import Engine
    from nbbatch.daemon.executors.docker_spec import Placement, container_name, create_body

    job = python("print('hello')")
    await world.close()
    engine = Engine(SYSTEM_DOCKER)
    placement = Placement(daemon_id=world.daemon_id, home=world.home, network="host")
    engine.create(container_name(job.job_id, 1), create_body(job, placement))
    engine.close()
    await world.open(ExpectedAttempt(order=job, was_running=False))
    assert (await world.end(job)).exit_code == 0
    assert world.log(job) == b"hello\n"


async def test_a_container_removed_by_hand_still_has_its_exit_code(world):
    """`docker rm -f` under a running job is an exit by SIGKILL, not a mystery."""
    job = python("import time; time.sleep(60)")
    world.executor.start([job])
    await world.started(job)
    world.docker("rm", "-f", *world.containers())
    assert (await world.end(job)).exit_code == 137


async def test_jobs_reach_the_host_and_not_each_other_over_the_bridge(image, tmp_path):
    """With the bridge a job has an address of its own and finds the host by name."""
    world = World(tmp_path, network="bridge")
    await world.open()
    try:
        job = python("import socket; print(socket.gethostbyname('host.docker.internal'))")
        assert (await world.run(job)).exit_code == 0
        assert world.log(job).count(b".") == 3
    finally:
        await world.close()
        world.clean()


def host_mounts(*more: str) -> tuple[Mount, ...]:
    """What a definition binds into `nbbatch/host`; /sbin is where Docker puts its init."""
    folders = [f"/{name}" for name in ("usr", "lib", "lib64", "bin", "etc", "opt")]
    sources = [source for source in (*folders, *more) if Path(source).exists()]
    return tuple(Mount(target=source, source=source, read_only=True) for source in sources)


async def test_the_host_image_shows_the_hosts_python(world):
    """A container made of nothing runs this very interpreter, as another user too."""
    mounts = host_mounts(*sorted({sys.prefix, sys.base_prefix} - {"/usr"}))
    code = "import sys, json, sqlite3; print(sys.version_info[:2], sys.prefix)"
    users = ["0:0", "65534:65534"] if os.getuid() == 0 else [f"{os.getuid()}:{os.getgid()}"]
    jobs = [
        order(sys.executable, "-c", code, image="nbbatch/host", mounts=mounts, user=user, memory=256)
        for user in users
    ]
    world.executor.start(jobs)
    for job in jobs:
        assert (await world.end(job)).exit_code == 0, world.log(job)
        assert world.log(job).decode() == f"{sys.version_info[:2]} {sys.prefix}\n"


async def test_the_probe_tells_the_version_or_nothing(image, tmp_path):
    """Where an engine answers its version is told; where none does, None, quickly."""
    assert (await probe(SYSTEM_DOCKER, wait=DEADLINE))[0].isdigit()
    assert await probe(f"unix://{tmp_path}/none.sock") is None


class PrivateDockerd:
    """A Docker Engine of our own, to be killed and started again.

    In a network namespace of its own: `--bridge=none` deletes `docker0`, whosever it is.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = f"unix://{root}/s"
        self.process: subprocess.Popen | None = None

    async def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        self.spawn()
        async with asyncio.timeout(DEADLINE):
            while await probe(self.address) is None:
                assert self.process.poll() is None, (self.root / "log").read_text()[-2000:]
                await asyncio.sleep(0.05)  # a socket that is not there yet cannot be waited for

    def spawn(self) -> None:
        command = [
            "unshare",
            "--net",
            "dockerd",
            "--data-root",
            self.root / "d",
            "--exec-root",
            self.root / "e",
        ]
        command += ["--pidfile", self.root / "p", "-H", self.address]
        command += ["--bridge=none", "--iptables=false", "--ip-forward=false"]
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal and wait for that; a killed one leaves its pid files behind.

        Where nobody reaps orphans, dockerd would take the zombie of its containerd for alive.
        """
        self.process.send_signal(number)
        self.process.wait(DEADLINE)
        for left in (self.root / "p", self.root / "e" / "containerd" / "containerd.pid"):
            left.unlink(missing_ok=True)

    def remove(self) -> None:
        """Leave neither mounts nor files behind."""
        mounts = [part.mountpoint for part in psutil.disk_partitions(all=True)]
        for mount in sorted((m for m in mounts if m.startswith(f"{self.root}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=True)
        shutil.rmtree(self.root)

    def sweep(self) -> None:
        """End what a killed engine left behind, should a test have failed halfway."""
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.root) in word for word in process.info["cmdline"] or ()):
                with suppress(psutil.NoSuchProcess):
                    for one in process.children(recursive=True):
                        one.kill()
                    process.kill()


@pytest.fixture
async def private_dockerd():
    if os.geteuid() != 0 or not (shutil.which("dockerd") and shutil.which("unshare")):
        pytest.skip("needs root, dockerd and unshare")
    root = Path(tempfile.mkdtemp(prefix="nbd"))
    dockerd = PrivateDockerd(root)
    await dockerd.start()
    yield dockerd
    if dockerd.process.poll() is None:
        dockerd.end(signal.SIGTERM)
    dockerd.sweep()
    dockerd.remove()


@pytest.fixture
async def private_world(private_dockerd, tmp_path):
    world = World(tmp_path, private_dockerd.address)
    await world.open()
    yield world
    if private_dockerd.process.poll() is None:
        world.clean()
    await world.close()


def shell(code: str, **rest) -> StartAttempt:
    rest = {"init": True, **rest}
    return order(
        "/bin/sh", "-c", code, image="nbbatch/host", mounts=(*host_mounts(), *rest.pop("more", ())), **rest
    )


@pytest.mark.slow
async def test_nothing_is_lost_when_dockerd_is_killed(private_dockerd, private_world):
    """True ends are kept, running jobs have lost their host, orders given meanwhile run later."""
    world, gate = private_world, private_world.home / "gate"
    gate.mkdir()
    more = (Mount(target="/mnt", source=str(gate), read_only=True),)
    runs = shell("echo up; exec sleep 300")
    ends = shell("echo up; until test -e /mnt/go; do sleep .05; done; echo down; exit 4", more=more)
    world.executor.start([runs, ends])
    await world.log_has(runs, b"up")
    await world.log_has(ends, b"up")
    private_dockerd.end(signal.SIGKILL)
    (gate / "go").touch()
    later = shell("echo later")
    world.executor.start([later])
    await private_dockerd.start()
    assert (await world.end(later)).exit_code == 0
    assert isinstance(await world.end(runs), AttemptVanished)
    assert (await world.end(ends)).exit_code == 4
    assert len(world.of(runs, AttemptStarted)) == 1
    assert world.docker("ps", "-q") == ""


@pytest.mark.slow
async def test_a_polite_restart_of_dockerd_fails_no_job(private_dockerd, private_world):
    """What dockerd stops when it is told to go has lost its host; what waits runs afterwards."""
    world = private_world
    runs, big = shell("echo up; exec sleep 300"), shell("echo later", memory=4096)
    world.executor.start([runs, big])
    await world.log_has(runs, b"up")
    private_dockerd.end(signal.SIGTERM)
    await private_dockerd.start()
    assert isinstance(await world.end(runs), AttemptVanished)
    assert (await world.end(big)).exit_code == 0


@pytest.mark.slow
async def test_a_daemon_may_come_up_before_its_engine(private_dockerd, tmp_path, monkeypatch):
    """Orders given while no engine answers wait, and run when there is one."""
    monkeypatch.setattr("nbbatch.daemon.executors.docker._COME_UP", 0.1)
    private_dockerd.end(signal.SIGTERM)
    world = World(tmp_path, private_dockerd.address)
    expected, lost, stopped, later = (shell("echo ran") for _ in range(4))
    await world.open(
        ExpectedAttempt(order=expected, was_running=False),
        ExpectedAttempt(order=lost, was_running=True),
        ExpectedAttempt(order=stopped, was_running=False),
    )
    world.executor.stop([StopAttempt(job_id=stopped.job_id, attempt=1)])
    world.executor.start([later])
    assert world.reports == []
    await private_dockerd.start()
    assert [(await world.end(job)).exit_code for job in (expected, later)] == [0, 0]
    assert isinstance(await world.end(lost), AttemptVanished)
    assert (await world.end(stopped)).exit_code is None
    await world.close()
    world.clean()


@pytest.mark.slow
async def test_a_reboot_loses_the_host_and_not_the_exit_codes(private_dockerd, private_world):
    """After daemon, engine and containers were all killed, what ran is lost and what had ended is known."""
    world = private_world
    runs, ended = shell("echo up; exec sleep 300"), shell("exit 6")
    world.executor.start([runs, ended])
    await world.log_has(runs, b"up")
    await world.end(ended)
    await world.close()
    private_dockerd.end(signal.SIGKILL)
    private_dockerd.sweep()
    await private_dockerd.start()
    world.reports.clear()
    await world.open(
        ExpectedAttempt(order=runs, was_running=True), ExpectedAttempt(order=ended, was_running=True)
    )
    assert isinstance(await world.end(runs), AttemptVanished)
    assert (await world.end(ended)).exit_code == 6
