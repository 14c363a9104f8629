from collections import Counter
from copy import deepcopy

import pytest
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.events import JobQueueUpdated, SchedulingPolicyChanged
from nbbatch.model.fleet import FairSharePolicy, SchedulingPolicy, ShareUsage
from nbbatch.model.requests import JobDraft
from nbbatch.scheduler.commands.submit_job import submit_job
from nbbatch.scheduler.fairshare import HEAD_START, SLICES, UNIT, Ledger, usable_share, weight_of
from nbbatch.scheduler.placement import explain

WINDOW = 600_000


def ledger(window=WINDOW) -> Ledger:
    return Ledger(record=ShareUsage(queue="q", share="a"), window=window)


def vcpu_seconds(books: Ledger, now: int) -> float:
    """Decayed use without what counts in advance."""
    return (books.usage(now) / (2 * books.window) - books.busy * HEAD_START) / UNIT / 1000


def fair_world(max_vcpus=2, **policy) -> World:
    world = World(max_vcpus=max_vcpus)
    world.add_fair_queue("fair", "ce", **policy)
    return world


def shares_of(world, jobs) -> list[str]:
    """Shares of the jobs in the order in which they were started."""
    return [jobs[job] for job in world.order if job in jobs]


def submit_each(world, count, *shares, **more) -> dict:
    """So many jobs of each share, share after share."""
    return {world.submit(queue="fair", share=share, **more): share for share in shares for _ in range(count)}


def serve(world, turns, seconds=10):
    """End the attempt that runs longest and let time pass, again and again."""
    for _ in range(turns):
        world.now += seconds * 1000
        world.exit(next(iter(world.running)))


def test_use_that_goes_on_is_the_integral_of_the_linear_decay():
    """One vCPU for a seconds counts a - a*a/2D, and D/2 once it has run for the whole window."""
    books = ledger()
    books.change(UNIT, 0)
    assert vcpu_seconds(books, 60_000) == pytest.approx(60 - 60**2 / 1200, abs=1e-9)
    assert vcpu_seconds(books, 600_000) == pytest.approx(300, abs=1e-9)
    assert vcpu_seconds(books, 6_000_000) == pytest.approx(300, abs=1e-9)


