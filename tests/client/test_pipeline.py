"""Pipelines: built, checked, submitted at once, drawn, taken up again, and repeated where they failed."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.options import WholeJob
from nbbatch.client.pipelines.dependencies import merged
from nbbatch.client.pipelines.graph import Node, as_svg, as_text, in_order
from nbbatch.errors import OptionError, UnknownNameError, UserError

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


def in_notebook(function):
    """As if it had been defined in a cell."""
    function.__module__ = "__main__"
    return function


@in_notebook
def load(count):
    return list(range(count))


@in_notebook
def double(number):
    return 2 * number


@in_notebook
def total(numbers, scale=1):
    return scale * sum(numbers)


@in_notebook
def fragile(number, marker):
    import pathlib

    if number == 1 and not pathlib.Path(marker).exists():
        raise ValueError("not yet")
    return number


@in_notebook
def wait_for(gate):
    import pathlib
    import time

    for _ in range(6000):
        if pathlib.Path(gate).exists():
            return 1
        time.sleep(0.01)
    raise TimeoutError(gate)


def test_a_pipeline_submits_itself_at_the_end_of_its_block():
    """Values go from job to job; each step is a job that waits for those before it."""
    with nbbatch.pipeline("sums", tags={"team": "a"}) as p:
        numbers = p.step(load, 4)
        doubled = p.map(double, range(3))
        tripled = p.map(double, doubled, name="again")
        first = p.step(total, numbers)
        last = p.step(total, [first, 1], scale=10, name="last")
        p.step(total, tripled, name="sum")
    assert p.results(DEADLINE) == {
        "load": [0, 1, 2, 3],
        "double": [0, 2, 4],
        "again": [0, 4, 8],
        "total": 6,
        "last": 70,
        "sum": 12,
    }
    assert p["last"] is last
    assert last.result() == 70
    assert last.job.name == "sums-last"
    assert last.job.tags["team"] == "a"
    assert last.job.detail()["dependsOn"] == [{"jobId": first.job.id}]
    assert tripled.job.detail()["dependsOn"] == [{"jobId": doubled.job.id, "type": "N_TO_N"}]
    assert set(p.status().values()) == {"SUCCEEDED"}


def test_nothing_waits_in_the_notebook(tmp_path):
    """All jobs are there at once, and go on when the first may."""
    gate = tmp_path / "gate"
    with nbbatch.pipeline("chain") as p:
        step = p.step(wait_for, str(gate))
        for number in range(3):
            step = p.step(double, step, name=f"double{number}")
    assert p.status()["double2"] == "PENDING"
    with pytest.raises(UserError, match="goes on"):
        p.run()
    with pytest.raises(UserError, match="goes on"):
        p.retry()
    assert not p.wait(0.01)
    gate.touch()
    assert p.wait(DEADLINE)
    assert p.results()["double2"] == 8


def test_only_what_failed_and_what_never_ran_is_repeated(tmp_path):
    """What succeeded keeps its job; of an array only failed items run again."""
    marker = tmp_path / "now"
    p = nbbatch.pipeline("resumed")
    good = p.step(load, 2)
    array = p.map(fragile, range(3), marker=str(marker))
    last = p.step(total, array)
    p.run()
    assert p.wait(DEADLINE)
    assert p.status() == {"load": "SUCCEEDED", "fragile": "FAILED", "total": "FAILED"}
    kept, failed = good.job, array.job
    marker.touch()
    p.retry()
    assert p.results(DEADLINE) == {"load": [0, 1], "fragile": [0, 1, 2], "total": 3}
    assert good.job is kept
    assert array.job != failed
    assert len(array.job) == 3
    assert array.job.detail().get("arrayProperties", {}).get("size") is None
    assert last.result() == 3


def _built(name, first, second, items=(0, 1, 2), **options):
    """The same pipeline as a cell builds it each time it is run."""
    p = nbbatch.pipeline(name)
    array = p.map(first, items, name="first", **options)
    p.step(load, 2, name="beside")
    p.step(second, array, name="second")
    return p


@in_notebook
def seldom(number, marker=None):
    if number == 1:
        raise ValueError("always")
    return number


def mended():
    @in_notebook
    def seldom(number, marker=None):
        return number + 10

    return seldom


def test_a_step_whose_code_has_changed_reruns_whole_and_says_so():
    """The old values would stand beside the new ones; what did not change keeps its job."""
    p = _built("mended", seldom, total).run()
    assert p.wait(DEADLINE)
    kept = p["beside"].job
    again = _built("mended", mended(), total).attach().retry()
    assert again.results(DEADLINE) == {"first": [10, 11, 12], "beside": [0, 1], "second": 33}
    assert again["beside"].job == kept
    assert again.retried == {
        "first": "whole, its code or inputs have changed",
        "beside": "kept, it succeeded",
        "second": "whole, it never ran",
    }
    told = again._repr_mimebundle_()
    assert "retry · beside: kept, it succeeded" in told["text/plain"]
    assert "retry · beside: kept" in told["image/svg+xml"]


def test_a_step_that_did_not_change_repeats_its_failed_items_with_the_options_of_now(tmp_path):
    """Also where the pipeline was built again, and at a second retry, too."""

    def build(**options):
        p = nbbatch.pipeline("same")
        p.step(total, p.map(fragile, range(3), marker=str(marker), name="first", **options), name="last")
        return p

    marker = tmp_path / "now"
    assert build().run().wait(DEADLINE)
    for memory in ("300M", "512M"):
        if memory == "512M":
            marker.touch()
        p = build(memory=memory, env={"A": "1"}).attach().retry()
        assert p.retried["first"] == "failed items, 1 of 3"
        assert p.wait(DEADLINE)
    assert p.results() == {"first": [0, 1, 2], "last": 3}
    container = p["first"].job.detail()["container"]
    assert {"type": "MEMORY", "value": "512"} in container["resourceRequirements"]
    assert {"name": "A", "value": "1"} in container["environment"]


def test_a_step_that_fails_before_the_next_one_is_submitted_is_no_mistake():
    """The others are submitted, and end as Batch ends what waits for a failed job."""

    class Late(list):
        """Packed only when the first step has ended."""

        def __reduce__(self):
            p["first"].job.wait(DEADLINE)
            return list, ()

    p = nbbatch.pipeline("quick")
    p.step(load, "no number", name="first")
    p.step(total, [p["first"], Late()], name="last")
    p.run()
    assert p.wait(DEADLINE)
    assert p.status() == {"first": "FAILED", "last": "FAILED"}
    assert p["last"].job.detail()["statusReason"] == "Dependent Job failed"


def test_what_depends_on_a_changed_step_runs_again_although_it_had_succeeded():
    """And a step with other inputs is a changed one."""
    p = nbbatch.pipeline("inputs")
    p.step(double, p.step(total, [1, 2], name="sum"), name="twice")
    assert p.run().wait(DEADLINE)
    again = nbbatch.pipeline("inputs")
    again.step(double, again.step(total, [1, 3], name="sum"), name="twice")
    again.attach().retry()
    assert again.retried == {
        "sum": "whole, its code or inputs have changed",
        "twice": "whole, it waits for sum",
    }
    assert again.results(DEADLINE) == {"sum": 4, "twice": 8}


def test_a_retry_takes_other_options():
    """More memory for what had too little, and nothing else."""
    failed = nbbatch.map(seldom, range(3), env={"A": "1"}, tags={"team": "a"})
    assert failed.wait(DEADLINE)
    again = failed.retry_failed(memory="512M", env={"B": "2"}, timeout="2m")
    detail = again.detail()
    values = {one["name"]: one["value"] for one in detail["container"]["environment"]}
    assert (values["A"], values["B"]) == ("1", "2")
    assert {"type": "MEMORY", "value": "512"} in detail["container"]["resourceRequirements"]
    assert detail["timeout"] == {"attemptDurationSeconds": 120}
    assert again.tags == {"team": "a"}
    with pytest.raises(OptionError, match="no option 'memori'"):
        failed.retry_failed(memori="1G")


def test_a_failed_step_raises_what_its_code_raised(tmp_path):
    """And steps behind it say that they were not run."""
    with nbbatch.pipeline("broken") as p:
        broken = p.step(fragile, 1, str(tmp_path / "never"))
        p.step(double, broken)
    with pytest.raises(ValueError, match="not yet"):
        p.results(DEADLINE)
    assert "dependency failed" in p._repr_mimebundle_()["text/plain"]
    assert ">dependency failed</text>" in p._repr_mimebundle_()["image/svg+xml"]


def test_a_pipeline_built_again_takes_up_its_newest_run():
    """As after a restart of the kernel: by tags, not by anything that was kept here."""

    def build():
        p = nbbatch.pipeline("resumable")
        p.step(double, p.step(total, [1, 2]))
        return p

    assert build().run().wait(DEADLINE)
    newest = build().run()
    assert newest.wait(DEADLINE)
    again = build().attach()
    assert again.run_id == newest.run_id
    assert again.results() == {"total": 3, "double": 6}
    assert [step.job for step in again] == [step.job for step in newest]
    with pytest.raises(UnknownNameError, match="no run of a pipeline"):
        nbbatch.pipeline("never-ran").attach()


def test_cells_pass_on_their_variables():
    """`step["name"]` is an input of a later cell or an argument of a function."""
    with nbbatch.pipeline("cells") as p:
        first = p.cell("a = k + 1\nb = [a] * 3", inputs={"k": 1}, outputs=["a", "b"], name="first")
        second = p.cell("c = sum(b)\nc", inputs={"b": first["b"]}, name="second")
        p.step(double, first["a"])
    assert p["second"].result(DEADLINE) == 6
    assert second.job.load().variables["c"] == 6
    assert p["double"].result(DEADLINE) == 4


def test_jobs_and_whatever_submits_them_can_be_steps():
    """A handle that is there already, and any function that gives one."""
    job = nbbatch.submit(total, [1, 2])
    p = nbbatch.pipeline("mixed")
    known = p.add(job, name="known")
    p.launch(nbbatch.submit, double, known, name="launched")
    p.step(double, 4, after=[job], name="later")
    p.run()
    assert p.results(DEADLINE)["launched"] == 6
    assert p["later"].job.detail()["dependsOn"] == [{"jobId": job.id}]
    wrong = nbbatch.pipeline("wrong")
    wrong.launch(lambda **_: 3)
    with pytest.raises(OptionError, match="no handle"):
        wrong.run()


def test_circles_and_unknown_steps_are_told_before_anything_is_submitted():
    """By the names of the steps."""
    p = nbbatch.pipeline("circle")
    p.step(double, 1, name="a", after="b")
    p.step(double, 1, name="b", after=["a"])
    before = len(nbbatch.jobs())
    with pytest.raises(OptionError, match=r"wait for each other: .*a.*b"):
        p.run()
    q = nbbatch.pipeline("lost")
    q.step(double, 1, after="nobody")
    with pytest.raises(OptionError, match="'nobody', which is no step"):
        q.run()
    assert len(nbbatch.jobs()) == before


def test_mistakes_are_told_when_a_step_is_added():
    """Names, options and arguments."""
    p = nbbatch.pipeline("mistakes")
    p.step(double, 1, name="one")
    with pytest.raises(OptionError, match="a step 'one' already"):
        p.step(double, 1, name="one")
    with pytest.raises(OptionError, match="is not an amount"):
        p.step(double, 1, memory="lots")
    with pytest.raises(OptionError, match="cannot be called like this"):
        p.step(double, 1, 2)
    with pytest.raises(UnknownNameError, match="no step 'two'"):
        p["two"]
    with pytest.raises(OptionError, match="has no steps"):
        nbbatch.pipeline("empty").run()
    with pytest.raises(UserError, match="has not run"):
        p.retry()
    with pytest.raises(UserError, match="has not been submitted"):
        p["one"].result()


def test_all_steps_are_submitted_or_none():
    """A step that is refused takes those before it back."""
    p = nbbatch.pipeline("half")
    first = p.step(double, 1)
    p.step(double, first, queue="nowhere", name="second")
    with pytest.raises(UnknownNameError, match="nowhere"):
        p.run()
    assert first.job.wait(DEADLINE)
    assert p["second"].job is None


def test_a_pipeline_is_stopped_as_a_whole(tmp_path):
    """What runs is terminated, what waits is taken back."""
    with nbbatch.pipeline("stopped") as p:
        p.step(double, p.step(wait_for, str(tmp_path / "never")))
    p.cancel("enough")
    assert p.wait(DEADLINE)
    assert set(p.status().values()) == {"FAILED"}


def test_a_pipeline_draws_itself():
    """Text and a picture without script; a step's state is in both."""
    p = nbbatch.pipeline("drawn")
    p.step(double, p.step(total, [1]))
    assert "not submitted" in repr(p)
    bundle = p.run()._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert p.wait(DEADLINE)
    bundle = p._repr_mimebundle_()
    assert bundle["image/svg+xml"].count("SUCCEEDED") == 4
    assert "✓ double  SUCCEEDED" in bundle["text/plain"]
    assert "← total" in bundle["text/plain"]
    assert "script" not in bundle["image/svg+xml"]


def test_every_arrow_of_the_picture_points_to_the_right():
    """A step stands right of all it waits for; names are escaped."""
    nodes = [
        Node(name="last", after=("a", "<b>")),
        Node(name="a"),
        Node(name="<b>", after=("a",), status="RUNNING", state="RUNNING"),
    ]
    svg = as_svg(nodes)
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg
    x = {name: svg.split(f">{name}</text>")[0].rsplit('x="', 1)[1].split('"')[0] for name in ("a", "last")}
    assert int(x["a"]) < int(x["last"])
    assert as_text(nodes).splitlines()[0].startswith("· a")
    assert in_order({"z": ["y"], "y": []}) == ["y", "z"]


def test_a_job_whose_value_is_needed_whole_is_waited_for_whole():
    """Whatever `after` says of it."""
    [found] = merged(["a"], [WholeJob("a")])
    assert isinstance(found, WholeJob)
    [found] = merged([WholeJob("a")], ["a"])
    assert isinstance(found, WholeJob)
    assert merged(["a", "b"], ["a"]) == ("a", "b")
