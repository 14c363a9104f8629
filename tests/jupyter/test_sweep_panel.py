"""The panel of a sweep: rows in order, what each recorded, which cell failed, small at any size."""

from __future__ import annotations

import re
import time
from html import unescape

import nbformat
import pytest
from figure_children import an_array

import nbbatch
from nbbatch.client.notebooks.sweeps import Run
from nbbatch.jupyter.figures.sweep import Outcomes, recorded
from nbbatch.jupyter.panels.frame import figure_bundle
from nbbatch.jupyter.panels.open import panel_below
from nbbatch.jupyter.panels.sweep import SweepView, sweep_frame, turned
from nbbatch.jupyter.panels.sweep_now import SHOWN, Order, Row, SweepNow

LARGEST = 16_000
"""Bytes of a frame, whatever the sweep's size."""
CELLS = (
    "rate = 0.1\ndepth = 1",
    "import nbbatch",
    "if depth == 3:\n    raise ValueError('too deep')",
    "nbbatch.record('loss', rate * depth)",
)


def seen(frame) -> str:
    """The words of a frame's HTML."""
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", unescape(frame.html)))


def a_run(position: int, **more) -> Run:
    about = {"metrics": {}, "seconds": 3.0, "cost": 0.01, "notebook": f"runs/{position}.ipynb", "error": ""}
    values = {"loss": position / 10}
    return Run(
        position=position,
        parameters={"rate": 0.1},
        **{"values": values, "status": "SUCCEEDED", **about, **more},
    )


def a_sweep(rows, size=100, **more) -> SweepNow:
    known = {
        "name": "train",
        "detail": {"jobId": "abc-1", "status": "PENDING"},
        "children": an_array(size, until=200),
        "runs": size,
        "rows": rows,
        "order": Order("loss"),
        "parameters": ("rate",),
        "values": ("loss",),
        "account": None,
        "outcomes": Outcomes(runs=[0, 1], parameters={"rate": [0.1, 0.2]}, value=[0.5, 0.25], name="loss"),
    }
    return SweepNow(**{**known, **more})


def test_a_row_has_parameters_values_progress_and_a_link():
    """A running one says in which cell it is, a failed one what failed and where."""
    error = "item 3 of 100 (rate=0.1): ValueError: too deep, in cell 2 (In [3]) of train. The notebook up to there is /tmp/x."
    running = Row(
        run=a_run(2, status="RUNNING", values={}, seconds=None, cost=None, notebook=""), cells=(3, 7)
    )
    failed = Row(run=a_run(3, status="FAILED", values={}, error=error))
    frame = sweep_frame(a_sweep([Row(run=a_run(1)), running, failed]))
    words = seen(frame)
    assert "RUNNING · cell 3 of 7" in words
    assert "ValueError: too deep, in cell 2 (In [3]) of train." in words
    assert "/tmp/x" not in words
    assert 'href="runs/1.ipynb"' in frame.html
    assert "best (lowest) loss 0.25 (run 1: rate=0.2)" in words
    assert "… and 97 more runs" in words
    assert "loss ▲" in words
    assert "cell 3 of 7" in frame.text


def test_a_sweep_of_thousands_stays_small():
    """Its frame is as long as that of a small one, and quick."""
    rows = [Row(run=a_run(position)) for position in range(SHOWN)]
    now = a_sweep(rows, 10_000)
    sweep_frame(a_sweep(rows))  # what is imported for the first frame is no part of it
    began = time.thread_time()
    frame = sweep_frame(now)
    assert time.thread_time() - began < 0.5
    assert len(frame.html) < LARGEST
    assert "10,000" in seen(frame)


def test_what_a_sweep_links_to_is_text():
    """Neither a name nor a value is HTML."""
    frame = sweep_frame(
        a_sweep([Row(run=a_run(1, values={"loss": "<img src=x>"}, notebook='runs/"<b>.ipynb'))], name="<i>")
    )
    assert "<img" not in frame.html
    assert "<i>" not in frame.html
    assert '"<b>' not in frame.html


def test_a_click_on_a_head_turns_the_order():
    """The better end first: of what is called loss the lowest, of others the highest."""
    assert turned(Order(), "loss") == Order("loss", is_falling=False)
    assert turned(Order("loss"), "loss") == Order("loss", is_falling=True)
    assert turned(Order("loss"), "accuracy") == Order("accuracy", is_falling=True)
    assert turned(Order(), "run") == Order("run", is_falling=False)