def test_use_that_ended_fades_and_is_forgotten():
    """A slice of use at age a counts 1 - a/D; after the window (and one slice of it) nothing is left."""
    books = ledger()
    books.change(2 * UNIT, 0)
    books.change(-2 * UNIT, 60_000)
    assert vcpu_seconds(books, 60_000) == pytest.approx(2 * (60 - 60**2 / 1200))
    # two vCPUs for the minute that lies five to six minutes back: mean weight 1 - 5.5/10
    assert vcpu_seconds(books, 360_000) == pytest.approx(2 * 60 * 0.45)
    assert vcpu_seconds(books, 660_000 + WINDOW // SLICES) == 0
    assert books.record.slices == {}


def test_books_stay_small_and_agree_with_books_that_are_opened_again():
    """However many attempts: at most one slice more than a window has; rows alone give the same use."""
    books = ledger()
    for second in range(5_000):
        books.change(UNIT, second * 1000)
        books.change(-UNIT, second * 1000 + 700)
    assert len(books.record.slices) <= SLICES + 2
    again = Ledger.of(deepcopy(books.record), WINDOW)
    assert again.usage(5_100_000) == books.usage(5_100_000) > 0


def test_another_window_keeps_what_is_known():
    """Slices are put together exactly; only the weight of each moment changes."""
    books, other = ledger(), ledger(window=60_000_000)
    for start in range(0, 500_000, 7_000):
        for one in (books, other):
            one.change(UNIT, start)
            one.change(-UNIT, start + 3_000)
    books.rewindow(60_000_000)
    assert books.usage(600_000) == other.usage(600_000)
    assert books.record.slices == other.record.slices


def test_weights_are_by_name_and_by_prefix():
    """A prefix's weight holds for each share that starts with it; what is not listed weighs 1."""
    policy = FairSharePolicy(shares=(("alice", 0.5), ("team*", 3.0)))
    assert [weight_of(policy, share) for share in ("alice", "team7", "team", "bob")] == [0.5, 3.0, 3.0, 1.0]


@pytest.mark.parametrize(("percent", "kept"), [(50, [0.5, 0.25, 0.125]), (25, [0.25, 0.0625, 0.015625])])
def test_the_reserve_shrinks_with_each_active_share(percent, kept):
    """The guide's own numbers."""
    policy = FairSharePolicy(compute_reservation=percent)
    assert [1 - usable_share(policy, active) for active in (1, 2, 3)] == pytest.approx(kept)


def test_shares_of_one_weight_take_turns():
    """Whoever came first does not get all: the share with the least use is next."""
    world = fair_world()
    jobs = submit_each(world, 20, "a", "b")
    serve(world, 30)
    assert abs(Counter(shares_of(world, jobs))["a"] - 16) <= 1


def test_a_lower_weight_gets_more():
    """0.25 gets four times of what 1 gets."""
    world = fair_world(max_vcpus=2, shares=(("a", 0.25), ("b", 1.0)))
    jobs = submit_each(world, 200, "a", "b")
    serve(world, 150)
    count = Counter(shares_of(world, jobs))
    assert 3.4 <= count["a"] / count["b"] <= 4.6


def test_a_share_that_used_nothing_lately_goes_before_one_that_did():
    """Recent use counts after it has ended, and counts no more after the window."""
    world = fair_world(decay_seconds=100)
    submit_each(world, 2, "busy")
    serve(world, 2, seconds=30)
    block = world.submit(queue="q", vcpus=2)
    jobs = submit_each(world, 1, "busy", "idle")
    world.exit(block)
    assert shares_of(world, jobs) == ["idle", "busy"]
    world.run_all()
    world.wait(300)
    block = world.submit(queue="q", vcpus=2)
    jobs = submit_each(world, 1, "busy", "idle")
    world.exit(block)
    assert shares_of(world, jobs) == ["busy", "idle"]


def test_many_places_at_one_moment_are_shared_as_well():
    """Sixteen free vCPUs and two shares: eight each, though the first share was there first."""
    world = fair_world(max_vcpus=16)
    block = world.submit(queue="q", vcpus=2)
    others = [world.submit(queue="q", vcpus=2) for _ in range(7)]
    jobs = submit_each(world, 16, "a", "b")
    assert shares_of(world, jobs) == []
    for job in [block, *others]:
        world.exit(job)
    assert Counter(shares_of(world, jobs)) == {"a": 8, "b": 8}


def test_inside_a_share_priority_goes_before_the_order_of_submission():
    """Override or definition's priority, absent is 0; across shares it has no effect."""
    world = fair_world()
    block = world.submit(queue="q", vcpus=2)
    low = world.submit(queue="fair", share="a")
    high = world.submit(queue="fair", share="a", priority=5)
    other = world.submit(queue="fair", share="b", priority=9999)
    world.exit(block)
    assert world.order[1:] == [high, other]
    world.run_all()
    assert world.order[-1] == low


def test_a_retried_job_is_first_in_its_share():
    """Even before a higher priority."""
    world = fair_world()
    again = world.submit(queue="fair", share="a", attempts=2, vcpus=2)
    high = world.submit(queue="fair", share="a", priority=5, vcpus=2)
    world.exit(again, 1)
    assert world.order == [again, again]
    world.exit(again)
    assert world.order[-1] == high


def test_an_array_is_one_unit_with_children_in_its_share():
    """Its children take turns with another share's jobs."""
    world = fair_world()
    block = world.submit(queue="q", vcpus=2)
    array = world.submit(queue="fair", share="a", size=6)
    jobs = {f"{array}:{index}": "a" for index in range(6)} | submit_each(world, 6, "b")
    world.exit(block)
    serve(world, 8)
    assert abs(Counter(shares_of(world, jobs))["a"] - 5) <= 1


def test_the_reserve_waits_for_a_new_share():
    """With half reserved, one share gets half; when a second comes, three quarters are usable."""
    world = fair_world(max_vcpus=16, compute_reservation=50)
    submit_each(world, 16, "a")
    assert len(world.running) == 8
    submit_each(world, 16, "b")
    assert len(world.running) == 12
    live, index = world.state.find(next(job for job in world.state.jobs if job not in world.running))
    told = " ".join(explain(world.state, live, index))
    assert "2 active shares may use 12 vCPU, and use 12" in told


def test_a_changed_policy_counts_from_the_next_decision():
    """New weights turn the order around."""
    world = fair_world()
    jobs = submit_each(world, 10, "a", "b")
    serve(world, 4)
    policy = FairSharePolicy(shares=(("a", 0.001), ("b", 999.0)))
    world.happen(SchedulingPolicyChanged(policy=SchedulingPolicy(name="fair", fair_share=policy)))
    started = len(world.order)
    serve(world, 4)
    assert [jobs[job] for job in world.order[started:]] == ["a"] * 4


def test_a_queue_may_follow_another_policy():
    """The queue's policy is replaced; use is kept."""
    world = fair_world()
    world.happen(
        SchedulingPolicyChanged(
            policy=SchedulingPolicy(name="p2", fair_share=FairSharePolicy(shares=(("b", 0.001),)))
        )
    )
    jobs = submit_each(world, 10, "a", "b")
    queue = world.state.queues["fair"].queue
    world.happen(
        JobQueueUpdated(
            queue=type(queue)(
                name="fair", priority=1, environments=queue.environments, scheduling_policy="p2"
            )
        )
    )
    started = len(world.order)
    serve(world, 4)
    assert [jobs[job] for job in world.order[started:]] == ["b"] * 4


def test_a_share_is_active_until_its_window_is_over():
    """It is forgotten exactly shareDecaySeconds after its last job, and its row goes."""
    world = fair_world(decay_seconds=100)
    job = world.submit(queue="fair", share="a")
    world.exit(job)
    world.wait(99.999)
    assert "a" in world.state.queues["fair"].shares
    world.wait(0.001)
    assert world.state.queues["fair"].shares == {}


def test_more_than_500_active_shares_are_refused():
    """Jobs of the known ones are still taken."""
    world = fair_world()
    for number in range(500):
        world.submit(queue="fair", share=f"s{number}")

    def draft(share):
        return JobDraft(name="n", queue="fair", definition="d", share_identifier=share)

    world.register("d")
    with pytest.raises(ClientException, match="500 active shares"):
        submit_job(world.state, draft("one"), job_id="j", now=world.now, finished=None)
    events, _ = submit_job(world.state, draft("s7"), job_id="j", now=world.now, finished=None)
    assert len(events) == 1


def test_a_waiting_job_is_told_about_its_share_and_the_one_before():
    """Use, weight, running vCPUs and the jobs ahead."""
    world = fair_world(shares=(("a", 0.5),))
    jobs = list(submit_each(world, 4, "a")) + list(submit_each(world, 2, "b"))
    world.wait(10)
    live, index = world.state.find(jobs[3])
    told = " ".join(explain(world.state, live, index))
    assert "Share a has used" in told
    assert "weight 0.5, 2 vCPU now" in told
    assert "1 of its jobs is ahead" in told
    assert "Share b is before it, with used 0.0" in told
