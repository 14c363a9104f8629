"""Multi-node parallel jobs: gang placement, and the main node that decides."""

from dataclasses import replace

import pytest
from world import World, container, hosts, nodes

from nbbatch.model.containers import Task
from nbbatch.model.jobs import JobStatus, NodeProperties, NodeRange
from nbbatch.model.resources import Resources
from nbbatch.scheduler.blocked import (
    BLOCKED_INSTANCE_TYPES,
    BLOCKED_MAX_VCPUS,
    BLOCKED_NO_ENVIRONMENT,
    BLOCKED_TOO_LARGE,
)
from nbbatch.scheduler.placement import explain

S = JobStatus


def statuses(world, job):
    found = world.state.jobs.get(job)
    count = found.job.nodes.count if found else sum(one.startswith(f"{job}#") for one in world.finished)
    return [world.status(f"{job}#{index}") for index in range(count)]


def stops(world):
    return sorted(world.stopping)


def running(count=3, world=None, **more):
    """A world in which all nodes of a job run."""
    world = world or World()
    job = world.submit(nodes=nodes(count), **more)
    world.start(f"{job}#0")
    for index in range(1, count):
        world.start(f"{job}#{index}")
    return world, job


def test_all_nodes_are_placed_at_once_and_only_the_main_one_starts():
    """Every node is STARTING on a host of its own; the executor hears of the main node alone."""
    world = World()
    job = world.submit(nodes=nodes(3))
    assert statuses(world, job) == [S.STARTING] * 3
    assert world.status(job) is S.STARTING
    assert world.order == [f"{job}#0"]
    assert hosts(world) == 3


def test_the_others_start_once_the_main_node_runs():
    """The job is RUNNING with its main node; the rest follows in order."""
    world = World()
    job = world.submit(nodes=nodes(3, main=1))
    assert world.order == [f"{job}#1"]
    world.start(f"{job}#1")
    assert world.status(job) is S.RUNNING
    assert world.run_of(job).started_at == world.now
    assert world.order == [f"{job}#1", f"{job}#0", f"{job}#2"]
    assert statuses(world, job) == [S.STARTING, S.RUNNING, S.STARTING]


def test_nodes_know_their_place():
    """The four variables of section 19, without the address that only an executor knows."""
    world = World()
    job = world.submit(nodes=nodes(2, main=1))
    world.start(f"{job}#1")
    told = {name: dict(order.environment) for name, order in world.running.items()}
    assert (
        told[f"{job}#0"]
        | {
            "AWS_BATCH_JOB_ID": f"{job}#0",
            "AWS_BATCH_JOB_NODE_INDEX": "0",
            "AWS_BATCH_JOB_MAIN_NODE_INDEX": "1",
            "AWS_BATCH_JOB_NUM_NODES": "2",
        }
        == told[f"{job}#0"]
    )
    assert told[f"{job}#1"]["AWS_BATCH_JOB_NODE_INDEX"] == "1"
    assert not any("ARRAY" in name for name in told[f"{job}#0"])
    assert world.running[f"{job}#0"].follows_main
    assert not world.running[f"{job}#1"].follows_main
    assert world.running[f"{job}#0"].told_main_node("10.0.0.2").environment[-1] == (
        "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS",
        "10.0.0.2",
    )


def test_the_main_nodes_order_says_what_the_others_will_need():
    """Physical admission can keep room for the whole gang."""
    world = World()
    job = world.submit(nodes=nodes(4, memory=100))
    assert world.running[f"{job}#0"].gang.others == Resources(vcpus=3, memory=300)


def test_the_main_nodes_exit_ends_the_job_and_stops_the_others():
    """It SUCCEEDs by the main node's exit 0, once the stopped nodes are gone."""
    world, job = running()
    world.exit(f"{job}#0", 0)
    assert world.status(job) is S.RUNNING
    assert stops(world) == [f"{job}#1", f"{job}#2"]
    world.now += 5_000
    world.exit(f"{job}#1", 143)
    world.exit(f"{job}#2", 137)
    assert world.finished[job].status is S.SUCCEEDED
    assert statuses(world, job) == [S.SUCCEEDED] * 3
    assert world.finished[job].stopped_at == world.now - 5_000
    assert [attempt.exit_code for attempt in world.finished[job].attempts] == [0]
    assert world.finished[f"{job}#1"].status_reason == "Main node ended"


