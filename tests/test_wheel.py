"""What is installed is the built wheel, so the wheel is what is looked at, not the checkout."""

from __future__ import annotations

import re
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


EXTENSION = ".data/data/share/jupyter/labextensions/nbbatch/"
KNOWN = ("http://www.w3.org/", "https://reactjs.org/docs/error-decoder", "http://localhost")
"""Addresses in code that nothing is fetched from: names of XML, texts of errors."""


@pytest.mark.slow
def test_the_wheel_brings_the_extension_for_jupyterlab(wheel: Path) -> None:
    """Built files and the settings' schema, small, without sources, packages or traces of this machine."""
    with zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if EXTENSION in name]
        texts = {name: archive.read(name).decode() for name in inside}
    if not inside and not (ROOT / "nbbatch" / "labextension").exists():
        pytest.skip("the front end is not built here: scripts/front-end")
    names = {name.split(EXTENSION)[1] for name in inside}
    assert {"package.json", "static/style.js", "static/third-party-licenses.json"} <= names
    assert [name for name in names if name.startswith("schemas/nbbatch/")]
    assert [name for name in names if name.endswith((".map", ".ts", ".tsx")) or "node_modules" in name] == []
    assert [
        name
        for name, text in texts.items()
        if str(ROOT) in text or re.search(r"sourceMappingURL=\S+[.]map", text)
    ] == []
    assert sum(map(len, texts.values())) < 1_000_000


@pytest.mark.slow
def test_the_extension_refers_to_no_address_outside(wheel: Path) -> None:
    """What a browser runs names no other server, whatever the licences of its parts say."""
    with zipfile.ZipFile(wheel) as archive:
        texts = [
            archive.read(name).decode()
            for name in archive.namelist()
            if EXTENSION + "static/" in name and name.endswith(".js")
        ]
    addresses = {
        address for text in texts for address in re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+[^\s\"'`)]*", text)
    }
    assert [address for address in addresses if not address.startswith(KNOWN)] == []


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
