"""Figures by what they say: counts add up, each status has its colour, and size does not matter."""

from __future__ import annotations

import html
import json
import time

import numpy as np
import pytest
from figure_children import an_array

import nbbatch
from nbbatch.client.colours import KINDS
from nbbatch.client.handles.outcome import Outcome
from nbbatch.errors import OptionError, UnknownNameError
from nbbatch.jupyter.figures import course as course_figures
from nbbatch.jupyter.figures import fleet as fleet_figures
from nbbatch.jupyter.figures import fleet_numbers, numbers
from nbbatch.jupyter.figures import job as job_figures
from nbbatch.jupyter.figures import money as money_figures
from nbbatch.jupyter.figures.figure import OF_CHILDREN, OF_FLEET, OF_JOB
from nbbatch.jupyter.figures.palette import CODES
from nbbatch.model.jobs import JobStatus

LARGE = 10_000


@pytest.fixture(scope="module")
def under_way():
    """A thousand children of which about half have ended."""
    return an_array(1000, until=760)


@pytest.fixture(scope="module")
def over():
    """A thousand children that have all ended."""
    return an_array(1000)


@pytest.fixture(scope="module")
def large():
    """As many children as AWS Batch allows, some of them still running."""
    return an_array(LARGE, until=2300, slots=160, hosts=12)


def all_of(children):
    """Every figure that is made of children, in each theme."""
    for draw in OF_CHILDREN.values():
        yield from (draw(children, theme) for theme in ("auto", "light", "dark"))


@pytest.mark.parametrize("size", [1, 2, 7, 60, 61, 300, 2000])
def test_progress_has_a_cell_for_each_child(size):
    """In its place, in words, and the legend's counts are those of the cells."""
    children = an_array(size, until=200)
    shown = numbers.progress_of(children)
    image, *legend = job_figures.progress(shown).data
    cells, places = image.z.ravel(), image.customdata.ravel()
    assert np.array_equal(cells[:size], shown.codes)
    assert set(cells[size:]) <= {-1}
    assert np.array_equal(places[:size], np.arange(size))
    assert [name for line in image.text for name in line] == [
        list(KINDS.values())[code].name for code in shown.codes
    ]
    assert sum(int(entry.name.rpartition(" ")[2].replace(",", "")) for entry in legend) == size


def test_a_cell_has_the_colour_of_its_status():
    """By the scale, which has one even step for each, the first being none."""
    shown = numbers.Progress(codes=np.arange(len(KINDS), dtype=np.uint8))
    image, *legend = job_figures.progress(shown).data
    kinds = list(KINDS.values())
    for code, kind in enumerate(kinds):
        share = (code - image.zmin) / (image.zmax - image.zmin)
        at = [colour for place, colour in image.colorscale if place <= share]
        assert at[-1] == kind.colour
    assert [entry.marker.color for entry in legend] == [kind.colour for kind in kinds]


def test_states_add_up_to_the_array_at_any_time(under_way, over):
    """And end as the counters say."""
    for children in (under_way, over):
        states = numbers.states_of(children)
        layers = np.array([states.waiting, states.running, states.succeeded, states.failed])
        assert (layers >= 0).all()
        assert set(layers.sum(axis=0)) == {1000}
        assert states.running[-1] == (children.statuses == 4).sum()
        assert states.succeeded[-1] == (children.statuses == 5).sum()
        assert states.failed[-1] == (children.statuses == 6).sum()
    figure = course_figures.states(numbers.states_of(under_way))
    colours = {trace.name: trace.line.color for trace in figure.data}
    assert colours["RUNNING"] == KINDS[JobStatus.RUNNING].colour
    assert colours["FAILED"] == KINDS[Outcome.EXITED].colour


def test_the_pace_counts_every_end_once(under_way, over):
    """Bars times their width give the children that have ended; nothing is promised of what is over."""
    pace = numbers.pace_of(over)
    assert pace.ended[-1] == 1000
    assert sum(pace.rates) * pace.width / 60 == pytest.approx(1000, rel=0.05)
    assert pace.left is None
    assert numbers.pace_of(under_way).ended[-1] == (under_way.statuses >= 5).sum()
    assert "done in" in course_figures.throughput(numbers.pace_of(under_way)).layout.title.text


@pytest.mark.parametrize("seed", range(12))
def test_the_last_end_is_in_the_last_bar(seed):
    """It ends the time that is shown, and is counted wherever in a stretch that is."""
    assert numbers.pace_of(an_array(4, seed=seed)).rates[-1] > 0


