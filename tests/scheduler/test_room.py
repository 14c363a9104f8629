"""The tree over hosts finds what a look through all of them would find."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from nbbatch.scheduler.room import RoomIndex

AMOUNT = st.tuples(st.sampled_from([0.25, 0.5, 1.0, 2.0, 8.0]), st.integers(0, 8), st.integers(0, 2))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "add", "change", "remove"]), st.integers(0, 99), AMOUNT))


@dataclass(eq=False)
class Box:
    free: tuple[float, int, int]
    slot: int = -1


@given(steps=STEPS, wanted=AMOUNT)
def test_hosts_with_room_are_found_in_the_order_they_came(steps, wanted):
    """After any coming, going and changing, the tree yields exactly the hosts with room, oldest first."""
    index, boxes = RoomIndex(), []
    for what, which, free in steps:
        if what == "add":
            boxes.append(Box(free))
            index.add(boxes[-1])
        elif boxes and what == "change":
            boxes[which % len(boxes)].free = free
            index.update(boxes[which % len(boxes)])
        elif boxes:
            index.remove(boxes.pop(which % len(boxes)))
    expected = [box for box in boxes if all(need <= has for need, has in zip(wanted, box.free, strict=True))]
    assert list(index.fitting(*wanted)) == expected
    assert list(index) == boxes


def test_a_search_that_finds_nothing_looks_at_one_node():
    """A full world is refused at the root, however many hosts it has."""
    looked = []

    class Counting(list):
        def __getitem__(self, node):
            looked.append(node)
            return super().__getitem__(node)

    index = RoomIndex()
    for _ in range(1000):
        index.add(Box((1.0, 1, 0)))
    index._tree = Counting(index._tree)
    assert list(index.fitting(2.0, 1, 0)) == []
    assert looked == [1]
