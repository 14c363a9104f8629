import pytest

from nbbatch.errors import IllegalTransitionError
from nbbatch.model.jobs import TERMINAL, JobStatus
from nbbatch.scheduler.lifecycle import TRANSITIONS, Signal, advance, as_mermaid


def test_nothing_leaves_a_terminal_status():
    """SUCCEEDED and FAILED are final."""
    assert not [source for source, _ in TRANSITIONS if source in TERMINAL]


def test_every_status_can_be_reached_and_every_signal_is_used():
    """The table has no dead state and no dead signal."""
    assert set(TRANSITIONS.values()) | {JobStatus.SUBMITTED} == set(JobStatus)
    assert {signal for _, signal in TRANSITIONS} == set(Signal)


@pytest.mark.parametrize("status", list(JobStatus))
@pytest.mark.parametrize("signal", list(Signal))
def test_what_the_table_does_not_name_is_illegal(status, signal):
    """A pair without a row raises and names both."""
    if (status, signal) in TRANSITIONS:
        assert advance(status, signal) is TRANSITIONS[status, signal]
        return
    with pytest.raises(IllegalTransitionError, match=f"{status}.*{signal}"):
        advance(status, signal)


def test_the_diagram_has_a_line_per_row():
    """The state diagram is drawn from the table."""
    lines = as_mermaid().splitlines()
    assert len([line for line in lines if "-->" in line]) == len(TRANSITIONS) + 3
