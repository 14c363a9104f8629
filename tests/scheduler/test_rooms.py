"""The index of free room against a plain look at every host."""

from hypothesis import given
from hypothesis import strategies as st

from nbbatch.model.fleet import Host, HostId
from nbbatch.model.jobs import JobId
from nbbatch.model.resources import Resources
from nbbatch.scheduler.hosts import HostState
from nbbatch.scheduler.rooms import MOST_SIZES, RoomIndex


def host(number, vcpus, memory, gpus=0):
    room = Resources(vcpus=vcpus, memory=memory, gpus=gpus)
    known = Host(
        id=HostId(f"i-{number}"),
        environment="ce",
        instance_type="x",
        capacity=room,
        price=1,
        spot_price=1,
        launched_at=0,
    )
    return HostState(host=known, vcpus=vcpus, memory=memory, gpus=gpus)


sizes = st.tuples(st.sampled_from([0.25, 1, 2, 4]), st.integers(0, 4), st.integers(0, 1))


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "take", "give"]), sizes, st.integers(0, 99))))
def test_it_finds_the_eldest_host_with_room(steps):
    """As a scan would, through all comings, goings, takings and givings back."""
    index, hosts = RoomIndex(), []
    for number, (step, (vcpus, memory, gpus), pick) in enumerate(steps):
        wanted = Resources(vcpus=vcpus, memory=memory, gpus=gpus)
        expected = next((one for one in hosts if one.has_room(wanted)), None)
        assert index.first(wanted) is expected
        chosen = hosts[pick % len(hosts)] if hosts else None
        if step == "add":
            hosts.append(host(number, vcpus * 2, memory * 2, gpus))
            index.add(hosts[-1])
        elif step == "remove" and chosen is not None:
            hosts.remove(chosen)
            index.remove(chosen)
        elif step == "take" and expected is not None:
            expected.occupy(JobId(str(number)), wanted)
        elif step == "give" and chosen is not None and chosen.occupants:
            chosen.vacate(next(iter(chosen.occupants)), 0)
        index.check()


def test_no_single_host_is_made_up_of_several():
    """One has the vCPU, another the memory: there is no room."""
    index = RoomIndex()
    index.add(host(1, 4, 100))
    index.add(host(2, 1, 4000))
    assert index.first(Resources(vcpus=4, memory=4000)) is None


def test_more_sizes_and_gaps_than_are_kept():
    """Sizes that were forgotten and places that were moved up change no answer."""
    index, hosts = RoomIndex(), []
    for number in range(200):
        hosts.append(host(number, 4 + number % 7, 64 + number % 11))
        index.add(hosts[-1])
        if number % 5:
            index.remove(hosts.pop(number % len(hosts)))
        size = Resources(vcpus=1 + number % 9, memory=number % MOST_SIZES + number % 13)
        for wanted in (size, Resources(vcpus=1, memory=1)):
            assert index.first(wanted) is next((one for one in hosts if one.has_room(wanted)), None)
        index.check()
