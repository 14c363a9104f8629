"""What the next run should ask for, by what the last one used."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.handles.resize import advise
from nbbatch.client.handles.usage import Use
from nbbatch.client.options import Options
from nbbatch.client.results import Usage
from nbbatch.errors import UserError

DEADLINE = 120


def use(**facts) -> Use:
    given = {
        "vcpus": 4,
        "memory": 8192,
        "gpus": 0,
        "seconds": 100.0,
        "cpu_seconds": 90.0,
        "peak_memory": 1000,
    }
    return Use(**{**given, **facts})


def child(seconds: float, busy: float, mib: int) -> Usage:
    return Usage(seconds=seconds, cpu_seconds=busy * seconds, peak_memory=mib << 20)


def advised(*args, lacked_memory=False):
    resources, because = advise(*args, lacked_memory=lacked_memory)
    return resources.vcpus, resources.memory, because


def test_a_quarter_more_than_what_was_used_is_advised():
    """Rounded up to what one would write."""
    vcpus, memory, because = advised(use(), [])
    assert (vcpus, memory) == (2, 1536)
    assert because == "it used 1000 MB of 8 GB, 0.9 of 4 vCPU"


@pytest.mark.parametrize(
    ("peak", "memory"), [(10, 256), (300, 384), (700, 896), (819, 1024), (2000, 2560), (9000, 11264)]
)
def test_memory_is_rounded_up_in_steps(peak, memory):
    """Never below 256 MiB."""
    assert advised(use(peak_memory=peak), [])[1] == memory


def test_more_memory_is_advised_to_who_came_close():
    """Head room is missing then; and twice as much after an end for lack of it."""
    assert advised(use(memory=1024, peak_memory=1000), [])[1] == 1536
    _, memory, because = advised(use(peak_memory=8100), [], lacked_memory=True)
    assert memory == 16384
    assert "killed" in because


def test_vcpus_are_never_more_than_it_had_and_a_short_run_tells_nothing():
    """A job that kept all of them busy is told that more might help."""
    assert advised(use(cpu_seconds=500.0), [])[0] == 4
    assert "may be faster with more" in advised(use(cpu_seconds=390.0), [])[2]
    assert advised(use(seconds=5.0, cpu_seconds=1.0), [])[0] == 4
    assert advised(use(vcpus=0.5, cpu_seconds=10.0), [])[0] == 0.25


def test_of_an_array_the_largest_child_and_ninety_five_of_hundred_count():
    """One busy child does not make all of them larger; one large one does."""
    children = [child(60, 0.5, 100)] * 97 + [child(60, 3.9, 100)] * 2 + [child(60, 0.5, 3000)]
    vcpus, memory, _ = advised(use(peak_memory=None), children)
    assert (vcpus, memory) == (1, 4096)


def test_where_nobody_measured_nothing_is_advised():
    """It says so."""
    with pytest.raises(UserError, match="Nobody measured"):
        advise(use(cpu_seconds=None, peak_memory=None), [], lacked_memory=False)


def in_notebook(function):
    """As if it had been defined in a cell."""
    function.__module__ = "__main__"
    return function


@in_notebook
def hold(mib):
    return len(bytearray(mib << 20))


def test_a_job_advises_the_line_that_would_have_sufficed(shared_daemon):
    """As options, as words of the magic, and with what it saves."""
    job = nbbatch.submit(hold, 50, vcpus=1, memory="6G")
    assert job.wait(DEADLINE)
    advice = job.resize_advice()
    assert advice.is_change
    assert advice.vcpus == 1
    assert advice.memory < 1024
    assert advice.peak_memory >= 50
    assert advice.saving > 0
    assert f"--memory {advice.memory}M" in advice.line
    assert "instead of --vcpus 1 --memory 6G" in str(advice)
    assert Options.parse(advice.options).memory == advice.memory
    again = nbbatch.submit(hold, 50, **advice.options)
    assert again.result(DEADLINE) == 50 << 20
    assert not again.resize_advice().is_change


def test_an_array_is_advised_as_a_whole(shared_daemon):
    """By its largest child."""
    array = nbbatch.map(hold, [1, 1, 200], memory="4G", chunk=1)
    assert array.wait(DEADLINE)
    advice = array.resize_advice()
    assert 200 <= advice.peak_memory < 400
    assert 256 <= advice.memory <= 512


def test_a_job_that_goes_on_has_no_advice_yet(shared_daemon, tmp_path):
    """It might use more in the end."""

    @in_notebook
    def wait(gate=str(tmp_path / "gate")):
        import pathlib
        import time

        for _ in range(6000):
            if pathlib.Path(gate).exists():
                return
            time.sleep(0.01)

    job = nbbatch.submit(wait)
    with pytest.raises(UserError, match="has not ended"):
        job.resize_advice()
    (tmp_path / "gate").touch()
    assert job.wait(DEADLINE)


@pytest.mark.docker
@pytest.mark.parametrize("executor", ["docker"], indirect=True)
def test_after_an_end_for_lack_of_memory_twice_as_much_is_advised(daemon, executor):
    """And the error says the same."""
    job = nbbatch.submit(hold, 400, memory="128M")
    error = job.error(DEADLINE)
    assert 'memory="256M"' in str(error)
    advice = job.resize_advice()
    assert advice.memory == 256
    assert "killed" in advice.because
