"""One boto3 script for each rule, against nbbatch's daemon and against moto's server.

Where both agree there is one assertion for both. Where they differ the rule is a row of `DIFFERENCES`,
with both answers and who is right; docs/compatibility.md shows the rows to users.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto_difference import Difference
from moto_rows_of_jobs import JOBS, UNKNOWN
from moto_rows_of_nouns import NOUNS
from moto_service import ACCOUNT, TAKEN, Service, answer, moto_service, nbbatch_service

pytestmark = pytest.mark.acceptance
DIFFERENCES: tuple[Difference, ...] = (*NOUNS, *JOBS)
PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


@pytest.fixture(scope="module")
def services(shared_exports) -> Iterator[dict[str, Service]]:
    """Both servers, each with an environment, a queue and a definition named `beside`."""
    with nbbatch_service(shared_exports) as nbbatch, moto_service() as moto:
        for one in (nbbatch, moto):
            one.environment("beside")
            one.queue("beside")
            one.register("beside")
        yield {"nbbatch": nbbatch, "moto": moto}


@pytest.fixture(params=["nbbatch", "moto"])
def service(request, services) -> Service:
    """Each server in turn."""
    return services[request.param]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.rule)
def test_a_difference_is_still_there(service, difference):
    """Each server does what the table says of it."""
    assert difference.observe(service) == getattr(difference, service.name)


def test_each_difference_is_one():
    """No row where both do the same, no rule twice."""
    assert [row.rule for row in DIFFERENCES if row.nbbatch == row.moto] == []
    assert len({row.rule for row in DIFFERENCES}) == len(DIFFERENCES)


def test_the_page_shows_the_differences():
    """docs/compatibility.md has exactly these rows, in this order."""
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    heading = shown.index("| asked | nbbatch | moto | right | by |")
    assert shown[heading + 1 :] == [row.as_markdown() for row in DIFFERENCES]


def test_a_definition_comes_back_as_it_was_sent(service):
    """Lists that were not sent are empty, empty variables are dropped, actions are in lower case."""
    reply = service.register(
        "echo",
        container={"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}]},
        retryStrategy={"attempts": 2, "evaluateOnExit": [{"onExitCode": "1*", "action": "RETRY"}]},
        timeout={"attemptDurationSeconds": 100},
        parameters={"a": "b"},
        tags={"t": "1"},
    )
    assert (reply["jobDefinitionName"], reply["revision"]) == ("echo", 1)
    assert reply["jobDefinitionArn"] == f"{ACCOUNT}:job-definition/echo:1"
    (known,) = service.batch.describe_job_definitions(jobDefinitionName="echo")["jobDefinitions"]
    assert known["containerProperties"] == {
        "image": "busybox",
        "command": ["sh", "-c", "exit ${CODE:-0}"],
        "environment": [{"name": "A", "value": "1"}],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}],
        "volumes": [],
        "mountPoints": [],
        "ulimits": [],
        "secrets": [],
    }
    assert known["retryStrategy"] == {
        "attempts": 2,
        "evaluateOnExit": [{"onExitCode": "1*", "action": "retry"}],
    }
    assert (known["timeout"], known["parameters"]) == ({"attemptDurationSeconds": 100}, {"a": "b"})
    assert (known["type"], known["status"], known["tags"]) == ("container", "ACTIVE", {"t": "1"})


def test_old_vcpus_and_memory_come_back(service):
    """Members from before `resourceRequirements` are kept where they were."""
    service.register("old", container={"vcpus": 2, "memory": 64, "resourceRequirements": []})
    (known,) = service.batch.describe_job_definitions(jobDefinitionName="old")["jobDefinitions"]
    properties = known["containerProperties"]
    assert (properties["vcpus"], properties["memory"], properties["resourceRequirements"]) == (2, 64, [])


def test_revisions_count_on_and_can_be_retired(service):
    """A number is not used again; INACTIVE revisions are listed unless filtered out."""
    numbers = [service.register("counted")["revision"] for _ in range(2)]
    service.batch.deregister_job_definition(jobDefinition="counted:2")
    numbers.append(service.register("counted")["revision"])
    assert numbers == [1, 2, 3]
    describe = service.batch.describe_job_definitions
    every = describe(jobDefinitionName="counted")["jobDefinitions"]
    assert {known["revision"]: known["status"] for known in every} == {
        1: "ACTIVE",
        2: "INACTIVE",
        3: "ACTIVE",
    }
    active = describe(jobDefinitionName="counted", status="ACTIVE")["jobDefinitions"]
    assert {known["revision"] for known in active} == {1, 3}


@pytest.mark.parametrize(
    ("operation", "request_", "members"),
    [
        ("describe_job_definitions", {"jobDefinitionName": "nosuch"}, "jobDefinitions"),
        ("describe_job_queues", {"jobQueues": ["nosuch"]}, "jobQueues"),
        ("describe_compute_environments", {"computeEnvironments": ["nosuch"]}, "computeEnvironments"),
        ("describe_jobs", {"jobs": [UNKNOWN]}, "jobs"),
        (
            "describe_scheduling_policies",
            {"arns": [f"{ACCOUNT}:scheduling-policy/nosuch"]},
            "schedulingPolicies",
        ),
    ],
)
def test_what_is_unknown_is_left_out(service, operation, request_, members):
    """Describe operations answer with an empty list."""
    assert getattr(service.batch, operation)(**request_)[members] == []


def test_an_environments_life(service):
    """Created VALID, described as sent, disabled, deleted."""
    reply = service.environment("lived")
    assert reply["computeEnvironmentArn"] == f"{ACCOUNT}:compute-environment/lived"
    describe = service.batch.describe_compute_environments
    (known,) = describe(computeEnvironments=[reply["computeEnvironmentArn"]])["computeEnvironments"]
    assert (known["type"], known["status"]) == ("MANAGED", "VALID")
    assert known["computeResources"].items() >= service.resources().items()
    updated = service.batch.update_compute_environment(computeEnvironment="lived", state="DISABLED")
    assert updated["computeEnvironmentArn"] == reply["computeEnvironmentArn"]
    (known,) = describe(computeEnvironments=["lived"])["computeEnvironments"]
    assert known["state"] == "DISABLED"
    service.batch.delete_compute_environment(computeEnvironment="lived")
    assert describe(computeEnvironments=["lived"])["computeEnvironments"] == []


def test_a_queues_life(service):
    """Created VALID, described as sent, updated, deleted; its jobs are still known."""
    reply = service.queue("lived", priority=3, tags={"a": "b"})
    assert (reply["jobQueueName"], reply["jobQueueArn"]) == ("lived", f"{ACCOUNT}:job-queue/lived")
    describe = service.batch.describe_job_queues
    (known,) = describe(jobQueues=["lived"])["jobQueues"]
    assert (known["state"], known["status"], known["priority"]) == ("ENABLED", "VALID", 3)
    assert known["tags"] == {"a": "b"}
    job = service.run(jobQueue=reply["jobQueueArn"])
    service.batch.update_job_queue(jobQueue="lived", priority=9, state="DISABLED")
    (known,) = describe(jobQueues=[reply["jobQueueArn"]])["jobQueues"]
    assert (known["state"], known["priority"]) == ("DISABLED", 9)
    service.batch.delete_job_queue(jobQueue="lived")
    assert describe(jobQueues=["lived"])["jobQueues"] == []
    assert service.describe(job["jobId"])["status"] == "SUCCEEDED"


def test_a_jobs_way(service):
    """Submitted, ended, described: ARNs, parameters, tags, timeout, milliseconds, one attempt."""
    service.register("way", parameters={"kept": "1", "changed": "1"})
    submitted = service.batch.submit_job(
        jobName="way", jobQueue="beside", jobDefinition="way:1", parameters={"changed": "2"},
        tags={"t": "1"}, timeout={"attemptDurationSeconds": 70},
        containerOverrides={"command": ["sh", "-c", "exit 0"]},
    )  # fmt: skip
    assert submitted["jobArn"] == f"{ACCOUNT}:job/{submitted['jobId']}"
    job = service.ended(submitted["jobId"])
    assert (job["status"], job["jobName"], job["jobArn"]) == ("SUCCEEDED", "way", submitted["jobArn"])
    assert job["jobQueue"] == f"{ACCOUNT}:job-queue/beside"
    assert job["jobDefinition"] == f"{ACCOUNT}:job-definition/way:1"
    assert job["parameters"] == {"kept": "1", "changed": "2"}
    assert (job["tags"], job["timeout"]) == ({"t": "1"}, {"attemptDurationSeconds": 70})
    assert 1_700_000_000_000 < job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    assert job["container"]["command"] == ["sh", "-c", "exit 0"]
    (attempt,) = job["attempts"]
    assert attempt["container"]["logStreamName"] == job["container"]["logStreamName"]
    assert attempt["container"]["logStreamName"].startswith("way/default/")


def test_an_array_rolls_up(service):
    """Ids `parent:index`, all states in the summary, children listed by their parent."""
    parent = service.run(arrayProperties={"size": 3})
    assert (parent["status"], parent["attempts"]) == ("SUCCEEDED", [])
    assert parent["arrayProperties"]["size"] == 3
    assert parent["arrayProperties"]["statusSummary"] == {
        "SUBMITTED": 0, "PENDING": 0, "RUNNABLE": 0, "STARTING": 0, "RUNNING": 0, "SUCCEEDED": 3, "FAILED": 0,
    }  # fmt: skip
    found = service.batch.list_jobs(arrayJobId=parent["jobId"], jobStatus="SUCCEEDED")["jobSummaryList"]
    assert {child["jobId"] for child in found} == {f"{parent['jobId']}:{index}" for index in range(3)}


def test_a_dependent_job_follows(service):
    """It ends after the other, and shows what it waited for."""
    first = service.submit()
    second = service.run(dependsOn=[{"jobId": first}])
    assert (second["status"], second["dependsOn"]) == ("SUCCEEDED", [{"jobId": first}])
    assert second["startedAt"] >= service.ended(first)["stoppedAt"]


def test_stopping_unknown_jobs_is_no_error(service):
    """CancelJob and TerminateJob answer 200."""
    assert answer(service.batch.cancel_job, jobId=UNKNOWN, reason="x") == TAKEN
    assert answer(service.batch.terminate_job, jobId=UNKNOWN, reason="x") == TAKEN


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
@pytest.mark.parametrize("member", ["jobId", "reason"])
def test_stopping_needs_an_id_and_a_reason(service, operation, member):
    """Empty ones are refused."""
    text = answer(getattr(service.batch, operation), **{"jobId": UNKNOWN, "reason": "x", member: ""})
    assert text.startswith(f"refused: '{member}' is a required field (cannot be a")


def test_jobs_are_found_by_name(service):
    """JOB_NAME in any case, whole or by its beginning."""
    for name in ("Found-1", "found-2", "other"):
        service.run(jobName=name)

    def found(pattern):
        filters = [{"name": "JOB_NAME", "values": [pattern]}]
        listed = service.batch.list_jobs(jobQueue="beside", filters=filters)["jobSummaryList"]
        return {job["jobName"] for job in listed}

    assert found("FOUND-1") == {"Found-1"}
    assert found("FOUND-*") == {"Found-1", "found-2"}
    assert found("nosuch") == set()


def test_a_policys_life(service):
    """Defaults, tags, the list of ARNs, deletion."""
    policy = service.batch.create_scheduling_policy(name="lived", tags={"a": "1"})
    assert policy["arn"] == f"{ACCOUNT}:scheduling-policy/lived"
    describe = service.batch.describe_scheduling_policies
    (known,) = describe(arns=[policy["arn"]])["schedulingPolicies"]
    defaults = {"shareDecaySeconds": 0, "computeReservation": 0, "shareDistribution": []}
    assert (known["fairsharePolicy"], known["tags"]) == (defaults, {"a": "1"})
    assert {"arn": policy["arn"]} in service.batch.list_scheduling_policies()["schedulingPolicies"]
    service.batch.delete_scheduling_policy(arn=policy["arn"])
    assert describe(arns=[policy["arn"]])["schedulingPolicies"] == []


def test_tags_are_merged_and_removed(service):
    """TagResource adds, UntagResource takes away."""
    arn = service.queue("tagged", tags={"a": "b"})["jobQueueArn"]
    service.batch.tag_resource(resourceArn=arn, tags={"c": "d", "e": "f"})
    service.batch.untag_resource(resourceArn=arn, tagKeys=["a", "e"])
    assert service.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
