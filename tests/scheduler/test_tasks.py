"""The rules of a task of several containers."""

import pytest

from nbbatch.model.containers import Container, ContainerCondition, ContainerDependency, ContainerEnd
from nbbatch.scheduler.tasks import Progress, decisive, given_up, is_decided, next_deadline, ready


def container(name, *waits, essential=True, start_timeout=None):
    pairs = [wait.split() for wait in waits]
    return Container(
        name=name,
        image="busybox",
        essential=essential,
        start_timeout=start_timeout,
        depends_on=tuple(
            ContainerDependency(name=other, condition=ContainerCondition(word)) for other, word in pairs
        ),
    )


def ended(name, code, *, at=10, started=5, reason=None):
    return ContainerEnd(name=name, exit_code=code, reason=reason, started_at=started, stopped_at=at)


def progress(started=(), *ends):
    times = dict.fromkeys(started, 1_000) | {end.name: 1_000 for end in ends if end.started_at}
    return Progress(started=times, ends={end.name: end for end in ends})


@pytest.mark.parametrize(
    ("condition", "now", "names"),
    [
        ("START", progress(), ["init"]),
        ("START", progress(["init"]), ["main"]),
        ("COMPLETE", progress(["init"]), []),
        ("COMPLETE", progress((), ended("init", 3)), ["main"]),
        ("SUCCESS", progress((), ended("init", 3)), []),
        ("SUCCESS", progress((), ended("init", 0)), ["main"]),
    ],
)
def test_a_container_waits_for_its_conditions(condition, now, names):
    """START is met by a start, COMPLETE by any end, SUCCESS by exit code 0."""
    containers = [container("main", f"init {condition}"), container("init", essential=False)]
    assert [known.name for known in ready(containers, now)] == names


def test_an_essential_end_decides():
    """Any end of an essential container, and any container that could not start."""
    containers = [container("main"), container("side", essential=False)]
    assert not is_decided(containers, progress(["main"], ended("side", 1)))
    assert is_decided(containers, progress(["side"], ended("main", 0)))
    assert is_decided(containers, progress(["main"], ended("side", None, started=None, reason="Cannot")))


def test_what_can_never_be_met_is_given_up():
    """A failed SUCCESS; an end that never came is told apart."""
    containers = [container("main", "init SUCCESS"), container("init", essential=False)]
    assert given_up(containers, progress(["init"]), now=10**9) is None
    end = given_up(containers, progress((), ended("init", 2)), now=0)
    assert (end.name, end.started_at) == ("main", None)
    assert end.reason.endswith("container init cannot become SUCCESS: it ended with exit code 2")


def test_a_start_timeout_is_exact():
    """It counts from the target's start, to the millisecond, and is of no concern once that has ended."""
    containers = [container("main", "init COMPLETE"), container("init", essential=False, start_timeout=30)]
    running = progress(["init"])
    assert next_deadline(containers, running) == 31_000
    assert given_up(containers, running, now=30_999) is None
    assert "within 30 seconds" in given_up(containers, running, now=31_000).reason
    assert next_deadline(containers, progress((), ended("init", 0))) is None
    assert next_deadline(containers, progress()) is None


def test_a_start_is_not_timed():
    """Who only waits for a start is not bound by the target's startTimeout."""
    containers = [container("main", "init START"), container("init", essential=False, start_timeout=30)]
    assert next_deadline(containers, progress(["init"])) is None


@pytest.mark.parametrize(
    ("ends", "decides"),
    [
        ([ended("a", 0, at=2), ended("b", 0, at=1)], "b"),
        ([ended("a", 1, at=2), ended("b", 0, at=1)], "a"),
        ([ended("a", 143, at=2), ended("b", 7, at=1)], "b"),
        ([ended("a", 0, at=1), ended("c", 9, at=0)], "a"),
        ([ended("a", 0, at=1), ended("c", None, started=None, reason="CannotPull")], "c"),
        ([ended("a", 5, at=1), ContainerEnd(name="b")], "a"),
        ([ContainerEnd(name="a"), ContainerEnd(name="b")], "a"),
    ],
)
def test_one_container_decides(ends, decides):
    """First who could not start, then the first essential failure, then the first essential end."""
    containers = [container("a"), container("b"), container("c", essential=False)]
    assert decisive(containers, ends).name == decides
