"""Jobs that wait for jobs: whole, item by item, and by taking their values as arguments."""

from __future__ import annotations

from itertools import pairwise

import pytest

import nbbatch
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.arrays.shape import read_array
from nbbatch.client.backend import get_backend
from nbbatch.client.bundle import pack
from nbbatch.client.options import Options
from nbbatch.client.packing.payloads import Call
from nbbatch.client.pipelines.dependencies import joined_ids
from nbbatch.client.spec import JobSpec
from nbbatch.client.submission import submit_spec
from nbbatch.errors import DependencyFailedError, OptionError

DEADLINE = 120


def in_notebook(function):
    """As if it had been defined in a cell."""
    function.__module__ = "__main__"
    return function


@in_notebook
def double(number):
    return 2 * number


@in_notebook
def total(numbers, start=0):
    return start + sum(numbers)


@in_notebook
def fail_on_two(number):
    if number == 2:
        raise ValueError("two")
    return number


@in_notebook
def large(size):
    import array

    return array.array("d", range(size))


@in_notebook
def length(thing):
    return len(thing)


@in_notebook
def wait_for(gate):
    import pathlib
    import time

    for _ in range(6000):
        if pathlib.Path(gate).exists():
            return 20
        time.sleep(0.01)
    raise TimeoutError(gate)


@pytest.fixture
def gate(tmp_path):
    """A file that jobs wait for; made at the end whatever happens."""
    path = tmp_path / "gate"
    yield path
    path.touch()


def command(*words: str, **options):
    """A job without a bundle."""
    backend = get_backend()
    spec = JobSpec(options=Options.parse(options), name="bare", command=words)
    return nbbatch.Job(submit_spec(backend, spec), backend=backend.name)


def depends_on(job):
    return job.detail()["dependsOn"]


class TestValues:
    """A handle as an argument is its value in the job."""

    def test_a_handle_as_an_argument_is_waited_for_and_arrives_as_its_value(self, daemon, executor):
        """Directly, by keyword and inside lists; large and small values; in containers as in processes."""
        first = nbbatch.submit(double, 10)
        second = nbbatch.submit(double, first)
        values = nbbatch.submit(total, [first, second, 1], start=first)
        assert depends_on(second) == [{"jobId": first.id}]
        assert second.result(DEADLINE) == 40
        assert values.result(DEADLINE) == 20 + 40 + 1 + 20
        assert nbbatch.submit(length, nbbatch.submit(large, 5000)).result(DEADLINE) == 5000

    def test_nothing_waits_in_the_notebook(self, shared_daemon, gate):
        """A chain is submitted at once and runs on by itself."""
        first = nbbatch.submit(wait_for, str(gate))
        last = nbbatch.submit(double, nbbatch.submit(double, first))
        assert last.status == "PENDING"
        gate.touch()
        assert last.result(DEADLINE) == 80

    def test_an_array_goes_item_by_item_into_another_one(self, shared_daemon):
        """N_TO_N: a failed item keeps only its own counterpart from running."""
        first = nbbatch.map(fail_on_two, range(4))
        second = nbbatch.map(double, first)
        assert depends_on(second) == [{"jobId": first.id, "type": "N_TO_N"}]
        values = second.results(DEADLINE, return_exceptions=True)
        assert [values[0], values[1], values[3]] == [0, 2, 6]
        assert isinstance(values[2], DependencyFailedError)

    def test_items_in_another_order_wait_for_the_whole_array(self, shared_daemon):
        """Item by item would start some before their values are there."""
        first = nbbatch.map(double, range(3))
        second = nbbatch.map(double, [first[2], first[1], first[0]])
        assert depends_on(second) == [{"jobId": first.id}]
        assert second.results(DEADLINE) == [8, 4, 0]

    def test_an_array_as_an_argument_is_the_list_of_its_values(self, shared_daemon):
        """Also in chunks, and one item of it by itself."""
        array = nbbatch.map(double, range(5), chunk=2)
        assert nbbatch.submit(total, array).result(DEADLINE) == 20
        one = nbbatch.submit(double, array[3])
        assert depends_on(one) == [{"jobId": f"{array.id}:1"}]
        assert one.result(DEADLINE) == 12

    def test_a_retried_array_gives_the_values_of_both(self, shared_daemon, tmp_path):
        """New values stand beside the old ones."""
        marker = tmp_path / "now"

        @in_notebook
        def lucky(number, path=str(marker)):
            import pathlib

            if number == 1 and not pathlib.Path(path).exists():
                raise ValueError("not yet")
            return number

        array = nbbatch.map(lucky, range(3))
        assert array.wait(DEADLINE)
        marker.touch()
        retried = array.retry_failed()
        assert retried.wait(DEADLINE)
        assert nbbatch.submit(total, list(array)[:1]).result(DEADLINE) == 0
        assert nbbatch.submit(total, retried).result(DEADLINE) == 3

    def test_classes_of_the_notebook_arrive_with_the_values(self, shared_daemon, monkeypatch):
        """The second job never mentions the class, and what comes back is of the notebook's own."""
        import sys

        main = sys.modules["__main__"]
        source = "class Point:\n    def __init__(self, x):\n        self.x = x\n"
        namespace: dict[str, object] = {"__name__": "__main__"}
        exec(source, namespace)
        monkeypatch.setattr(main, "Point", namespace["Point"], raising=False)
        functions = "def make(x):\n    return Point(x)\ndef same(p):\n    return p\n"
        exec(functions, vars(main))
        try:
            made = nbbatch.submit(main.make, 3)
            again = nbbatch.submit(main.same, made).result(DEADLINE)
        finally:
            del main.make, main.same
        assert type(again) is namespace["Point"]
        assert again.x == 3

    def test_a_failed_job_is_refused_as_an_argument(self, shared_daemon):
        """Its value will never come; nothing is submitted."""
        failed = nbbatch.submit(fail_on_two, 2)
        assert failed.wait(DEADLINE)
        with pytest.raises(DependencyFailedError, match="has failed"):
            nbbatch.submit(double, failed)

    def test_a_job_without_a_value_is_refused_as_an_argument(self, shared_daemon):
        """A command's exit code is no value."""
        with pytest.raises(OptionError, match="after=job"):
            nbbatch.submit(double, command("true"))

    def test_what_was_sent_as_a_handle_is_read_as_a_handle(self, shared_daemon):
        """An array found again by its id knows its inputs."""
        first = nbbatch.map(double, range(2))
        second = nbbatch.map(double, first)
        assert second.wait(DEADLINE)
        array = read_array(shared_daemon.store, bundle_of(second.detail()))
        assert array.input(1) == first[1]
        assert nbbatch.job(second.id).items()[1].input == first[1]

    def test_the_manifest_names_the_bundles_that_are_read(self, shared_daemon):
        """And a payload without handles names none."""
        first = nbbatch.submit(double, 1)
        packed = pack(Call(function=double, args=(first,)), shared_daemon.store)
        assert shared_daemon.store.exists(packed.bundle_id, "upstream")
        assert [one.job_id for one in packed.upstream.references] == [first.id]
        plain = pack(Call(function=double, args=(1,)), shared_daemon.store)
        assert not shared_daemon.store.exists(plain.bundle_id, "upstream")


