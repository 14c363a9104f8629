"""The table of everything a cell can produce: the same cell here and as a job, as the notebook holds it.

All cells of one place share a kernel, so that the table takes as long as its slowest imports.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

import nbformat
import pytest
from docker_image import IMAGE
from nbclient import NotebookClient

from tests.conftest import new_home
from tests.jupyter.conftest import ROOT
from tests.jupyter.fidelity_cells import ROWS, Row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BARE = tuple(row for row in ROWS if not row.needs)
STORY = "nbbatch ›"
HIDDEN = ("CI", "NO_COLOR", "JPY_SESSION_NAME", "PYTEST_CURRENT_TEST", "MPLBACKEND")
"""Variables with which a kernel behaves as in a test run, not as in a notebook."""
MUST_DIFFER = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b0x[0-9a-f]+"), "0x"),
    (re.compile(r"\r\n"), "\n"),
    (re.compile(r"Cell In\[\d+\]"), "Cell In[n]"),
    (re.compile(r"/tmp/ipykernel_\d+/\d+\.py:|In \[\d+\]:"), "CELL:"),
    (re.compile(r"altair-viz-[0-9a-f]{32}"), "altair-viz"),
    (re.compile(r"[\d.e+-]+ (s|ms|μs|ns)\b"), "TIME"),
    (re.compile(r"<dc:date>[^<]*"), ""),
)
"""Colours of single words, addresses, a terminal's line ends, numbers and files of cells, random ids, times."""


def executed(rows: Sequence[Row], line: str = "") -> dict[str, list[dict]]:
    """Outputs of each row's cell in an executed notebook; without a line the cells run here."""
    cells = [nbformat.v4.new_code_cell("%load_ext nbbatch" if line else "pass")]
    places = {}
    for row in rows:
        cells += [nbformat.v4.new_code_cell(row.before)] if row.before else []
        places[row.kind] = len(cells)
        head = f"{line}\n" if line else "" if row.source.startswith("%%") else "# %%batch\n"
        cells.append(nbformat.v4.new_code_cell(head + row.source))
    notebook = nbformat.v4.new_notebook(cells=cells)
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    patience = {"timeout": 240, "iopub_timeout": 60}  # else outputs that come late are dropped
    client = NotebookClient(notebook, kernel_name="python3", allow_errors=True, **patience)
    client.execute(env={**environment, "PYTHONPATH": str(ROOT)})
    return {kind: normal(notebook.cells[place].outputs) for kind, place in places.items()}


def normal(outputs: Sequence[dict]) -> list[dict]:
    """Outputs without the story and what must differ; text of one stream between two displays as one."""
    found: list[dict] = []
    streams: dict[str, str] = {}
    for output in outputs:
        if output["output_type"] == "stream":
            kept = [part for part in output["text"].split("\n") if not part.startswith(STORY)]
            text = streams.get(output["name"], "") + "\n".join(kept)
            streams[output["name"]] = text
            continue
        found += texts(streams)
        found.append(plain({key: value for key, value in output.items() if key != "execution_count"}))
    return found + texts(streams)


def texts(streams: dict[str, str]) -> list[dict]:
    found = [{"name": name, "text": plain(text)} for name, text in sorted(streams.items()) if text]
    streams.clear()
    return found


def plain(value):
    """Any part of an output, without what must differ."""
    match value:
        case str():
            for pattern, instead in MUST_DIFFER:
                value = pattern.sub(instead, value)
            return value
        case {"output_type": "error"}:
            lines = plain("\n".join(value["traceback"])).splitlines()
            is_remote = value["ename"] == "RemoteError"
            return {"traceback": lines[: lines.index("", -3)] if is_remote else lines}
        case dict():
            return {key: plain(part) for key, part in value.items()}
        case list():
            return [plain(part) for part in value]
    return value


def text_of(outputs: Sequence[dict]) -> str:
    """All that can be read."""
    parts = [
        output.get("text") or "\n".join(output.get("traceback", ())) or output["data"].get("text/plain", "")
        for output in outputs
    ]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def here() -> dict[str, list[dict]]:
    """What the cells show in a kernel of this machine."""
    return executed(ROWS)


@pytest.fixture(scope="module")
def as_jobs(shared_daemon: object) -> dict[str, list[dict]]:
    """What they show as jobs that have this environment."""
    return executed(ROWS, "%%batch")


@pytest.fixture(scope="module")
def in_bare_python() -> Iterator[dict[str, list[dict]]]:
    """What those that need no package show as jobs in an image with nothing but python3."""
    with pytest.MonkeyPatch.context() as patch, new_home(patch):
        patch.setenv("NBBATCH_EXECUTOR", "docker")
        yield executed(BARE, f"%%batch --image {IMAGE}")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_a_job_shows_what_the_cell_shows_here(row, here, as_jobs):
    """The executed notebook holds the same outputs; where it cannot, nothing of the text is lost."""
    if row.job:
        assert row.shows in text_of(as_jobs[row.kind])
    else:
        assert as_jobs[row.kind] == here[row.kind]


@pytest.mark.docker
@pytest.mark.parametrize("row", BARE, ids=lambda row: row.kind)
def test_bare_python_shows_the_same(row, here, in_bare_python):
    """An image needs no IPython for it."""
    if row.job or row.bare:
        assert row.shows in text_of(in_bare_python[row.kind])
    else:
        assert in_bare_python[row.kind] == here[row.kind]