def test_the_end_is_where_it_was_promised(over):
    """The real end of steady work lies between the bounds, seen from several moments before it."""
    for share in (0.3, 0.5, 0.7):
        seen = an_array(1000, until=share * 1500)
        low, _, high = numbers.pace_of(seen).left
        nearly_all = sorted(numbers._ends(over)[0].tolist() + numbers._ends(over)[1].tolist())[-40]
        assert low * 0.9 < nearly_all - share * 1500 < high * 1.1


def test_nothing_is_promised_of_little():
    """Fewer than three ends, none at all, or all."""
    assert numbers.time_left([1.0, 2.0], 10, 3.0) is None
    assert numbers.time_left([1.0, 2.0, 3.0], 3, 3.0) is None
    low, expected, high = numbers.time_left([1.0, 2.0, 3.0, 4.0], 8, 4.0)
    assert 0 < low < expected < high
    assert expected == pytest.approx(4.0)


def test_durations_count_every_ended_attempt(over):
    """Outliers are marked with their child; far ones make the axis logarithmic."""
    known = numbers.durations_of(over)
    assert sum(known.counts) == over.attempts.is_over.sum()
    assert known.far == len(known.outliers)
    assert known.slowest == known.outliers[0]
    assert known.median < known.p95 < known.slowest[1]
    assert not known.is_logarithmic
    marks = course_figures.durations(known).data[1]
    assert len(marks.x) == known.far
    assert marks.customdata[0].startswith(f"child {known.slowest[0]:,}: ")
    assert numbers.durations_of(an_array(3, until=1)) is None


def test_one_very_slow_child_does_not_hide_the_others():
    """A logarithmic axis, whose bars still count all."""
    children = an_array(500)
    stopped = children.attempts.stopped.copy()
    stopped[7] += 3_600_000_0
    from dataclasses import replace

    slow = replace(children, attempts=replace(children.attempts, stopped=stopped))
    known = numbers.durations_of(slow)
    assert known.is_logarithmic
    assert sum(known.counts) == len(stopped)
    figure = course_figures.durations(known)
    assert {"1 min", "1 h"} <= set(figure.layout.xaxis.ticktext)


def test_failures_are_grouped_by_reason(over):
    """Exit codes apart, most frequent first, in the colours of their ends; counts add up."""
    reasons = numbers.reasons_of(over)
    assert sum(reason.count for reason in reasons) == (over.statuses == 6).sum()
    assert [reason.count for reason in reasons] == sorted((one.count for one in reasons), reverse=True)
    assert {"exit code 1", "exit code 3", "timed out", "out of memory"} <= {one.words for one in reasons}
    bars = job_figures.failures(reasons).data[0]
    by_name = dict(zip(bars.y, bars.marker.color, strict=True))
    assert by_name["timed out"] == KINDS[Outcome.TIMED_OUT].colour
    assert by_name["exit code 1"] == by_name["exit code 3"] == KINDS[Outcome.EXITED].colour


def test_bars_of_a_host_do_not_overlap():
    """Each lane has one attempt at a time, and a lost attempt is told from a failed child."""
    children = an_array(300, slots=40, hosts=6)
    bars = numbers.bars_of(children)
    assert len(bars) == len(children.attempts.child)
    lanes: dict[tuple[str, int], float] = {}
    for bar in bars:
        assert lanes.get((bar.host, bar.lane), 0.0) <= bar.start
        lanes[bar.host, bar.lane] = bar.end
    lost = [bar for bar in bars if bar.code == CODES[Outcome.HOST_LOST]]
    assert len(lost) >= children.attempts.is_lost.sum() > 0
    drawn = job_figures.timeline(bars).data
    assert sum(len(trace.x) for trace in drawn) == len(bars)


def test_busy_hosts_keep_the_time_that_was_run(large):
    """The image's sum over time and hosts is the time of all attempts."""
    busy = numbers.busy_of(large)
    ran = (large.attempts.stopped - large.attempts.started).sum() / 1000
    assert float(busy.running.sum()) * busy.width == pytest.approx(ran, rel=0.02)
    assert len(busy.hosts) == 12