def test_one_parameter_is_a_scatter_and_several_are_parallel():
    """Words have places of their own, decades have ticks at their values; nothing is an explanation."""
    one = Outcomes(runs=[0, 1, 2], parameters={"rate": [0.001, 0.1, 1]}, value=[3.0, 1.0, 2.0], name="loss")
    figure = recorded(one)
    assert figure.data[0].type == "scatter"
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.title.text == "loss of 3 runs: lowest 1 (run 1) · highest 3 (run 0)"
    several = Outcomes(
        runs=[0, 1, 2],
        parameters={"rate": [0.001, 0.1, 1], "kind": ["a", "b", "a"]},
        value=[3.0, 1.0, 2.0],
        name="loss",
    )
    figure = recorded(several)
    told = {note.text for note in figure.layout.annotations}
    assert {"rate", "kind", "loss", "0.001", "0.1", "1", "a", "b"} <= told
    assert len({trace.line.color for trace in figure.data}) == 3
    lines = [list(trace.y)[:3] for trace in figure.data]
    assert [pytest.approx(value, abs=1e-3) for value in lines[0]] == [1.0 / 3 * 2, 1.0, 0.0]
    empty = Outcomes(runs=[], parameters={}, value=[], name="")
    assert recorded(empty).layout.annotations[0].text == "no run has recorded a number yet"


def test_the_figure_of_ten_thousand_runs_is_small():
    """Whether a scatter or parallel, and quick."""
    size = 10_000
    value = [float(place % 977) for place in range(size)]
    columns = {
        name: [place % (7 + number) / 3 for place in range(size)] for number, name in enumerate("abcd")
    }
    recorded(Outcomes(runs=[0], parameters={"a": [1.0]}, value=[1.0], name="loss"))  # imports plotly
    for parameters in (columns, {"a": columns["a"]}):
        began = time.thread_time()
        figure = recorded(Outcomes(runs=range(size), parameters=parameters, value=value, name="loss"))
        assert time.thread_time() - began < 1
        assert len(figure.to_json()) < 100_000


@pytest.fixture(scope="module")
def sweep(shared_daemon, tmp_path_factory):
    """Six runs of a real notebook, two of which fail."""
    folder = tmp_path_factory.mktemp("sweep")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "train.ipynb"
    )
    grid = {"rate": [0.5, 0.1], "depth": [1, 2, 3]}
    made = nbbatch.map_notebook(
        folder / "train.ipynb",
        grid=grid,
        output=str(folder / "out" / "{index}.ipynb"),
        vcpus=0.5,
        memory="256M",
    )
    assert made.wait(240)
    made.collect()
    return made


def test_a_real_sweep_shows_its_best_run_first(sweep):
    """Then the others in order, failed ones last with their cell; the last frame is the last."""
    view = SweepView(sweep)
    frame = view.look()
    assert frame.is_last
    rows = [line.split(" · ")[0].strip() for line in frame.lines if line.startswith("  ")]
    assert rows == ["3 SUCCEEDED", "4 SUCCEEDED", "0 SUCCEEDED", "1 SUCCEEDED", "2 FAILED", "5 FAILED"]
    assert re.search(r"ValueError: too deep, in cell \d \(In \[\d\]\) of train\.", seen(frame))
    assert "best (lowest) loss 0.1 (run 3: rate=0.1, depth=1)" in seen(frame)
    assert "retry" not in frame.disabled
    assert figure_bundle(frame.figures["recorded"]())
    view.act("sort", {"column": "run"})
    assert [line.split()[0] for line in view.look().lines if line.startswith("  ")] == [
        "0",
        "1",
        "3",
        "4",
        "2",
        "5",
    ]


def test_a_second_look_reads_nothing_again(sweep, monkeypatch):
    """What has ended is known: two questions for the children and the account, none of the store."""
    view = SweepView(sweep)
    view.look()
    asked, private = [], sweep.backend.private
    monkeypatch.setattr(
        sweep.backend, "private", lambda route, body: asked.append(route) or private(route, body)
    )
    view.look()
    assert sorted(asked) == ["accounts", "children"]


def test_failed_runs_are_submitted_again_by_the_button(sweep):
    """The panel then shows those alone, and what they repeat."""
    view = SweepView(sweep)
    view.look()
    view.act("retry", {})
    again = view._followed.handle
    assert again is not sweep
    assert again.wait(120)
    frame = view.look()
    assert [line.split()[0] for line in frame.lines if line.startswith("  ")] == ["2", "5"]
    assert "repeats" in frame.text


def test_a_panel_draws_a_sweep(sweep):
    """By its handle, found again by its id, too."""
    again = nbbatch.job(sweep.id)
    assert "4 SUCCEEDED" in repr(nbbatch.panel(again))


def test_a_sweep_is_its_board_where_nothing_can_be_redrawn(sweep):
    """As text and as a static page, the best run first; attached to, it has the panel of a sweep."""
    static = sweep._repr_mimebundle_()
    assert "best (lowest) loss" in static["text/plain"]
    assert "nbbatch-panel" in static["text/html"]
    assert isinstance(panel_below(sweep).view, SweepView)
