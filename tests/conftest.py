"""What tests of every floor share: a home of their own, a real daemon, and the `docker` marker.

A daemon started here is the real one, found and started through the client as a user's would be.
Whatever it leaves running (spawner, jobs, containers) is ended with the test, by process id and by
label, never by name. Tests marked `docker` are skipped where no Docker Engine answers, except in
CI, where a missing engine is a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psutil
import pytest

sys.path.append(str(Path(__file__).parent))  # helpers of several floors
# As in a shell where the environment was activated: the `python3` of jobs is the one that runs the tests.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
# A shell has what it runs in the background ignore SIGINT, and what that starts, too; tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# A machine that stalls for a moment makes no example a failure.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")

if TYPE_CHECKING:
    from nbbatch.client.backend import Backend

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


@cache
def why_no_docker() -> str:
    """Why no container can be run here; empty when one can."""
    import docker
    import docker.errors
    from docker_image import IMAGE

    from nbbatch.daemon.executors.docker_probe import probe

    if asyncio.run(probe(wait=60)) is None:
        return "no Docker Engine answers"
    client = docker.from_env(timeout=60)
    try:
        client.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        return f"there is no image {IMAGE}; scripts/docker-test-image makes it"
    except (docker.errors.APIError, OSError) as error:
        return f"the Docker Engine does not answer: {error}"
    finally:
        client.close()
    return ""


@cache
def why_no_browser() -> str:
    """Why no front end can be opened here; empty when one can."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or any(map(shutil.which, names))
    return "" if found else "there is no Chromium; scripts/test-tools installs it, or CHROMIUM names one"


@cache
def why_no_sidebar() -> str:
    """Why the sidebar cannot be shown and looked at here; empty when it can."""
    wanted = ("nbbatch/labextension/package.json", "frontend/node_modules/axe-core/axe.min.js")
    missing = [path for path in wanted if not (ROOT / path).exists()]
    return f"there is no {missing[0]}; scripts/front-end makes it" if missing else ""


WHY_NOT = {"docker": why_no_docker, "browser": why_no_browser, "sidebar": why_no_sidebar}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in CI fail, a test whose marker names what is not there."""
    for marker, why_not in WHY_NOT.items():
        if item.get_closest_marker(marker) is None or not (reason := why_not()):
            continue
        if IN_CI:
            pytest.fail(f"CI runs every test, and {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home folder; this test's `$NBBATCH_HOME`."""
    with new_home(monkeypatch) as folder:
        yield folder


@pytest.fixture(scope="module")
def shared_daemon() -> Iterator[Backend]:
    """One daemon on processes for all tests of a file that do not mind each other's jobs."""
    from nbbatch.client.backend import get_backend

    with pytest.MonkeyPatch.context() as patch, new_home(patch):
        patch.setenv("NBBATCH_EXECUTOR", "process")
        yield get_backend("local")


@pytest.fixture
def python_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PYTHONPATH by which a new Python finds this nbbatch and the entry points of its pyproject.toml."""
    folder = tmp_path_factory.mktemp("entry")
    info = folder / "nbbatch_here-0.dist-info"
    info.mkdir()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [f"{name} = {target}" for name, target in project["entry-points"]["papermill.engine"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[papermill.engine]", *lines]))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nbbatch-here\nVersion: 0\n")
    return f"{ROOT}{os.pathsep}{folder}"


@contextlib.contextmanager
def new_home(patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a home folder, name it in the environment, and clear up whatever came to be in it."""
    folder = Path(tempfile.mkdtemp(prefix="nbbatch-")).resolve()
    patch.setenv("NBBATCH_HOME", str(folder))
    patch.delenv("NBBATCH_BACKEND", raising=False)
    yield folder
    end_processes_of(folder)
    remove_containers_of(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of an executor; a test that asks for it runs once with each."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", request.param)
    return str(request.param)


@pytest.fixture
def daemon(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The local backend, its daemon freshly started in `home`; on processes, unless `executor` says else."""
    if "executor" in request.fixturenames:
        request.getfixturevalue("executor")
    else:
        monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
    from nbbatch.client.backend import get_backend

    return get_backend("local")


def end_processes_of(folder: Path) -> None:
    """End every process that was started for this home, elders first, until none is left."""
    deadline = time.monotonic() + 20
    while (family := _family(str(folder))) and time.monotonic() < deadline:
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def remove_containers_of(folder: Path) -> None:
    """Remove the containers, volumes and networks that this home's daemon left, found by its label."""
    identity = folder / "identity.json"
    if not identity.exists() or json.loads(identity.read_text())["executor"] != "docker":
        return
    label = f"nbbatch.daemon={json.loads(identity.read_text())['daemon_id']}"
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label={label}"], capture_output=True, text=True, check=False
    )
    if listed.stdout.split():
        subprocess.run(["docker", "rm", "-f", *listed.stdout.split()], capture_output=True, check=False)
    for what in ("volume", "network"):
        left = subprocess.run(
            ["docker", what, "ls", "-q", "--filter", f"label={label}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if left.stdout.split():
            subprocess.run(["docker", what, "rm", *left.stdout.split()], capture_output=True, check=False)


def _family(folder: str) -> list[psutil.Process]:
    family: dict[psutil.Process, None] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.pid != os.getpid() and process.is_running() and _names(process, folder):
                family |= dict.fromkeys([process, *process.children(recursive=True)])
    return list(family)


def _names(process: psutil.Process, folder: str) -> bool:
    """Whether its command line or environment names the folder, as the daemon's and its jobs' do."""
    words = [*process.cmdline(), *process.environ().values()]
    return process.status() != psutil.STATUS_ZOMBIE and any(folder in word for word in words)
