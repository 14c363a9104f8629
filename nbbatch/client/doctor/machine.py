"""The doctor's checks of this machine: Python, settings, Docker, daemon, disk, memory, GPUs, queue, image.

Each asks the thing itself, not what should be there. Nothing is started: where no daemon runs, what
only a daemon knows is said to come with the first job.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from nbbatch.client import host
from nbbatch.client.config import BackendConfig, home, load_config
from nbbatch.client.daemon_process import LOG, check_version, find_daemon, was_stopped
from nbbatch.client.doctor.checkup import Check, Finding, bad, examine, good, note
from nbbatch.errors import NbbatchError
from nbbatch.version import __version__

OLDEST_PYTHON = (3, 11)
TIGHT, TOO_TIGHT = 5e9, 5e8
"""Free bytes below which a disk is worth a word, and below which jobs will fail."""
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smbfs", "smb3", "fuse.sshfs", "afs", "lustre"})
"""Where SQLite's write-ahead log does not work (sqlite.org/wal.html): it needs shared memory."""
_ENGINE_SECONDS = 5
_NOTEBOOK_PACKAGES = ("ipython", "ipykernel", "boto3", "cloudpickle", "papermill", "plotly")


def read_place(name: str | None) -> tuple[BackendConfig | None, list[Finding]]:
    """The backend that was asked about, None where the settings themselves are ill; and what they say."""
    findings = examine("python", _python)
    try:
        place = load_config().find_backend(name)
    except NbbatchError as error:
        return None, [*findings, bad("settings", error.message, error.cure)]
    return place, [*findings, good("settings", f"backend {place.name}, which is {place.kind}")]


def checks_of_machine(place: BackendConfig) -> list[tuple[str, Check]]:
    """What a local backend needs, in this order."""
    folder = Path(place.home).expanduser() if place.home else home()
    return [
        ("home", partial(_home, folder)),
        ("disk", partial(_disk, folder)),
        ("docker", partial(_docker, folder)),
        ("gpus", _gpus),
        ("daemon", partial(_daemon, folder)),
        ("image", partial(_image, place.name)),
        ("queue", partial(_queue, place.name, folder)),
    ]


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        yield bad("python", f"{version}; nbbatch needs 3.11", "Install a newer Python.")
        return
    yield good("python", f"{version} ({sys.executable}), nbbatch {__version__}, {platform.platform()}")
    missing = [name for name in _NOTEBOOK_PACKAGES if not _is_installed(name)]
    if missing:
        yield bad("python", f"{', '.join(missing)} not installed", f"pip install {' '.join(missing)}")


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _home(folder: Path) -> Iterator[Finding]:
    there = _nearest(folder)
    try:
        TemporaryFile(dir=there).close()
    except OSError as error:
        yield bad("home", f"{there}: {error.strerror}", "Set NBBATCH_HOME to a folder of yours.")
        return
    kind = _file_system(there)
    if kind in NETWORK_FILE_SYSTEMS:
        yield bad(
            "home",
            f"{folder} is on {kind}; the daemon's database needs a disk of this machine",
            "Set NBBATCH_HOME to a folder on a local disk.",
        )
        return
    yield good("home", str(folder))


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _file_system(folder: Path) -> str:
    import psutil  # noqa: PLC0415 - only the doctor needs it here

    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    return next((mounts[str(path)] for path in (folder, *folder.parents) if str(path) in mounts), "")


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(_nearest(folder)).free
    said = f"{free / 1e9:,.1f} GB free for payloads, results and logs"
    cure = "Free some space there, or point NBBATCH_HOME to a larger disk."
    if free < TOO_TIGHT:
        yield bad("disk", said, cure)
    elif free < TIGHT:
        yield note("disk", said, cure)
    else:
        yield good("disk", said)


def _docker(folder: Path) -> Iterator[Finding]:
    wanted = os.environ.get("NBBATCH_EXECUTOR", "")
    if wanted == "process":
        yield good("docker", "not asked: NBBATCH_EXECUTOR=process")
        return
    problem = ""
    try:
        version = _engine_version()
    except Exception as error:  # noqa: BLE001 - the SDK lets several libraries' errors through
        problem = str(error)
    else:
        yield _answering(version, folder)
        return
    tell = bad if wanted == "docker" else note
    yield tell("docker", "no Docker Engine answers; jobs run as processes of this machine", _cure_of(problem))


