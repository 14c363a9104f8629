from dataclasses import replace

import pytest
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.fleet import ConsumableResource
from nbbatch.model.jobs import JobStatus
from nbbatch.model.requests import JobDraft
from nbbatch.scheduler.commands.consumables import (
    TOKEN_MS,
    create_consumable,
    delete_consumable,
    resolve_consumables,
    update_consumable,
)
from nbbatch.scheduler.commands.submit_job import submit_job
from nbbatch.scheduler.consumables import available, in_use
from nbbatch.scheduler.placement import explain

RESOURCE = ConsumableResource(name="lic", total=2, created_at=0)


def totals(world, name="lic") -> tuple[int, int, int]:
    known = world.state.consumables[name]
    return known.total, in_use(world.state, known), available(world.state, known)


def apply(world, command, *args, **more):
    events, reply = command(world.state, *args, **more)
    for event in events:
        world.happen(event)
    return reply


def test_a_job_takes_what_it_needs_and_gives_it_back():
    """From STARTING to the end of the attempt; total = in use + available."""
    world = World()
    world.add_consumable("lic", 3)
    job = world.submit(consumables={"lic": 2})
    assert world.status(job) is JobStatus.STARTING
    assert totals(world) == (3, 2, 1)
    world.exit(job, 1)
    assert totals(world) == (3, 0, 3)


def test_the_head_waits_for_all_of_them_and_blocks_the_queue():
    """Two resources: both must be there, and the job behind waits though it needs none."""
    world = World()
    world.add_consumable("lic", 1)
    world.add_consumable("gpu", 1)
    first = world.submit(consumables={"lic": 1})
    head = world.submit(consumables={"lic": 1, "gpu": 1})
    behind = world.submit()
    assert [world.status(job) for job in (head, behind)] == [JobStatus.RUNNABLE] * 2
    assert totals(world, "gpu") == (1, 0, 1)
    world.exit(first)
    assert [world.status(job) for job in (head, behind)] == [JobStatus.STARTING] * 2


def test_other_queues_go_on():
    """A blocked head blocks its own queue only."""
    world = World()
    world.add_queue("other", "ce")
    world.add_consumable("lic", 0)
    world.submit(consumables={"lic": 1})
    assert world.status(world.submit(queue="other")) is JobStatus.STARTING


def test_what_is_not_replenishable_is_gone_for_good():
    """It leaves the total when the attempt starts; each attempt takes it anew."""
    world = World()
    world.add_consumable("lic", 3, "NON_REPLENISHABLE")
    job = world.submit(consumables={"lic": 1}, attempts=2)
    assert totals(world) == (2, 0, 2)
    world.exit(job, 1)
    assert totals(world) == (1, 0, 1)
    world.exit(job)
    assert totals(world) == (1, 0, 1)


def test_each_child_of_an_array_needs_its_own():
    """Three licences let three children run."""
    world = World()
    world.add_consumable("lic", 3)
    world.submit(size=5, consumables={"lic": 1})
    assert len(world.running) == 3
    world.run_all()
    assert totals(world) == (3, 0, 3)


def test_more_of_it_lets_the_head_start():
    """UpdateConsumableResource is looked at at once; less than is in use leaves nothing available."""
    world = World()
    world.add_consumable("lic", 1)
    world.submit(consumables={"lic": 1})
    waiting = world.submit(consumables={"lic": 1})
    apply(world, update_consumable, "lic", "ADD", 1, token=None, now=world.now)
    assert world.status(waiting) is JobStatus.STARTING
    apply(world, update_consumable, "lic", "SET", 1, token=None, now=world.now)
    assert totals(world) == (1, 2, 0)


def test_a_client_token_makes_an_update_happen_once_in_eight_hours():
    """The same request again succeeds and changes nothing; another one with that token is refused."""
    world = World()
    world.add_consumable("lic", 1)
    for _ in range(2):
        updated = apply(world, update_consumable, "lic", "ADD", 5, token="t", now=world.now)
        assert updated.total == 6
    with pytest.raises(ClientException, match="was used for another request: ADD 5"):
        update_consumable(world.state, "lic", "REMOVE", 5, token="t", now=world.now)
    later = world.now + TOKEN_MS
    assert update_consumable(world.state, "lic", "REMOVE", 5, token="t", now=later)[1].total == 1


def test_a_total_is_never_negative():
    """AWS's words, and the numbers."""
    world = World()
    world.add_consumable("lic", 1)
    with pytest.raises(ClientException, match=r"^totalQuantity cannot be a negative number\. lic has 1"):
        update_consumable(world.state, "lic", "REMOVE", 2, token=None, now=world.now)


def test_names_are_taken_once_and_unknown_ones_are_refused():
    """By name or ARN; a job that needs what does not exist is refused."""
    world = World()
    apply(world, create_consumable, RESOURCE, now=5)
    with pytest.raises(ClientException, match="already exists"):
        create_consumable(world.state, RESOURCE, now=5)
    arn = "arn:aws:batch:us-east-1:1:consumable-resource/lic"
    assert resolve_consumables(world.state, ((arn, 2), ("lic", 0))) == (("lic", 2),)
    with pytest.raises(ClientException, match="ConsumableResource nope not found"):
        resolve_consumables(world.state, (("nope", 1),))


def test_a_job_may_override_what_its_definition_needs():
    """The list of SubmitJob replaces the definition's."""
    world = World()
    world.add_consumable("lic", 9)
    world.add_consumable("gpu", 9)
    world.register("d", consumables=(("lic", 1),))
    draft = JobDraft(name="n", queue="q", definition="d")
    _, job = submit_job(world.state, draft, job_id="j", now=1, finished=None)
    assert job.consumables == (("lic", 1),)
    other = replace(draft, consumables=(("gpu", 2),))
    _, job = submit_job(world.state, other, job_id="j", now=1, finished=None)
    assert job.consumables == (("gpu", 2),)


def test_a_deleted_resource_leaves_its_jobs_waiting():
    """Attempts keep what they have; made anew, it lets the others go on."""
    world = World()
    world.add_consumable("lic", 1)
    running = world.submit(consumables={"lic": 1})
    waiting = world.submit(consumables={"lic": 1})
    apply(world, delete_consumable, "lic")
    world.exit(running)
    assert world.status(waiting) is JobStatus.RUNNABLE
    live, index = world.state.find(waiting)
    assert "lic does not exist" in explain(world.state, live, index)[0]
    world.add_consumable("lic", 1)
    assert world.status(waiting) is JobStatus.STARTING


def test_a_waiting_job_is_told_what_is_missing():
    """Need and have, in numbers."""
    world = World()
    world.add_consumable("lic", 1)
    job = world.submit(consumables={"lic": 4})
    live, index = world.state.find(job)
    assert explain(world.state, live, index)[0] == (
        "It needs 4 of consumable resource lic, and 1 are available."
    )
