"""Random worlds: whatever happens in whatever order, the invariants hold and a replay agrees."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from world import World, nodes

from nbbatch.model.events import (
    BudgetChanged,
    ComputeEnvironmentUpdated,
    ConsumableResourceChanged,
    JobQueueDeleted,
    JobQueueUpdated,
    SchedulingPolicyChanged,
    TagsChanged,
)
from nbbatch.model.fleet import (
    AllocationStrategy,
    FairSharePolicy,
    ResourceStatus,
    SchedulingPolicy,
    Switch,
    TimeLimit,
)
from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.blocked import environments_of
from nbbatch.scheduler.budget import spent_today
from nbbatch.scheduler.fleet import choose
from nbbatch.scheduler.ledger import DAY_MS, tick_sums
from nbbatch.scheduler.placement import waits_as_before
from nbbatch.scheduler.restore import Snapshot, StoredJob, restore
from nbbatch.scheduler.transitions import BLOCKED, STATUSES, WHOLE

TOO_LARGE = TimeLimit(reason="MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", max_seconds=600)


def environments_agree(state, again):
    """Hosts are the same, and so is what is on them."""
    for name, known in state.environments.items():
        other = again.environments[name]
        assert other.environment == known.environment
        assert (other.provisioned, other.by_type) == (known.provisioned, known.by_type)
        assert [one.row for one in other.hosts.values()] == [one.row for one in known.hosts.values()]
        assert [one.occupants for one in other.hosts.values()] == [
            one.occupants for one in known.hosts.values()
        ]


class Machine(RuleBasedStateMachine):
    """Submits, stops, ends, loses and waits at random; `World.happen` validates each step."""

    @initialize(
        max_vcpus=st.integers(2, 12),
        types=st.sampled_from([("m6i.large",), ("optimal",)]),
        strategy=st.sampled_from(AllocationStrategy),
        resource_type=st.sampled_from(["EC2", "SPOT"]),
        launch_seconds=st.sampled_from([0, 0, 30]),
        min_vcpus=st.sampled_from([0, 2]),
        pools=st.sampled_from([{}, {"*": 2}]),
        interruptions=st.sampled_from([{}, {"*": 60.0}]),
    )
    def build(self, max_vcpus, types, **fleet):
        self.world = World(max_vcpus=max_vcpus, types=types, notice_seconds=20, **fleet)
        self.world.add_environment("spill", max_vcpus=4, resource_type="FARGATE", types=())
        self.world.add_queue("urgent", "ce", priority=9, time_limits=(TOO_LARGE,))
        self.world.add_queue("roomy", "ce", "spill")
        self.world.add_environment("other", max_vcpus=4, types=types)
        self.world.add_fair_queue("fair", "other", "ce", decay_seconds=90, shares=(("a", 0.5), ("b*", 2.0)))
        self.world.add_consumable("licence", 3)
        self.world.add_consumable("token", 9, "NON_REPLENISHABLE")
        self.world.add_queue("doomed", "ce", priority=2)
        self.jobs = []
        self.sizes = {}

    def any_id(self, data):
        job = data.draw(st.sampled_from(self.jobs))
        if self.sizes[job] and data.draw(st.booleans()):
            return f"{job}:{data.draw(st.integers(0, self.sizes[job] - 1))}"
        return job

    @rule(
        data=st.data(),
        size=st.sampled_from([None, None, 2, 3, 7]),
        vcpus=st.integers(1, 3),
        memory=st.sampled_from([256, 4000, 50_000]),
        attempts=st.integers(1, 3),
        timeout=st.sampled_from([None, 60]),
        sequential=st.booleans(),
        queue=st.sampled_from(["q", "urgent", "roomy", "fair", "fair", "doomed"]),
        share=st.sampled_from(["a", "b1", "b2", "c"]),
        priority=st.sampled_from([None, 0, 7]),
        consumables=st.sampled_from([None, None, {"licence": 2}, {"licence": 1, "token": 2}]),
        tags=st.sampled_from([{}, {}, {"nbbatch:maxCost": "0.001"}]),
        others=st.sampled_from([0, 0, 1, 2]),
        refusal=st.sampled_from(["", "", "", "refused"]),
    )
    def submit(
        self,
        data,
        size,
        vcpus,
        memory,
        attempts,
        timeout,
        sequential,
        queue,
        share,
        priority,
        consumables,
        tags,
        others,
        refusal,
    ):
        if queue not in self.world.state.queues or self.is_going(queue):
            queue = "q"
        after, n_to_n = [], []
        if self.jobs and data.draw(st.booleans()):
            after = [self.any_id(data)]
        same = [job for job in self.jobs if self.sizes[job] == size and size]
        if same and data.draw(st.booleans()):
            n_to_n = [data.draw(st.sampled_from(same))]
        job = self.world.submit(
            size=size,
            after=after,
            n_to_n=n_to_n,
            vcpus=vcpus,
            memory=memory,
            attempts=attempts,
            timeout=timeout,
            sequential=sequential and size is not None,
            queue=queue,
            others=others,
            refusal=refusal,
            share=share if queue == "fair" else None,
            priority=priority,
            consumables=consumables,
            tags=tags,
        )
        self.jobs.append(job)
        self.sizes[job] = size

    @rule(
        data=st.data(),
        count=st.integers(1, 4),
        attempts=st.integers(1, 3),
        timeout=st.sampled_from([None, 60]),
        queue=st.sampled_from(["q", "urgent"]),
    )
    def submit_nodes(self, data, count, attempts, timeout, queue):
        after = [self.any_id(data)] if self.jobs and data.draw(st.booleans()) else []
        main = data.draw(st.integers(0, count - 1))
        job = self.world.submit(
            nodes=nodes(count, main), after=after, attempts=attempts, timeout=timeout, queue=queue
        )
        self.jobs.append(job)
        self.sizes[job] = None

    @precondition(lambda self: self.world.running)
    @rule(data=st.data(), code=st.sampled_from([0, 0, 0, 1, 137, None]))
    def exit(self, data, code):
        self.world.exit(data.draw(st.sampled_from(sorted(self.world.running))), code)

    @precondition(lambda self: self.world.running)
    @rule(data=st.data())
    def start(self, data):
        self.world.start(data.draw(st.sampled_from(sorted(self.world.running))))

    @precondition(lambda self: self.world.running)
    @rule(data=st.data())
    def vanish(self, data):
        self.world.vanish(data.draw(st.sampled_from(sorted(self.world.running))))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data):
        self.world.cancel(self.any_id(data))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def terminate(self, data):
        self.world.terminate(self.any_id(data))

    @precondition(lambda self: self.world.hosts())
    @rule(data=st.data(), notice=st.sampled_from([None, 0, 5]))
    def interrupt(self, data, notice):
        host = data.draw(st.sampled_from([one.host.id for one in self.world.hosts()]))
        self.world.interrupt(host, notice)

    @rule(
        state=st.sampled_from(Switch),
        more=st.integers(0, 4),
        min_vcpus=st.integers(0, 2),
        replaces=st.booleans(),
        job_seconds=st.sampled_from([0, 60]),
    )
    def update_environment(self, state, more, min_vcpus, replaces, job_seconds):
        known = self.world.environment().environment
        if known.status is ResourceStatus.VALID:
            changed = replace(known, state=state, max_vcpus=known.max_vcpus + more, min_vcpus=min_vcpus)
            self.world.happen(
                ComputeEnvironmentUpdated(
                    environment=changed, replaces_hosts=replaces, job_seconds=job_seconds
                )
            )

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), value=st.sampled_from("abc"))
    def tag(self, data, value):
        job = ("job", data.draw(st.sampled_from(self.jobs)))
        others = [("consumable-resource", "licence"), ("scheduling-policy", "fair"), ("job-queue", "doomed")]
        kind, name = data.draw(st.sampled_from([job, job, *others]))
        self.world.happen(TagsChanged(kind=kind, name=name, tags={"key": value}))

    @rule(dollars=st.sampled_from([None, None, 0.0, 0.002, 1.0]))
    def budget(self, dollars):
        self.world.happen(BudgetChanged(dollars=dollars))

    @rule(seconds=st.integers(1, 100))
    def wait(self, seconds):
        self.world.wait(seconds)

    def is_going(self, queue):
        return self.world.state.queues[queue].queue.status is ResourceStatus.DELETING

    @rule(decay=st.sampled_from([60, 0, 3600]), reservation=st.sampled_from([0, 50]))
    def share_otherwise(self, decay, reservation):
        fair_share = FairSharePolicy(decay_seconds=decay, compute_reservation=reservation)
        self.world.happen(
            SchedulingPolicyChanged(policy=SchedulingPolicy(name="fair", fair_share=fair_share))
        )

    @rule(
        environments=st.sampled_from([("ce",), ("other", "ce"), ("ce", "other")]), priority=st.integers(0, 9)
    )
    def update_queue(self, environments, priority):
        queue = self.world.state.queues["urgent"].queue
        queue = replace(queue, environments=environments, priority=priority)
        self.world.happen(JobQueueUpdated(queue=queue))

    @precondition(lambda self: "doomed" in self.world.state.queues and not self.is_going("doomed"))
    @rule(sure=st.integers(0, 9))
    def delete_queue(self, sure):
        if sure == 0:
            self.world.happen(JobQueueDeleted(name="doomed"))

    @rule(total=st.integers(0, 5))
    def set_consumable(self, total):
        licence = self.world.state.consumables["licence"]
        self.world.happen(ConsumableResourceChanged(resource=replace(licence, total=total)))

    @rule()
    def wait_long(self):
        self.world.wait(700)

    @invariant()
    def maximum_is_exceeded_by_one_host_at_most(self):
        for known in self.world.state.environments.values() if hasattr(self, "world") else ():
            largest = max((one.host.capacity.vcpus for one in known.hosts.values()), default=0)
            spec = known.environment
            is_strict = spec.strategy is AllocationStrategy.BEST_FIT and not spec.is_spot
            over = 0 if is_strict or spec.is_fargate else largest
            assert known.provisioned <= spec.max_vcpus + over

    @invariant()
    def no_queue_is_passed_over_that_could_go_on(self):
        """Where a head is taken to wait for a host still, no host has room and none may be launched."""
        if not hasattr(self, "world"):
            return
        state = self.world.state
        for queue in state.queues.values():
            if not waits_as_before(state, queue):
                continue
            live, _ = state.head(queue)
            for known in environments_of(state, queue):
                assert known.rooms.first(live.job.resources) is None
                assert not known.environment.accepts or choose(known, live.job.resources) is None

    @invariant()
    def every_job_is_live_or_finished(self):
        for job in getattr(self, "jobs", ()):
            assert (job in self.world.state.jobs) != (job in self.world.finished)

    @invariant()
    def transitions_lead_to_each_status(self):
        """Whoever follows the changes knows every status, and each change begins where the last ended."""
        if not hasattr(self, "world"):
            return
        known = {}
        for live, first, count, was, becomes, _, _ in self.world.transitions:
            if becomes == BLOCKED:
                continue
            for index in range(first, first + count):
                key = live.job.id if index == WHOLE else f"{live.job.id}:{index}"
                start = JobStatus.SUBMITTED if index == WHOLE else JobStatus.PENDING
                assert known.get(key, start) is STATUSES[was]
                known[key] = STATUSES[becomes]
        for key, status in known.items():
            assert self.world.status(key) is status

    def teardown(self):
        if not hasattr(self, "world"):
            return
        world = self.world
        assert world.replay() == world.state
        self.restored_agrees()
        for _ in range(2_000):
            if not world.running:
                break
            world.exit(next(iter(world.running)))
        for live in world.state.jobs.values():
            stuck = live.run.status_reason or ""
            waits = live.run.status is JobStatus.RUNNABLE or live.run.status is JobStatus.PENDING
            assert waits, stuck
        self.roll_ups_equal_children()

    def restored_agrees(self):
        """Rows alone are enough to build a state with the same jobs, places and order."""
        state = self.world.state
        rows = []
        for live in state.jobs.values():
            children = {}
            asked = {}
            if live.children is not None:
                children = {**live.children.runs}
                asked = dict(live.children.asked)
                for index in live.children.in_status(JobStatus.SUCCEEDED, JobStatus.FAILED):
                    children[index] = self.world.finished[f"{live.job.id}:{index}"]
            if live.nodes is not None:
                children = dict(live.nodes.runs)
            rows.append(
                StoredJob(job=live.job, run=live.run, sequence=live.sequence, children=children, asked=asked)
            )
        again = restore(
            Snapshot(
                seed=state.seed,
                now=state.now,
                sequence=state.sequence,
                host_count=state.host_count,
                environments=[known.environment for known in state.environments.values()],
                queues=[known.queue for known in state.queues.values()],
                hosts=[h.row for known in state.environments.values() for h in known.hosts.values()],
                nouns=self.nouns(),
                jobs=rows,
                spent_today=self.spent_today(),
            ),
            state.catalogue,
        )
        again.validate()
        assert again.in_use == state.in_use
        for name, queue in state.queues.items():
            assert again.queues[name].busy == queue.busy
            for identifier, share in queue.shares.items():
                assert again.queues[name].shares[identifier].ledger == share.ledger
        for job_id, live in state.jobs.items():
            other = again.jobs[job_id]
            assert (other.waits_for, other.item_by_item, other.sequential) == (
                live.waits_for,
                live.item_by_item,
                live.sequential,
            )
            if live.children is not None:
                assert other.children.statuses == live.children.statuses
            assert other.nodes == live.nodes
            assert other.ordered() == live.ordered()
            assert other.spending.at(state.now) == pytest.approx(live.spending.at(state.now), abs=1e-9)
        environments_agree(state, again)
        assert spent_today(again, state.now) == pytest.approx(spent_today(state, state.now), abs=1e-9)
        for name, queue in state.queues.items():
            was = [(live.job.id, index) for live, index in state.runnable(queue, 50)]
            now = [(live.job.id, index) for live, index in again.runnable(again.queues[name], 50)]
            assert set(was) == set(now)
            clocks = [(known.job_id, known.index, known.since) for known in self.blocked(queue)]
            others = [(known.job_id, known.index, known.since) for known in self.blocked(again.queues[name])]
            assert clocks == others

    def blocked(self, queue):
        return [queue.blocked] if queue.blocked is not None and queue.blocked.reason is not None else []

    def nouns(self):
        state = self.world.state
        budget = [state.day_budget] if state.day_budget is not None else []
        return [*state.policies.values(), *state.consumables.values(), *self.usages(), *budget]

    def usages(self):
        known = [
            share.ledger.record
            for queue in self.world.state.queues.values()
            for share in queue.shares.values()
        ]
        return [replace(one, slices={start: list(of) for start, of in one.slices.items()}) for one in known]

    def spent_today(self):
        """What the ledger says that ended attempts were charged today."""
        sums = tick_sums([], [], self.world.ended, self.world.now)
        return sum(known.charged for (day, _), known in sums.items() if day == self.world.now // DAY_MS)

    def roll_ups_equal_children(self):
        for job, size in self.sizes.items():
            if size and job in self.world.finished:
                children = [self.world.finished[f"{job}:{i}"].status for i in range(size)]
                expected = JobStatus.FAILED if JobStatus.FAILED in children else JobStatus.SUCCEEDED
                assert self.world.finished[job].status is expected


Machine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestMachine = Machine.TestCase