def test_a_failed_main_node_fails_the_job_whatever_the_others_did():
    """Exit 0 of all others does not help."""
    world, job = running()
    world.exit(f"{job}#1", 0)
    world.exit(f"{job}#2", 0)
    world.exit(f"{job}#0", 9)
    assert world.finished[job].status is S.FAILED
    assert statuses(world, job) == [S.FAILED, S.SUCCEEDED, S.SUCCEEDED]


def test_another_nodes_death_changes_nothing():
    """A child node that exits, or loses its host, leaves the job running; the main node succeeds."""
    world, job = running()
    world.exit(f"{job}#1", 1)
    world.vanish(f"{job}#2")
    assert world.status(job) is S.RUNNING
    assert statuses(world, job) == [S.RUNNING, S.FAILED, S.FAILED]
    assert stops(world) == []
    world.exit(f"{job}#0", 0)
    assert world.finished[job].status is S.SUCCEEDED


def test_a_main_node_that_never_ran_ends_the_others_without_starting_them():
    """A pull error of the main node fails the job; nobody else was ever told to start."""
    world = World()
    job = world.submit(nodes=nodes(3))
    world.exit(f"{job}#0", None, started_at=None, status_reason="Task failed to start")
    assert world.finished[job].status is S.FAILED
    assert world.finished[job].status_reason == "Task failed to start"
    assert statuses(world, job) == [S.FAILED] * 3
    assert world.order == [f"{job}#0"]


def test_a_retry_is_a_new_attempt_of_all_nodes_when_the_last_one_is_gone():
    """Only the main node's failure makes it; the new attempt waits for the old nodes' hosts."""
    world, job = running(attempts=2)
    world.exit(f"{job}#1", 7)
    world.exit(f"{job}#0", 1)
    assert world.status(job) is S.RUNNING
    world.exit(f"{job}#2", 143)
    assert world.status(job) is S.STARTING
    assert world.order[-1] == f"{job}#0"
    assert world.running[f"{job}#0"].attempt == 2
    world.start(f"{job}#0")
    assert [world.running[f"{job}#{index}"].attempt for index in (1, 2)] == [2, 2]
    for index in (0, 1, 2):
        world.exit(f"{job}#{index}", 0)
    run = world.finished[job]
    assert (run.status, [attempt.exit_code for attempt in run.attempts]) == (S.SUCCEEDED, [1, 0])
    assert [attempt.exit_code for attempt in world.finished[f"{job}#1"].attempts] == [7, 0]


def test_the_timeout_is_the_whole_jobs():
    """It counts from the main node's start, stops every node, and is not retried."""
    world, job = running(count=2, attempts=3, timeout=60)
    world.wait(59)
    assert stops(world) == []
    world.wait(1)
    assert stops(world) == [f"{job}#0", f"{job}#1"]
    world.exit(f"{job}#1", 137)
    world.exit(f"{job}#0", 137)
    assert (world.finished[job].status, world.finished[job].status_reason) == (
        S.FAILED,
        "Job attempt duration exceeded timeout",
    )


def test_time_that_is_up_after_the_main_node_ended_changes_nothing():
    """A node that takes its time to die does not cost the job its retry."""
    world, job = running(count=2, attempts=2, timeout=60)
    world.wait(50)
    world.exit(f"{job}#0", 1)
    world.wait(20)
    world.exit(f"{job}#1", 143)
    assert world.status(job) is S.STARTING
    assert world.running[f"{job}#0"].attempt == 2


def test_terminate_stops_all_nodes_with_the_callers_reason():
    """The reason stays, on the job and on each node."""
    world, job = running(attempts=3)
    world.terminate(job)
    assert stops(world) == [f"{job}#0", f"{job}#1", f"{job}#2"]
    for index in (2, 0, 1):
        world.exit(f"{job}#{index}", 143)
    assert {world.finished[one].status_reason for one in (job, f"{job}#0", f"{job}#2")} == {"stop it"}
    assert world.finished[job].status is S.FAILED
    assert world.finished[job].is_terminated


def test_a_job_terminated_before_its_main_node_runs_starts_no_other_node():
    """The main node's start comes too late: the others end with the reason, unstarted."""
    world = World()
    job = world.submit(nodes=nodes(3))
    world.terminate(job)
    assert stops(world) == [f"{job}#0"]
    world.start(f"{job}#0")
    assert world.order == [f"{job}#0"]
    assert statuses(world, job) == [S.RUNNING, S.FAILED, S.FAILED]
    world.exit(f"{job}#0", 143)
    assert (world.finished[job].status, world.finished[job].status_reason) == (S.FAILED, "stop it")