def test_spending_ends_at_the_account(under_way, over):
    """It never falls, ends at what the account says, and the range holds the whole's true cost."""
    now = numbers.spending_of(under_way, on_demand=1.5, spot=0.5)
    assert (now.on_demand[-1], now.spot[-1]) == (1.5, 0.5)
    assert (np.diff(now.on_demand) >= -1e-9).all()
    low, expected, high = now.range
    ran = [(one.attempts.stopped - one.attempts.started).sum() for one in (under_way, over)]
    assert low < expected < high
    assert 0.97 * low < 1.5 * ran[1] / ran[0] < 1.03 * high
    assert numbers.spending_of(over, on_demand=2.0, spot=1.0).range is None


def test_ten_thousand_children_are_quick_and_small(large):
    """Each figure's JSON stays far below what a notebook may grow by, with a handful of traces."""
    for draw in OF_CHILDREN.values():
        draw(an_array(3), "auto")  # what is imported for the first figure is no part of it
        began = time.thread_time()
        figure = draw(large, "auto")
        took = time.thread_time() - began
        told = figure.to_json()
        assert len(told) < 200_000
        assert len(figure.data) <= 12
        assert len(figure.layout.shapes) <= 30
        assert took < 1.0


def test_every_figure_is_json_without_gaps(under_way):
    """What a notebook saves has no NaN, in any theme; the ground is the notebook's."""
    for children in (
        under_way,
        an_array(1, until=1),
        an_array(2, until=30),
        an_array(1),
        an_array(3, until=0),
    ):
        for figure in all_of(children):
            json.loads(figure.to_json(), parse_constant=pytest.fail)
            assert figure.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_days_of_spot_and_worlds_are_compared():
    """Sums in the headline; the cheapest and the quickest world are named."""
    days = [money_figures.SpotDay(day=f"2026-01-0{n}", saved=1.0, lost=0.25) for n in (1, 2)]
    figure = money_figures.spot(days)
    assert said(figure) == "Spot saved $2.00 in 2 days · interruptions took $0.50"
    assert sum(figure.data[0].y) + sum(figure.data[1].y) == 1.5
    slow = money_figures.Candidate(name="slow", makespans=[90, 100, 110], costs=[1, 1, 2])
    quick = money_figures.Candidate(name="quick", makespans=[10, 20], costs=[5, 6])
    figure = money_figures.what_if([slow, quick])
    assert said(figure) == "cheapest: slow, $1.00 · quickest: quick, 15 s"
    marks = [trace for trace in figure.data if trace.name]
    assert [(mark.x[0], mark.y[0]) for mark in marks] == [(1, 100), (5.5, 15)]
    assert len({(mark.marker.color, mark.marker.symbol) for mark in marks}) == 2


def test_shares_are_set_beside_their_weights():
    """A weight of 0.5 gives twice as much; a pattern counts for all names that begin so."""
    weights = [{"shareIdentifier": "text*", "weightFactor": 0.5}, {"shareIdentifier": "vision"}]
    shares = fleet_numbers.shares({"textA": 6.0, "vision": 3.0}, weights)
    assert [round(share.entitled, 3) for share in shares] == [0.667, 0.333]
    bars, ticks = fleet_figures.shares(shares).data
    assert sum(bars.x) == pytest.approx(1)
    assert sum(ticks.x) == pytest.approx(1)


def said(figure):
    """The headline as it is read."""
    return html.unescape(figure.layout.title.text)


def test_two_dollars_make_no_formula(under_way):
    """JupyterLab has MathJax, and plotly hands it whatever stands between two dollar signs."""
    spending = numbers.spending_of(under_way, on_demand=1.5, spot=0.5)
    slow = money_figures.Candidate(name="slow", makespans=[90, 100], costs=[1, 2])
    for figure in (money_figures.cost(spending), money_figures.what_if([slow])):
        texts = [figure.layout.title.text]
        texts += [text for trace in figure.data if trace.customdata is not None for text in trace.customdata]
        assert all(text.count("$") <= 1 for text in texts)
    assert said(money_figures.cost(spending)).startswith("$1.50 so far on demand · $0.50 at Spot's price")


def work(number):
    if number == 3:
        raise ValueError(number)
    return number


@pytest.fixture(scope="module")
def array(shared_daemon):
    """A real array of 12 with a failure."""
    handle = nbbatch.map(work, range(12), chunk=1, vcpus=0.25, memory="256M")
    assert handle.wait(120)
    return handle


@pytest.mark.parametrize("kind", OF_JOB)
def test_a_handle_draws_itself(array, kind):
    """Every kind, from the daemon's own numbers."""
    figure = array.figure(kind)
    assert figure.data
    assert json.loads(figure.to_json())


