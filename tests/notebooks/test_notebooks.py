"""Every notebook and every example runs from top to bottom, as a reader would run it."""

from __future__ import annotations

from docker_image import IMAGE

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from aws_account import KEYS, bridge_address, complete_moto, new_account
from nbclient import NotebookClient

from tests.conftest import IN_CI

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(900)  # of all cells together
NOTEBOOKS = sorted(
    path for path in (ROOT / "notebooks").glob("*.ipynb") if not path.name.endswith(".executed.ipynb")
)
SWEPT = sorted((ROOT / "notebooks" / "sweep").glob("*.ipynb"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FIGURE = "application/vnd.plotly.v1+json"
SHOWN = {
    "01_first_batch_cell.ipynb": {
        "job": "2007: 4.99 years, between 4.53 and 5.45",
        "array": "SUCCEEDED: 20 items",
        "gather": "Off by 5.3 years",
        "python": "1952: 6.1 years",
        "jobs": "slope",
    },
    "02_arrays_and_dataframes.ipynb": {
        "array": "SUCCEEDED: 10 items",
        "completed": "'seed': ",
        "failed": "item 2 of 8 ('C': east=1.10687, ",
        "retry": "Without C: 15 of 30 tries are done",
        "answer": "Most missed: depot B. Without it",
    },
    "03_parameter_sweep.ipynb": {
        "one": "{'gain_2018': -3.82, 'gain_2019': 0.03}",
        "table": "runs/weeks=1,follow=-0.25.ipynb",
        "answer": "+6.0 % in 2018, -2.8 % in 2019",
        "failed": "2 runs, 1 FAILED, 1 SUCCEEDED",
        "cell": "sliding_window_view(prices, weeks + 2)",
        "papermill": "7/7",
    },
    "04_pipelines.ipynb": {
        "handles": "PENDING",
        "result": "0.9855",
        "after": "The table is there.",
        "drawn": "FAILED (dependency failed)",
        "failed": "KeyError",
        "fix": "enough          SUCCEEDED",
        "enough": "800",
        "again": "nothing was sent",
    },
    "05_images_and_gpus.ipynb": {
        "cluster": "3: 79",
        "bash": "3 species in means.txt",
        "fetched": "virginica  5.55 cm",
        "script": "widest sepal of setosa: 4.4 cm",
        "gpu": "GPU",
        "gpu-price": "g4dn.xlarge Spot",
        "resize": "instead of --vcpus 1 --memory 2G",
    },
    "06_costs_and_spot.ipynb": {
        "board": "queue rehearsal: $",
        "estimate": "nothing like it has run here yet",
        "dry": "nothing was sent",
        "cap": "and max_cost is $0.00001",
        "spot": "rehearsal",
        "interrupt": "loses its host",
        "result": "of 96,000 walkers came home within 500 steps",
        "cost": "spot",
        "costs": "rehearsal",
    },
    "07_what_if.ipynb": {
        "sliders": "256 on demand: all ended after",
        "study": "400",
        "measured": "16 jobs",
        "again": "this machine",
        "summary": "64 Spot, bad week",
        "verdict": "Cheapest: ",
        "idle": "3.8 GB on m6i",
    },
    "08_moving_to_aws.ipynb": {
        "here": "chance does that in 2.6% of cases",
        "settings": "prod",
        "doctor": "Unable to locate credentials",
        "place": "on this machine: the account is not ready",
        "there": "chance does that in 2.6% of cases",
        "array": "Sunday: +2.9 points",
        "handle": "local default",
    },
}
"""Text that cells show, by notebook and cell."""
FIGURES = {
    "01_first_batch_cell.ipynb": ["job", "figure"],
    "02_arrays_and_dataframes.ipynb": ["elbow", "metrics", "map"],
    "03_parameter_sweep.ipynb": ["figure"],
    "04_pipelines.ipynb": ["answer"],
    "05_images_and_gpus.ipynb": ["answer"],
    "06_costs_and_spot.ipynb": ["figure", "bill"],
    "07_what_if.ipynb": ["measured", "figure"],
}
"""Cells that show a figure."""
NEEDS = {"video_pipeline.py": "ffmpeg"}
"""Programs that examples start."""
ON_AWS = "08_moving_to_aws.ipynb"
ROLE, BUCKET = "nbbatch-job", "amzn-s3-demo-bucket"
"""As that notebook names them."""
TRUSTED = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with nbbatch on the path and the test image, and without an account in AWS."""
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts"), prepend=os.pathsep)
    monkeypatch.setenv("IMAGE", IMAGE)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a reader has who did what the notebook on AWS says: queue, bucket, role and keys."""
    with new_account(bridge_address()) as account:
        complete_moto(monkeypatch)
        account.make_queue()
        account.client("s3").create_bucket(Bucket=BUCKET)
        trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUSTED]})
        account.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": account.url}.items():
            monkeypatch.setenv(name, value)
        yield


def execute(path: Path) -> Any:
    """The notebook with its outputs; a cell that fails raises."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    patience = {"timeout": 240, "iopub_timeout": 60}  # else outputs that come late are dropped
    return NotebookClient(notebook, kernel_name="python3", resources=resources, **patience).execute()


def text_of(cell: Any) -> str:
    """All that a cell shows, as text."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_what_it_tells(
    path: Path, home: Path, python_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook runs to its end with nothing prepared; its numbers and figures come back from jobs."""
    monkeypatch.setenv("PYTHONPATH", python_path)
    cells = {cell.id: cell for cell in execute(path).cells if cell.cell_type == "code"}
    for cell_id, expected in SHOWN.get(path.name, {}).items():
        assert expected in text_of(cells[cell_id])
    figures = [
        cell_id
        for cell_id, cell in cells.items()
        if any(FIGURE in output.get("data", {}) for output in cell.outputs)
    ]
    assert figures == FIGURES.get(path.name, [])


@pytest.mark.slow
@pytest.mark.docker
def test_the_same_cell_runs_in_an_account(
    account: None, home: Path, python_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has an account gets the same numbers from there, by the same cells."""
    monkeypatch.setenv("PYTHONPATH", python_path)
    cells = execute(ROOT / "notebooks" / ON_AWS).cells
    shown = {cell.id: text_of(cell) for cell in cells if cell.cell_type == "code"}
    assert "in the account" in shown["place"], shown["doctor"]
    assert "queue analysis (prod" in shown["dry"]
    assert "queue analysis (prod" in shown["there"]
    assert SHOWN[ON_AWS]["there"] in shown["there"]
    assert SHOWN[ON_AWS]["array"] in shown["array"]
    assert "prod analysis" in shown["handle"]


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path: Path, home: Path, tmp_path: Path) -> None:
    """An example ends well in a shell that was given the daemon's address and key."""
    needed = NEEDS.get(path.name, "bash")
    if shutil.which(needed) is None:
        (pytest.fail if IN_CI else pytest.skip)(f"there is no {needed}")
    shell = f'eval "$(nbbatch local env)" && exec {sys.executable} {path}'
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


@pytest.mark.parametrize("path", [*NOTEBOOKS, *SWEPT], ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    """Outputs are made by running a notebook; the repository keeps the clean one."""
    cells = nbformat.read(path, as_version=4).cells
    assert not [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")]