def test_terminating_after_the_main_node_ended_keeps_what_it_decided():
    """Success stays success; a retry that was about to come does not."""
    world, job = running(count=2)
    world.exit(f"{job}#0", 0)
    world.terminate(job)
    world.exit(f"{job}#1", 143)
    assert world.finished[job].status is S.SUCCEEDED
    world, job = running(count=2, attempts=2)
    world.exit(f"{job}#0", 1)
    world.terminate(job)
    world.exit(f"{job}#1", 143)
    assert (world.finished[job].status, world.finished[job].status_reason) == (S.FAILED, "stop it")


def test_cancel_ends_a_waiting_job_and_leaves_a_running_one():
    """RUNNABLE is cancelled; STARTING and RUNNING go on."""
    world = World(max_vcpus=2)
    first = world.submit()
    waiting = world.submit(nodes=nodes(2))
    world.cancel(waiting)
    assert world.finished[waiting].status is S.FAILED
    world.exit(first)
    _, job = running(count=1, world=world)
    world.cancel(job)
    assert world.status(job) is S.RUNNING


def test_dependencies_go_both_ways():
    """A multi-node job waits for others, and others for it as a whole."""
    world = World()
    before = world.submit()
    job = world.submit(nodes=nodes(2), after=[before])
    after = world.submit(after=[job])
    assert (world.status(job), world.status(after)) == (S.PENDING, S.PENDING)
    world.exit(before)
    assert world.status(job) is S.STARTING
    world.start(f"{job}#0")
    world.exit(f"{job}#0")
    assert world.status(after) is S.PENDING
    world.exit(f"{job}#1", 143)
    assert world.status(after) is S.STARTING


def test_a_gang_that_does_not_fit_takes_nothing_and_blocks_its_queue():
    """All hosts at once or none; no falling back to the queue's next environment."""
    world = World(max_vcpus=6)
    world.add_environment("second", max_vcpus=100)
    world.add_queue("both", "ce", "second")
    small = world.submit(queue="both")
    job = world.submit(nodes=nodes(3), queue="both")
    behind = world.submit(queue="both")
    assert (world.status(job), world.status(behind)) == (S.RUNNABLE, S.RUNNABLE)
    assert hosts(world) == 1
    assert explain(world.state, world.state.jobs[job], None) == [
        "Its 3 nodes need a host each, all at the same time: ce has 0 idle hosts and 2 of 6 vCPU in use by hosts."
    ]
    world.exit(small)
    assert {world.run_of(f"{job}#{index}").environment for index in range(3)} == {"ce"}
    assert world.run_of(behind).environment == "second"


def test_nodes_share_their_host_with_nobody():
    """Single tenancy: a small job next to small nodes gets a host of its own, and the node pays for all."""
    world = World(max_vcpus=6)
    job = world.submit(nodes=nodes(2, vcpus=1, memory=64))
    small = world.submit(vcpus=1, memory=64)
    places = {world.run_of(one).host for one in (f"{job}#0", f"{job}#1", small)}
    assert len(places) == 3
    run = world.run_of(f"{job}#0")
    host = world.state.environments["ce"].hosts[run.host]
    assert run.price == host.host.price


def test_idle_hosts_are_used_before_new_ones_come():
    """A gang takes the idle hosts that fit, and launches the rest."""
    world = World(max_vcpus=6)
    world.exit(world.submit())
    world.submit(nodes=nodes(3))
    assert hosts(world) == 3


@pytest.mark.parametrize(
    ("change", "size", "reason"),
    [
        ({"resource_type": "SPOT"}, {}, BLOCKED_NO_ENVIRONMENT),
        ({"type": "UNMANAGED"}, {}, BLOCKED_NO_ENVIRONMENT),
        ({}, {"memory": 999_999}, BLOCKED_TOO_LARGE),
        ({}, {}, BLOCKED_MAX_VCPUS),
    ],
)
def test_what_can_never_be_placed_says_so_in_awss_words(change, size, reason):
    """The head gets the blocked reason of section 12."""
    world = World()
    world.add_environment("other", max_vcpus=4, **change)
    world.add_queue("other", "other")
    job = world.submit(nodes=nodes(3, **size), queue="other")
    assert world.run_of(job).status_reason == reason
    assert explain(world.state, world.state.jobs[job], None)[0] == reason