def test_what_a_real_array_shows_is_what_it_counts(array):
    """The child that failed is in its place, and the bars are its attempts."""
    codes = array.figure().data[0].z.ravel()[:12]
    assert [place for place, code in enumerate(codes) if code != CODES[JobStatus.SUCCEEDED]] == [3]
    assert list(array.figure("failures").data[0].y) == ["exit code 1"]
    assert sum(len(trace.x) for trace in array.figure("timeline").data) == 12
    assert array.figure("cost").data[0].y[-1] == pytest.approx(array.cost(), rel=0.01)


def test_a_single_job_is_an_array_of_one(shared_daemon):
    """What it has nothing of, it says."""
    job = nbbatch.submit(work, 5, vcpus=0.25, memory="256M")
    assert job.result(120) == 5
    for kind in OF_JOB:
        figure = job.figure(kind, theme="dark")
        assert figure.data or figure.layout.annotations[0].text == "no child has failed"
    assert job.figure().data[0].z.ravel().tolist() == [CODES[JobStatus.SUCCEEDED]]


def test_a_figure_asks_the_backend_twice_at_most(array, monkeypatch):
    """However many children there are."""
    calls = []
    backend, again = array.backend, nbbatch.job(array.id)
    asked = backend.private
    monkeypatch.setattr(backend, "private", lambda route, body: calls.append(route) or asked(route, body))
    again.figure("states")
    assert calls == ["children"]
    again.figure("cost")
    assert len(calls) <= 3


@pytest.mark.parametrize("kind", ["depth", "vcpus", "interruptions", "spot"])
def test_a_backend_draws_its_queues(array, kind):
    """Since an hour ago, of all queues or one."""
    assert nbbatch.figure(kind).to_json()
    assert nbbatch.figure(kind, since="5m").to_json()


def test_depth_is_what_the_daemon_counted(array):
    """At the last sample nothing waits any more, or what does is shown."""
    known = fleet_numbers.depth_of(array.backend, "10m", None)
    assert len(known.times) <= numbers.POINTS + 2
    assert set(known.jobs) == set(fleet_figures.DEPTH)


def test_interruptions_are_counted_where_they_were():
    """By how much totals grew; before the first look nothing was, a deleted environment begins anew."""
    step = 1000
    totals = [None, 0, 2, 2, 3, None, None, 1, 1]
    series = {
        "SpotInterruptionsTotal": totals,
        "SpotAttemptsLostTotal": [total and 2 * total for total in totals],
    }
    known = fleet_numbers.read_interruptions(
        {"times": [step * place for place in range(9)], "environments": {"pool": series}}, None
    )
    assert known.hosts == [0, 2, 0, 1, 0, 0, 1, 0]
    assert known.attempts == [0, 4, 0, 2, 0, 0, 2, 0]
    assert len(known.times) == 9
    figure = fleet_figures.interruptions(known)
    assert figure.layout.title.text == "Spot interruptions: 4 hosts taken back · 8 attempts lost"
    quiet = fleet_numbers.read_interruptions({"times": [0, step], "environments": {}}, None)
    assert "took nothing back" in fleet_figures.interruptions(quiet).layout.annotations[0].text


def test_a_simulation_is_compared():
    """A mark for each world."""
    outcome = nbbatch.simulate(
        {"seconds": 60, "jobs": 20}, {"small": {"max_vcpus": 2}, "large": {"max_vcpus": 16}}, seeds=2
    )
    figure = nbbatch.figure(outcome)
    assert [trace.name for trace in figure.data if trace.name] == ["small", "large"]
    assert "quickest: large" in figure.layout.title.text or "large is" in figure.layout.title.text


@pytest.mark.parametrize(
    ("what", "kind", "told"),
    [("depht", "", "no figure 'depht'"), (3, "", "no figure of int"), ("shares", "", "of one queue")],
)
def test_what_is_no_figure_is_refused(shared_daemon, what, kind, told):
    """With what there is."""
    with pytest.raises(OptionError, match=told):
        nbbatch.figure(what, kind)


def test_an_unknown_kind_or_name_is_refused(array):
    """The nearest is offered."""
    with pytest.raises(OptionError, match="no figure 'timelin'") as refused:
        array.figure("timelin")
    assert "timeline" in refused.value.cure
    with pytest.raises(UnknownNameError, match="'nowhere'"):
        nbbatch.figure("depth", name="nowhere")
    with pytest.raises(OptionError, match="serves jobs in their order"):
        nbbatch.figure("shares", name="default")
    assert set(OF_FLEET) == {"depth", "vcpus", "interruptions", "spot", "shares"}