def _answering(version: str, folder: Path) -> Finding:
    """An engine is there; a daemon that runs chose when it was started, and may have chosen processes."""
    try:
        endpoint = find_daemon(folder)
    except NbbatchError:
        endpoint = None  # told by the daemon's own check
    said = f"Docker Engine {version} answers; "
    if endpoint is None or endpoint.executor != "process":
        return good("docker", f"{said}jobs run in containers")
    cure = "Nothing, if processes suffice. Else `nbbatch local stop`; the daemon of the next job uses containers."
    return note("docker", f"{said}the daemon that runs was started with processes", cure)


def _engine_version() -> str:
    import docker  # noqa: PLC0415 - slow to import

    client = docker.from_env(timeout=_ENGINE_SECONDS)
    try:
        return str(client.version()["Version"])
    finally:
        client.close()


def _cure_of(problem: str) -> str:
    if "Permission denied" in problem or "PermissionError" in problem:
        return "The engine's socket is closed to you: join its group (usermod -aG docker), and log in again."
    if shutil.which("docker"):
        return "Docker is installed: start its engine. Then `nbbatch local stop`; the next job uses it."
    return "Nothing, if processes suffice. Else install Docker, then `nbbatch local stop`."


def _gpus() -> Iterator[Finding]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return
    asked = [tool, "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    names = done.stdout.strip().splitlines()
    if done.returncode != 0 or not names:
        yield note("gpus", f"nvidia-smi failed: {(done.stderr or done.stdout).strip()}", "Check the driver.")
    else:
        yield good("gpus", f"{len(names)}: {', '.join(sorted(set(names)))}")


def _daemon(folder: Path) -> Iterator[Finding]:
    try:
        endpoint = find_daemon(folder)
        if endpoint is None:
            yield _absent(folder)
            return
        check_version(endpoint)
    except NbbatchError as error:
        yield bad("daemon", error.message, error.cure)
        return
    yield good("daemon", f"runs at {endpoint.url} (process {endpoint.pid}), executor {endpoint.executor}")


def _absent(folder: Path) -> Finding:
    if was_stopped(folder):
        return good("daemon", "does not run; the first job starts it")
    return note(
        "daemon",
        "was killed; no job is lost",
        f"The next call starts it again. Its log is {folder / LOG}.",
    )


def _image(backend: str) -> Iterator[Finding]:
    image = load_config().defaults(backend=backend).image
    if image is None:
        if host.lends_its_python():
            yield good("image", f"none set: jobs see this Python environment, {sys.prefix}")
        else:
            yield good("image", f"none set: containers use {host.python_image()}")
        return
    yield _named_image(image)


def _named_image(image: str) -> Finding:
    import docker  # noqa: PLC0415 - slow to import

    try:
        client: Any = docker.from_env(timeout=_ENGINE_SECONDS)
    except docker.errors.DockerException:
        return bad("image", f"{image} needs a Docker Engine, and none answers", "Start one, or set no image.")
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return note("image", f"{image} is not here; the first job pulls it", f"docker pull {image}")
    finally:
        client.close()
    return good("image", f"{image} is here")


def _queue(name: str, folder: Path) -> Iterator[Finding]:
    if find_daemon(folder) is None:
        yield good("queue", "looked at when a daemon runs")
        return
    from nbbatch.client.backend import get_backend  # noqa: PLC0415 - boto3 is slow to import
    from nbbatch.client.capacity import check_fits  # noqa: PLC0415
    from nbbatch.client.spec import queue_of, resources_of  # noqa: PLC0415
    from nbbatch.client.submission import resolve  # noqa: PLC0415

    options = resolve({"backend": name})
    queue, wanted = queue_of(options), resources_of(options)
    backend = get_backend(name)
    try:
        check_fits(backend, options)
    except NbbatchError as error:
        yield bad("queue", error.message, error.cure)
        return
    with backend.errors():
        found = backend.batch.describe_job_queues(jobQueues=[queue])["jobQueues"][0]
    if found["state"] != "ENABLED":
        yield bad("queue", f"{queue} is {found['state']}", "Enable it with UpdateJobQueue, or name another.")
        return
    asked = f"{wanted.vcpus:g} vCPU and {wanted.memory} MiB"
    yield good("queue", f"{queue} is {found['state']} and {found['status']}; {asked} fit")
