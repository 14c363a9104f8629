"""The panel in which worlds are tried: knobs, the spread over seeds, and the line that says it again."""

from __future__ import annotations

import threading

import pytest

import nbbatch
from nbbatch.errors import OptionError
from nbbatch.jupyter.panels.frame import figure_bundle
from nbbatch.jupyter.panels.what_if import _MOST, what_if

WORK = {"array": 40, "seconds": {"lognormal": {"median": 60, "sigma": 0.4}}, "vcpus": 2}
WORLDS = {"small": {"max_vcpus": 4}, "large": {"max_vcpus": 64}}


@pytest.fixture
def panel():
    """Two worlds, three seeds."""
    return what_if(WORK, WORLDS, seeds=3)


def test_the_line_says_the_same_again(panel):
    """What the panel shows of a world is what the line of `simulate` gives."""
    frame = panel.look()
    assert frame.is_last
    line = frame.text[frame.text.index("nbbatch.simulate(") :]
    answer = eval(line, {"nbbatch": nbbatch})
    marks = [mark for mark in frame.figures["worlds"]().data if mark.name]
    assert [mark.name for mark in marks] == list(WORLDS)
    medians = answer.groupby("world", sort=False)[["cost", "makespan"]].median()
    for mark in marks:
        assert mark.x[0] == pytest.approx(medians.loc[mark.name, "cost"])
        assert mark.y[0] == pytest.approx(medians.loc[mark.name, "makespan"])


def test_a_turned_knob_is_one_more_world(panel):
    """Worlds that were given stay; of chosen ones the newest few do; clear forgets them."""
    view = panel.view
    view.act("max_vcpus", {"max_vcpus": "8"})
    view.act("kind", {"kind": "Spot"})
    view.act("rate", {"rate": "0.5"})
    text = panel.look().text
    assert "8 on demand: all ended after" in text
    assert "8 Spot, 0.5 interruptions/h: all ended after" in text
    assert "'spot': True, 'interruptions_per_hour': 0.5" in text
    for size in ("2", "4", "16", "32", "128", "256", "512"):
        view.act("max_vcpus", {"max_vcpus": size})
    names = [line.partition(":")[0] for line in panel.look().lines if ": all ended" in line]
    assert names[:2] == ["small", "large"]
    assert len(names) == 2 + _MOST
    view.act("clear", {})
    assert "512" not in panel.look().text


def test_a_strategy_that_does_not_fit_is_refused(panel):
    """By the same words as `simulate`; the worlds stay as they were."""
    before = panel.look().text
    panel.view.act("kind", {"kind": "Spot"})
    with pytest.raises(OptionError):
        panel.view.act("max_vcpus", {"max_vcpus": "-1"})
    assert all(line in panel.look().text for line in before.splitlines() if ": all ended" in line)


def test_the_first_frame_does_not_wait_for_the_simulation(panel):
    """Whoever listens gets it piece by piece, and is rung as long as something is left."""
    panel.view.hurry()
    frame = panel.look()
    assert "simulating, 0 of 6 runs" in frame.text
    assert not frame.is_last
    assert frame.figures["worlds"]().layout.annotations[0].text == "the first run is under way"
    rung = threading.Event()
    stop = panel.view.listen(lambda **_: rung.set())
    assert rung.is_set()
    while not frame.is_last:
        frame = panel.look()
    stop()
    assert figure_bundle(frame.figures["worlds"]())


def test_a_job_too_large_for_a_world_is_told():
    """It never starts there, and the panel says why."""
    frame = what_if({"seconds": 10, "vcpus": 32}, {"tiny": {"max_vcpus": 4}}, seeds=1).look()
    assert "In tiny not all jobs can end:" in frame.text


def test_what_has_run_is_simulated(shared_daemon):
    """The line names the handle, so it can be run anywhere."""
    array = nbbatch.map(str, range(4), vcpus=0.25, memory="256M", chunk=1)
    assert array.wait(60)
    text = nbbatch.what_if(array, seeds=1).look().text
    assert f"nbbatch.job('{array.id}', backend='local')" in text
    assert "64 Spot, 0.05 interruptions/h" in text
