"""Physical admission: first in, first out, and never more than there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbbatch.daemon.admission import Admission

A, B, C = ("a", 1), ("b", 1), ("c", 1)


def admitted(admission: Admission) -> list[tuple[str, int]]:
    """Names of all that get in now."""
    names = []
    while (entry := admission.admit()) is not None:
        names.append(entry[0])
    return names


def test_they_get_in_as_long_as_they_fit():
    """Two of three get in, the third when one of them gives its room back."""
    admission = Admission(2, 1000)
    for name in (A, B, C):
        admission.wait(name, (1, 400, 0))
    assert admitted(admission) == [A, B]
    assert admission.room == (0, 200, 0)
    admission.release(A)
    assert admitted(admission) == [C]


def test_the_first_is_not_overtaken():
    """A small one waits behind a large one."""
    admission = Admission(4, 1000)
    admission.wait(A, (3, 10, 0))
    assert admitted(admission) == [A]
    admission.wait(B, (4, 10, 0))
    admission.wait(C, (1, 10, 0))
    assert admitted(admission) == []
    assert admission.waiting == (B, C)


def test_who_withdraws_lets_the_next_in():
    """Leaving the queue is told apart from not having been in it."""
    admission = Admission(1, 1000)
    admission.wait(A, (1, 2000, 0))
    admission.wait(B, (1, 10, 0))
    assert admission.withdraw(A)
    assert not admission.withdraw(A)
    assert admitted(admission) == [B]
    assert not admission.withdraw(B)


def test_fractions_of_vcpus_are_exact():
    """Four quarters are one."""
    admission = Admission(1, 1000)
    for index in range(5):
        admission.wait(("q", index), (0.25, 1, 0))
    assert len(admitted(admission)) == 4


def test_more_vcpus_than_there_are_get_all_of_them():
    """Since vCPUs are shares, such an attempt runs, alone."""
    admission = Admission(2, 1000)
    assert admission.refusal((64, 10, 0)) == ""
    admission.wait(A, (64, 10, 0))
    admission.wait(B, (1, 10, 0))
    assert admitted(admission) == [A]
    admission.release(A)
    assert admitted(admission) == [B]


def test_what_can_never_fit_is_refused_in_words():
    """Memory and GPUs are hard limits; the words name both amounts."""
    admission = Admission(2, 1000, 1)
    assert "1001 MiB" in admission.refusal((1, 1001, 0))
    assert "1000 MiB" in admission.refusal((1, 1001, 0))
    assert "2 GPUs" in admission.refusal((1, 1, 2))
    assert admission.refusal((1, 1000, 1)) == ""


def test_gpus_are_handed_out_exclusively():
    """Each index belongs to one attempt, and comes back with it."""
    admission = Admission(8, 1000, 3)
    admission.wait(A, (1, 1, 2))
    admission.wait(B, (1, 1, 1))
    admission.wait(C, (1, 1, 1))
    assert admission.admit() == (A, (0, 1))
    assert admission.admit() == (B, (2,))
    assert admission.admit() is None
    admission.release(A)
    assert admission.admit() == (C, (0,))


def test_who_runs_already_is_counted_whether_it_fits_or_not():
    """After a restart survivors take their room and their GPUs first."""
    admission = Admission(2, 1000, 2)
    admission.occupy(A, (3, 900, 1), (1,))
    admission.occupy(B, (1, 500, 0))
    assert admission.room == (-1, -400, 1)
    admission.wait(C, (1, 10, 1))
    assert admission.admit() is None
    admission.release(B)
    admission.release(A)
    assert admission.admit() == (C, (0,))


def test_the_capacity_changes_under_what_is_held():
    """A smaller machine admits again when enough has been given back."""
    admission = Admission(4, 1000, 1)
    admission.wait(A, (2, 100, 1))
    admission.wait(B, (2, 100, 0))
    assert admitted(admission) == [A, B]
    admission.resize(2, 500, 2)
    assert admission.room == (-2, 300, 1)
    admission.wait(C, (2, 100, 1))
    assert admitted(admission) == []
    admission.release(A)
    admission.release(B)
    assert admission.admit() == (C, (0,))
    assert len(admission) == 0


amounts = st.tuples(st.sampled_from([0.25, 1, 2, 9]), st.integers(1, 500), st.integers(0, 2))


@given(st.lists(amounts, max_size=30), st.data())
def test_everybody_gets_in_once_and_in_order(wanted, data):
    """Whatever is given back when: order is kept, nothing is exceeded, all room comes back."""
    admission = Admission(4, 500, 2)
    names = [("job", index) for index in range(len(wanted))]
    for name, amount in zip(names, wanted, strict=True):
        admission.wait(name, amount)
    order, inside = [], {}
    while len(order) < len(names) or inside:
        while (entry := admission.admit()) is not None:
            order.append(entry[0])
            inside[entry[0]] = entry[1]
        devices = [device for held in inside.values() for device in held]
        assert len(devices) == len(set(devices))
        assert min(admission.room) >= 0
        name = data.draw(st.sampled_from(sorted(inside)))
        del inside[name]
        admission.release(name)
    assert order == names
    assert admission.room == (4, 500, 2)


MAIN, NODE, OTHER = ("main", 1), ("node", 1), ("other", 1)


def test_a_main_node_brings_room_for_its_others():
    """It waits until all of them fit, and nobody else gets what it keeps; they draw on that at once."""
    admission = Admission(4, 1000, 4)
    admission.wait(A, (1, 500, 0))
    admission.wait(MAIN, (1, 200, 1), (2, 400, 2))
    admission.wait(OTHER, (1, 100, 0))
    assert admitted(admission) == [A]
    admission.release(A)
    assert admission.admit() == (MAIN, (0,))
    assert admission.room == (1, 400, 1)
    assert admitted(admission) == [OTHER]
    assert admission.draw(NODE, MAIN, (1, 200, 1)) == (1,)
    assert admission.draw(B, MAIN, (1, 200, 1)) == (2,)
    assert admission.draw(C, MAIN, (1, 200, 0)) is None
    for name in (MAIN, NODE, B, OTHER):
        admission.release(name)
    assert admission.room == (4, 1000, 4)


def test_what_a_main_node_kept_goes_with_it():
    """Nodes that run keep their own; the rest is free again."""
    admission = Admission(4, 1000)
    admission.wait(MAIN, (1, 100, 0), (2, 600, 0))
    admission.admit()
    admission.draw(NODE, MAIN, (1, 300, 0))
    admission.release(MAIN)
    assert admission.room == (3, 700, 0)
    assert admission.draw(B, MAIN, (1, 300, 0)) is None


def test_a_gang_with_more_vcpus_than_there_are_runs_on_all_of_them():
    """Many nodes' vCPUs are shares as well; their memory is not."""
    admission = Admission(2, 1000)
    admission.wait(MAIN, (1, 100, 0), (7, 700, 0))
    assert admitted(admission) == [MAIN]
    assert admission.room == (0, 200, 0)
    nodes = [(f"node-{number}", 1) for number in range(7)]
    assert all(admission.draw(name, MAIN, (1, 100, 0)) == () for name in nodes)
    for name in (MAIN, *nodes):
        admission.release(name)
    assert admission.room == (2, 1000, 0)
    assert admission.refusal((1, 500, 0), (1, 500, 0)) == ""
    told = admission.refusal((1, 500, 0), (1, 501, 0))
    assert told == "with its other nodes it asks for 1001 MiB of memory and this machine has 1000 MiB"
