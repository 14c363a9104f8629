"""Budget caps under the virtual clock: to the millisecond, over retries, arrays, midnights and restarts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.events import BudgetChanged, TagsChanged, Ticked
from nbbatch.model.fleet import TimeLimit
from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.budget import MAX_COST_TAG, cap_of, check_day, spent_today
from nbbatch.scheduler.ledger import DAY_MS
from nbbatch.scheduler.placement import explain

HOUR_MS = 3_600_000
GRACE_MS = 30_000


def capped(cap: float) -> dict[str, str]:
    return {MAX_COST_TAG: repr(cap)}


def advance(world, milliseconds, *, to_the_stop=False):
    """Let time pass from deadline to deadline; perhaps only until an attempt is asked to stop."""
    until = world.now + milliseconds
    while (deadline := world.state.next_deadline()) is not None and deadline <= until:
        world.now = max(world.now, deadline)
        world.happen(Ticked())
        if to_the_stop and world.stopping:
            return
    world.now = until


def price_of(world, job):
    return world.run_of(job).price


def test_a_job_is_stopped_when_its_cap_is_reached():
    """Exactly at the frozen price: not a millisecond earlier, nor one later."""
    world = World()
    probe = world.submit()
    price = price_of(world, probe)
    world.exit(probe)
    job = world.submit(tags=capped(price / 2))
    world.start(job)
    advance(world, HOUR_MS // 2 - 1)
    assert job not in world.stopping
    advance(world, 1)
    assert job in world.stopping
    world.exit(job, 143)
    run = world.run_of(job)
    assert run.status is JobStatus.FAILED
    assert run.is_terminated
    assert run.status_reason == (
        f"Budget: the job's cap of ${price / 2:g} (tag nbbatch:maxCost) is reached: ${price / 2:.4f} are spent."
    )


def test_small_sums_are_told_as_people_write_them():
    """A cap of a thousandth of a cent, and what little was spent, without powers of ten."""
    world = World()
    job = world.submit(tags=capped(0.00001))
    world.start(job)
    advance(world, HOUR_MS)
    world.exit(job, 143)
    reason = world.run_of(job).status_reason
    assert reason.startswith("Budget: the job's cap of $0.00001 ")
    assert "e-" not in reason


def test_a_cap_counts_every_attempt():
    """What failed attempts have cost is not spent again."""
    world = World()
    job = world.submit(attempts=3, tags=capped(1.0))
    price = price_of(world, job)
    started = world.now
    world.start(job)
    advance(world, 2 * HOUR_MS)
    world.exit(job, 1, started_at=started)
    advance(world, 5 * HOUR_MS)
    world.start(job)
    left = (1.0 - 2 * price) / price * HOUR_MS
    advance(world, int(left) - 1)
    assert job not in world.stopping
    advance(world, 2)
    assert job in world.stopping


def test_a_cap_counts_all_children_of_an_array():
    """Children that run side by side spend side by side; the array ends with the reason."""
    world = World(max_vcpus=4)
    job = world.submit(size=100, tags=capped(1.0))
    price = price_of(world, f"{job}:0")
    running = list(world.running)
    assert len(running) > 1
    for child in running:
        world.start(child)
    moment = 1.0 / (len(running) * price) * HOUR_MS
    advance(world, int(moment) - 1)
    assert not world.stopping
    advance(world, 2)
    assert set(world.stopping) == set(running)
    for child in running:
        world.exit(child, 143)
    assert world.status(job) is JobStatus.FAILED
    assert world.run_of(job).status_reason.startswith("Budget: the job's cap of $1 ")


def test_an_attempt_that_was_never_seen_running_counts_too():
    """Its cost becomes known at its end; the next attempt is stopped before it runs."""
    world = World()
    job = world.submit(attempts=2, tags=capped(0.01))
    started = world.now
    world.now += HOUR_MS
    world.exit(job, 1, started_at=started)
    advance(world, 0)
    assert job in world.stopping


def test_a_cap_may_be_changed_while_the_job_runs():
    """A higher cap lets it go on, a lower one stops it at once."""
    world = World()
    job = world.submit(tags=capped(1.0))
    price = price_of(world, job)
    world.start(job)
    advance(world, HOUR_MS)
    world.happen(TagsChanged(kind="job", name=job, tags=capped(100.0)))
    advance(world, int(2 / price * HOUR_MS))
    assert job not in world.stopping
    world.happen(TagsChanged(kind="job", name=job, tags=capped(0.5)))
    advance(world, 0)
    assert job in world.stopping


def test_a_days_cap_stops_what_runs_and_holds_what_waits_until_midnight():
    """The next day begins with nothing spent."""
    world = World(max_vcpus=2)
    world.now = 10 * DAY_MS
    world.happen(BudgetChanged(dollars=0.02))
    first = world.submit()
    price = price_of(world, first)
    waiting = world.submit(vcpus=2)
    world.start(first)
    moment = int(0.02 / price * HOUR_MS)
    advance(world, moment - 1)
    assert not world.stopping
    advance(world, 2)
    assert list(world.stopping) == [first]
    world.exit(first, 143, started_at=10 * DAY_MS)
    assert world.run_of(first).status_reason.startswith("Budget: the day's cap of $0.02 is reached: $0.02")
    assert world.status(waiting) is JobStatus.RUNNABLE
    with pytest.raises(ClientException, match=r"the day's cap of \$0.02 .* from midnight UTC on"):
        check_day(world.state, world.now)
    advance(world, 11 * DAY_MS - world.now - 1)
    assert world.status(waiting) is JobStatus.RUNNABLE
    advance(world, 1)
    assert world.status(waiting) is JobStatus.STARTING
    check_day(world.state, world.now)


def test_a_day_counts_what_runs_over_midnight_from_midnight_on():
    """What was spent before belongs to the day before."""
    world = World()
    world.now = 10 * DAY_MS - HOUR_MS
    job = world.submit()
    price = price_of(world, job)
    world.start(job)
    advance(world, 3 * HOUR_MS)
    assert spent_today(world.state, world.now) == pytest.approx(2 * price)
    world.exit(job, started_at=10 * DAY_MS - HOUR_MS)
    assert spent_today(world.state, world.now) == pytest.approx(2 * price)


def test_a_job_that_waits_for_midnight_is_told_so():
    """The day's cap comes first, then who goes before; what may never start is told that."""
    world = World()
    world.happen(BudgetChanged(dollars=0.0))
    never = world.submit(vcpus=99, queue="q")
    (waiting, capped_job) = world.submit(), world.submit(tags=capped(2.0))
    told = {job: explain(world.state, *world.state.find(job)) for job in (never, waiting, capped_job)}
    assert told[never][0].startswith("MISCONFIGURATION:")
    assert told[waiting][0] == (
        "Budget: the day's cap of $0 is reached: $0 are spent. What waits goes on at midnight UTC."
    )
    assert told[capped_job][-1] == "It may cost $2 (tag nbbatch:maxCost), and $0 are spent."


