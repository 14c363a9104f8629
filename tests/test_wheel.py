"""What is installed is the built wheel, so the wheel is what is looked at, not the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("nbbatch-*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Code, data, queries and the type marker: nothing of the package is left behind."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    kept = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "nbbatch").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "labextension" not in path.parts
    }
    assert kept <= inside
    assert {"nbbatch/py.typed", "nbbatch/model/instance_types.json", "nbbatch/daemon/queries.sql"} <= inside
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/"))]


@pytest.mark.slow
def test_the_wheel_turns_the_server_extension_on(wheel: Path) -> None:
    """Its file lands where a Jupyter server of the same environment looks."""
    inside = zipfile.ZipFile(wheel).namelist()
    place = "data/etc/jupyter/jupyter_server_config.d/nbbatch.json"
    assert [name for name in inside if name.endswith(place)]


@pytest.mark.slow
def test_the_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, each of its floors imports from there, and the command line answers."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        "import nbbatch, nbbatch.cli.main, nbbatch.daemon.app, nbbatch.client.backend, nbbatch.jupyter.magics\n"
        f"assert nbbatch.__file__.startswith({str(tmp_path)!r}), nbbatch.__file__\n"
        "nbbatch.cli.main.main(['--version'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nbbatch, version")