class TestAfter:
    """`after=`: order without values."""

    def test_an_array_after_an_array_of_its_size_waits_item_by_item(self, shared_daemon):
        """`all_of` waits for the whole of it, and so does an array of another size."""
        first = nbbatch.map(double, range(3))
        assert depends_on(nbbatch.map(double, range(3), after=first)) == [
            {"jobId": first.id, "type": "N_TO_N"}
        ]
        whole = nbbatch.map(double, range(3), after=nbbatch.all_of(first))
        assert depends_on(whole) == [{"jobId": first.id}]
        assert depends_on(nbbatch.map(double, range(2), after=[first])) == [{"jobId": first.id}]
        assert depends_on(nbbatch.submit(double, 1, after=first)) == [{"jobId": first.id}]
        assert whole.results(DEADLINE) == [0, 2, 4]

    def test_the_items_of_an_array_can_follow_each_other(self, shared_daemon):
        """SEQUENTIAL, in AWS's own word."""
        array = nbbatch.map(double, range(3), after="SEQUENTIAL")
        assert depends_on(array) == [{"type": "SEQUENTIAL"}]
        assert array.results(DEADLINE) == [0, 2, 4]
        children = [array[n].detail() for n in range(3)]
        assert all(a["stoppedAt"] <= b["startedAt"] for a, b in pairwise(children))

    def test_more_than_twenty_dependencies_are_joined(self, shared_daemon):
        """A job in between waits for twenty of them; a failure still goes through."""
        array = nbbatch.map(double, range(21))
        job = nbbatch.submit(total, [1], after=list(array))
        joins = [one["jobId"] for one in depends_on(job)]
        assert len(joins) == 2
        assert nbbatch.job(joins[0]).name == "total-join"
        assert len(depends_on(nbbatch.job(joins[0]))) == 20
        assert job.result(DEADLINE) == 1

    def test_joins_of_joins_are_made_when_there_are_very_many(self):
        """A tree: every join takes twenty."""
        made: list[list[str]] = []

        def join(ids):
            made.append(list(ids))
            return f"join{len(made)}"

        left = joined_ids([f"job{n}" for n in range(901)], 20, join)
        assert len(left) <= 20
        assert all(len(ids) <= 20 for ids in made)
        below = {job_id for ids in made for job_id in ids} | set(left)
        assert {f"job{n}" for n in range(901)} <= below