def test_the_clock_of_a_blocked_head_goes_on_while_the_day_is_spent():
    """It is cancelled in time; the next head gets its own reason, and one that ends takes its clock along."""
    world = World()
    limit = TimeLimit(reason="MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", max_seconds=600)
    world.add_queue("limited", "ce", time_limits=(limit,))
    jobs = [world.submit(queue="limited", memory=100_000) for _ in range(3)]
    world.happen(BudgetChanged(dollars=0.0))
    advance(world, 600_000)
    assert world.status(jobs[0]) is JobStatus.FAILED
    assert world.run_of(jobs[1]).status_reason.startswith(limit.reason)
    world.terminate(jobs[1])
    advance(world, 599_000)
    assert world.status(jobs[2]) is JobStatus.RUNNABLE
    advance(world, 1_000)
    assert world.status(jobs[2]) is JobStatus.FAILED


def test_a_higher_cap_lets_the_day_go_on():
    """What waits is started as soon as the cap allows it; no cap at all is no cap."""
    world = World()
    world.happen(BudgetChanged(dollars=0.0))
    job = world.submit()
    assert world.status(job) is JobStatus.RUNNABLE
    world.happen(BudgetChanged(dollars=None))
    assert world.status(job) is JobStatus.STARTING


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "1e999", "$5"])
def test_a_cap_is_a_positive_number(text):
    """Anything else is refused, when the job is submitted or tagged."""
    with pytest.raises(ClientException, match="must be a number of dollars above 0"):
        cap_of({MAX_COST_TAG: text})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_budget_is_never_exceeded_beyond_one_grace_period(data):
    """Whatever starts, fails and retries: cost stays below the cap and what stopping takes."""
    world = World(max_vcpus=8)
    cap = data.draw(st.floats(0.0005, 0.05))
    job = world.submit(
        size=data.draw(st.sampled_from([None, 2, 9])),
        attempts=data.draw(st.integers(1, 3)),
        tags=capped(cap),
        vcpus=data.draw(st.integers(1, 2)),
    )
    started, stops, most_rate = {}, {}, 0.0
    for _ in range(40):
        for child, order in list(world.stopping.items()):
            if child in world.running and order.attempt == world.running[child].attempt:
                stops.setdefault(child, world.now)
        running = sorted(set(world.running) & set(started))
        most_rate = max(most_rate, sum(price_of(world, child) for child in running))
        if not world.running:
            break
        child = data.draw(st.sampled_from(sorted(world.running)))
        if child in stops:
            step = data.draw(st.integers(0, max(0, stops[child] + GRACE_MS - world.now)))
            others = [at + GRACE_MS - world.now for at in stops.values()]
            advance(world, min([step, *(max(0, left) for left in others)]))
            if child in world.running:
                world.exit(child, 143, started_at=started.pop(child, None))
                stops.pop(child)
        elif child not in started:
            started[child] = world.now
            world.start(child)
        elif data.draw(st.booleans()) and not stops:
            advance(world, data.draw(st.integers(0, 30 * 60_000)), to_the_stop=True)
        elif not stops:
            world.exit(child, data.draw(st.sampled_from([0, 1])), started_at=started.pop(child))
        else:
            late = min(stops, key=stops.get)
            world.now = min(world.now + GRACE_MS, stops[late] + GRACE_MS)
            world.exit(late, 143, started_at=started.pop(late, None))
            stops.pop(late)
    spent = sum(
        one.attempt.price * (one.attempt.stopped_at - one.attempt.started_at) / HOUR_MS
        for one in world.ended
        if one.job.id == job and one.attempt.started_at is not None
    )
    assert spent <= cap + most_rate * (GRACE_MS + 1) / HOUR_MS + 1e-9