def test_of_nested_ranges_the_inner_one_wins():
    """0:10 and 4:5 give nodes 4 and 5 the latter's container, whatever their order."""
    outer = NodeRange(target="0:10", first=0, last=10, container=container(1))
    inner = NodeRange(target="4:5", first=4, last=5, container=container(2))
    for ranges in ((outer, inner), (inner, outer)):
        properties = NodeProperties(count=11, main=0, ranges=ranges)
        assert [properties.range_of(index) is inner for index in range(11)] == [
            i in (4, 5) for i in range(11)
        ]


def test_a_range_may_ask_for_an_instance_type():
    """Its nodes run on hosts of that type only; the others where it is cheapest."""
    world = World(types=("m6i.large", "m6i.xlarge"))
    ranges = (
        NodeRange(target="0:0", first=0, last=0, container=container(), instance_type="m6i.xlarge"),
        NodeRange(target="1:", first=1, last=None, container=container()),
    )
    job = world.submit(nodes=NodeProperties(count=3, main=0, ranges=ranges))
    assert [world.run_of(f"{job}#{index}").instance_type for index in range(3)] == [
        "m6i.xlarge",
        "m6i.large",
        "m6i.large",
    ]


def test_an_instance_type_that_the_environment_has_not_blocks_with_awss_words():
    """It can never start there."""
    world = World()
    only = NodeRange(target="0:", first=0, last=None, container=container(), instance_type="p4d.24xlarge")
    job = world.submit(nodes=NodeProperties(count=1, main=0, ranges=(only,)))
    assert world.run_of(job).status_reason == BLOCKED_INSTANCE_TYPES


def test_costs_are_the_sum_over_nodes():
    """The parent's tally counts every node's attempts."""
    world, job = running(count=2)
    world.now += 3_600_000
    start = world.now - 3_600_000
    price = world.run_of(f"{job}#0").price
    world.exit(f"{job}#0", started_at=start)
    world.exit(f"{job}#1", started_at=start)
    assert world.finished[job].tally.cost == pytest.approx(2 * price)


def test_a_single_node_is_enough():
    """One node is main and all."""
    world, job = running(count=1)
    world.exit(f"{job}#0")
    assert world.finished[job].status is S.SUCCEEDED


def test_a_thousand_nodes_are_one_job():
    """AWS's limit is placed, started and ended without deep recursion."""
    world = World(max_vcpus=2_000)
    job = world.submit(nodes=nodes(1_000))
    assert hosts(world) == 1_000
    world.exit(f"{job}#0", 1, started_at=None)
    assert world.finished[job].status is S.FAILED


def test_a_nodes_host_has_room_for_all_its_containers():
    """Placed by the sum; each order holds its node's containers with their own streams, and AWS's variables in each."""
    side = replace(container(vcpus=3, memory=128), name="side", essential=False)
    first = NodeRange(target="0", first=0, last=0, container=container(vcpus=1))
    rest = NodeRange(target="1:", first=1, last=None, container=container(vcpus=1), task=Task(others=(side,)))
    world = World(types=("m6i.large", "m6i.xlarge"))
    job = world.submit(nodes=NodeProperties(count=3, main=0, ranges=(first, rest)))
    world.start(f"{job}#0")
    kinds = [world.run_of(f"{job}#{index}").instance_type for index in range(3)]
    assert kinds == ["m6i.large", "m6i.xlarge", "m6i.xlarge"]
    assert world.running[f"{job}#0"].others == ()
    order = world.running[f"{job}#2"]
    (other,) = order.others
    assert (order.resources.vcpus, other.resources.vcpus) == (4, 3)
    assert ("AWS_BATCH_JOB_NODE_INDEX", "2") in other.environment
    assert order.log_stream != other.log_stream
    assert other.follows_main


def test_a_gang_whose_containers_fit_no_host_together_is_told_so():
    """Each alone would fit."""
    side = replace(container(vcpus=2, memory=128), name="side")
    everywhere = NodeRange(
        target="0:", first=0, last=None, container=container(vcpus=1), task=Task(others=(side,))
    )
    world = World()
    job = world.submit(nodes=NodeProperties(count=2, main=0, ranges=(everywhere,)))
    assert world.run_of(job).status_reason.startswith(BLOCKED_TOO_LARGE)