MOST_TICK_MS = 60_000


class Busy:
    """A world whose executor stops at once what it is told to, and whose ticks come late."""

    def __init__(self, data):
        self.draw = data.draw
        self.world = World(max_vcpus=8)
        self.world.now = 10 * DAY_MS
        self.caps: dict[str, float | None] = {}
        self.started: dict[str, int] = {}
        self.most: dict[str, float] = {}

    def submit(self):
        cap = self.draw(st.none() | st.floats(0.0005, 0.02))
        job = self.world.submit(
            size=self.draw(st.sampled_from([None, 2, 5])),
            attempts=self.draw(st.integers(1, 3)),
            vcpus=self.draw(st.integers(1, 2)),
            tags={} if cap is None else capped(cap),
        )
        self.caps[job] = cap

    def start(self):
        """Some of what was placed runs now; the rates at which money goes are noted."""
        for child in sorted(set(self.world.running) - set(self.started) - set(self.world.stopping)):
            if self.draw(st.booleans()):
                self.started[child] = self.world.now
                self.world.start(child)
        rates = {child: price_of(self.world, child) for child in self.started}
        for owner in {"day", *(child.partition(":")[0] for child in rates)}:
            rate = sum(one for child, one in rates.items() if owner in ("day", child.partition(":")[0]))
            self.most[owner] = max(self.most.get(owner, 0.0), rate)

    def wait(self):
        """Between two ticks nobody looks: a deadline is worked off by the tick behind it."""
        world, deadline = self.world, self.world.state.next_deadline()
        until = world.now + self.draw(st.integers(1, 20 * 60_000))
        if deadline is None or deadline > until:
            world.now = until
            return
        world.now = max(world.now, deadline) + self.draw(st.integers(0, MOST_TICK_MS))
        world.happen(Ticked())
        for child in sorted(set(world.running) & set(world.stopping)):
            if world.stopping[child].attempt == world.running[child].attempt:
                world.exit(child, 143, started_at=self.started.pop(child, None))

    def end(self):
        child = self.draw(st.sampled_from(sorted(self.started)))
        self.world.exit(child, self.draw(st.sampled_from([0, 1])), started_at=self.started.pop(child))

    def spent(self, first, last, job=None):
        """Dollars that attempts cost between two times, all or those of a job."""
        ended = (one.attempt for one in self.world.ended if job in (None, one.job.id))
        return sum(
            one.price * max(0, min(last, one.stopped_at) - max(first, one.started_at)) / HOUR_MS
            for one in ended
            if one.started_at is not None
        )


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_day_and_a_job_pass_their_caps_by_one_tick_at_most(data):
    """Whatever comes: the cap, and the rate at which money went times how late a tick is, to the millisecond.

    What an executor takes to stop an attempt comes on top, as the test above has it.
    """
    busy = Busy(data)
    cap = data.draw(st.floats(0.0005, 0.05))
    busy.world.happen(BudgetChanged(dollars=cap))
    for _ in range(40):
        if data.draw(st.booleans()):
            busy.submit()
        busy.start()
        busy.wait()
        if busy.started and data.draw(st.booleans()):
            busy.end()
    while busy.started:
        busy.end()
    tick = (MOST_TICK_MS + 1) / HOUR_MS
    for day in range(10, busy.world.now // DAY_MS + 1):
        spent = busy.spent(day * DAY_MS, (day + 1) * DAY_MS)
        assert spent <= cap + busy.most.get("day", 0.0) * tick + 1e-9
    for job, own in busy.caps.items():
        most = float("inf") if own is None else own + busy.most.get(job, 0.0) * tick
        assert busy.spent(0, busy.world.now, job) <= most + 1e-9
