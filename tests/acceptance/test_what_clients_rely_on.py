"""What Airflow, Metaflow, Nextflow, Luigi, redun, snakemake and the SDKs count on, beyond the rules of jobs.

Each test does, by plain boto3, what one of them does; the answers are looked at as bytes where boto3
would hide what a client in another language sees.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.acceptance
GROUP = "/aws/batch/job"
NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}]
UNKNOWN = "00000000-0000-0000-0000-000000000000"
ENDLESS = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
QUEUE = {"jobName": "j", "jobQueue": "default"}


@pytest.fixture
def exports(shared_exports) -> dict[str, str]:
    """One daemon for the whole file."""
    return shared_exports


@pytest.fixture
def define(batch) -> Callable[..., str]:
    """Register a definition under this name that runs a shell line."""

    def define(name: str, line: str = "exit 0", container: dict[str, Any] | None = None, **more: Any) -> str:
        properties = {"image": "busybox", "command": ["sh", "-c", line], "resourceRequirements": NEEDS}
        batch.register_job_definition(
            jobDefinitionName=name,
            type="container",
            containerProperties=properties | (container or {}),
            **more,
        )
        return name

    return define


@pytest.fixture
def answers(batch) -> Iterator[list[dict[str, Any]]]:
    """The bodies of all replies to `batch`, as they came."""
    bodies: list[dict[str, Any]] = []

    def keep(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(json.loads(response_dict["body"]))

    batch.meta.events.register("before-parse.batch", keep)
    yield bodies
    batch.meta.events.unregister("before-parse.batch", keep)


def refused(call: Callable[..., Any], **request: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    return dict(caught.value.response)


def values(body: Any) -> Iterator[Any]:
    """Every value within a body, at any depth."""
    yield body
    inner = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    for one in inner:
        yield from values(one)


class TestAddressing:
    """Clients are pointed here by variables, and sign for whatever region they like."""

    def test_the_variables_are_enough(self, exports, monkeypatch):
        """A client that is told nothing finds both services; it is one address."""
        for name, value in exports.items():
            monkeypatch.setenv(name, value)
        session = boto3.session.Session()
        batch, logs = session.client("batch"), session.client("logs")
        assert batch.describe_job_queues(jobQueues=["default"])["jobQueues"]
        assert logs.describe_log_groups()["logGroups"] is not None
        assert batch.meta.endpoint_url == logs.meta.endpoint_url
        batch.close(), logs.close()

    @pytest.mark.parametrize(
        ("region", "partition"),
        [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
    )
    def test_arns_have_the_signed_region_and_its_partition(self, exports, region, partition):
        """The account is 123456789012; what one region made is found by another's ARN."""
        batch = boto3.client(
            "batch",
            endpoint_url=exports["AWS_ENDPOINT_URL_BATCH"],
            region_name=region,
            aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
        )
        (queue,) = batch.describe_job_queues(jobQueues=["default"])["jobQueues"]
        assert queue["jobQueueArn"] == f"arn:{partition}:batch:{region}:123456789012:job-queue/default"
        assert batch.describe_job_queues(jobQueues=[queue["jobQueueArn"]])["jobQueues"] == [queue]
        batch.close()


class TestReplies:
    """The shape of an answer, whatever was asked."""

    def test_an_error_has_awss_headers(self, batch):
        """Request id, type of the error and JSON; SDKs of other languages read the headers."""
        error = refused(batch.submit_job, **QUEUE, jobDefinition="nosuch")
        metadata = error["ResponseMetadata"]
        assert (error["Error"]["Code"], metadata["HTTPStatusCode"]) == ("ClientException", 400)
        assert metadata["HTTPHeaders"]["x-amzn-errortype"] == "ClientException"
        assert metadata["HTTPHeaders"]["content-type"] == "application/json"
        assert metadata["HTTPHeaders"]["x-amzn-requestid"] == metadata["RequestId"]

    def test_an_empty_result_is_an_empty_object(self, batch, answers):
        """`{}` with HTTP 200, never an empty body."""
        reply = batch.terminate_job(jobId=UNKNOWN, reason="x")["ResponseMetadata"]
        assert (reply["HTTPStatusCode"], answers) == (200, [{}])
        assert reply["HTTPHeaders"]["content-type"] == "application/json"

    def test_nothing_is_null_and_times_are_whole_milliseconds(self, batch, answers, define, ended):
        """A member without a value is absent, for a job, its array, its queue and its definition."""
        define("whole")
        job = ended(batch.submit_job(**QUEUE, jobDefinition="whole")["jobId"])
        array = batch.submit_job(**QUEUE, jobDefinition="whole", arrayProperties={"size": 2})["jobId"]
        ended(array)
        batch.describe_jobs(jobs=[job["jobId"], array, f"{array}:1"])
        batch.list_jobs(jobQueue="default", jobStatus="SUCCEEDED")
        batch.describe_job_queues()
        batch.describe_compute_environments()
        batch.describe_job_definitions()
        assert None not in [value for value in values(answers) if not isinstance(value, dict | list)]
        (shown, *_) = answers[-5]["jobs"]
        for member in ("createdAt", "startedAt", "stoppedAt"):
            assert isinstance(shown[member], int)
            assert abs(shown[member] - time.time() * 1000) < 600_000


class TestDescribedJobs:
    """What engines read from DescribeJobs."""

    def test_what_was_submitted_wins_over_the_definition(self, batch, define, ended):
        """Parameters and variables are merged by name, requirements by type, strategies replaced."""
        define(
            "merged",
            container={"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]},
            parameters={"a": "1", "b": "1"},
            retryStrategy={"attempts": 2},
            timeout={"attemptDurationSeconds": 100},
        )
        job_id = batch.submit_job(
            **QUEUE,
            jobDefinition="merged",
            parameters={"b": "2"},
            retryStrategy={"attempts": 3},
            timeout={"attemptDurationSeconds": 60},
            containerOverrides={
                "environment": [{"name": "B", "value": "2"}],
                "resourceRequirements": [{"type": "MEMORY", "value": "256"}],
            },
        )["jobId"]
        job = ended(job_id)
        assert job["parameters"] == {"a": "1", "b": "2"}
        assert job["retryStrategy"] == {"attempts": 3, "evaluateOnExit": []}
        assert job["timeout"] == {"attemptDurationSeconds": 60}
        container = job["container"]
        assert {one["name"]: one["value"] for one in container["environment"]} == {"A": "1", "B": "2"}
        needs = {one["type"]: one["value"] for one in container["resourceRequirements"]}
        assert needs == {"VCPU": "1", "MEMORY": "256"}

    def test_an_attempt_has_what_engines_read(self, batch, define, ended):
        """Nextflow and Airflow: exit code, task, stream, times and reason of the last attempt."""
        define("twice", "exit 7", retryStrategy={"attempts": 2})
        job = ended(batch.submit_job(**QUEUE, jobDefinition="twice")["jobId"])
        first, last = job["attempts"]
        assert job["container"]["exitCode"] == last["container"]["exitCode"] == 7
        assert job["container"]["taskArn"] == last["container"]["taskArn"] != first["container"]["taskArn"]
        assert first["container"]["logStreamName"] != last["container"]["logStreamName"]
        assert last["statusReason"] == "Essential container in task exited"
        assert first["startedAt"] <= first["stoppedAt"] <= last["startedAt"] <= last["stoppedAt"]

    def test_what_never_ran_has_no_stream(self, batch, define, reached, ended):
        """A cancelled job has no attempt, no stream and no start, but an end and its reason."""
        define("loop", ENDLESS), define("after")
        first = batch.submit_job(**QUEUE, jobDefinition="loop")["jobId"]
        held = batch.submit_job(**QUEUE, jobDefinition="after", dependsOn=[{"jobId": first}])["jobId"]
        reached(held, "PENDING")
        batch.cancel_job(jobId=held, reason="changed my mind")
        batch.terminate_job(jobId=first, reason="enough")
        ended(first)
        job = ended(held)
        assert (job["statusReason"], job["attempts"]) == ("changed my mind", [])
        assert "logStreamName" not in job["container"]
        assert "startedAt" not in job
        assert job["stoppedAt"] >= job["createdAt"]

    def test_stopping_what_has_ended_changes_nothing(self, batch, define, ended):
        """Cleaners terminate whatever they know of."""
        define("over")
        job = ended(batch.submit_job(**QUEUE, jobDefinition="over")["jobId"])
        batch.cancel_job(jobId=job["jobId"], reason="late")
        batch.terminate_job(jobId=job["jobId"], reason="late")
        assert batch.describe_jobs(jobs=[job["jobId"]])["jobs"] == [job]

    def test_a_hundred_at_once_and_those_that_are_known(self, batch, define, ended):
        """Nextflow polls in hundreds; unknown ids among them are left out."""
        define("known")
        known = [batch.submit_job(**QUEUE, jobDefinition="known")["jobId"] for _ in range(3)]
        ids = [*known, *(f"00000000-0000-0000-0000-{n:012d}" for n in range(97))]
        assert {job["jobId"] for job in batch.describe_jobs(jobs=ids)["jobs"]} == set(known)
        for job_id in known:
            ended(job_id)

    def test_the_log_configuration_comes_with_the_job(self, batch, define, ended):
        """Airflow looks for group and stream prefix there."""
        awslogs = {"logDriver": "awslogs", "options": {"awslogs-stream-prefix": "flow"}}
        define("logged", container={"logConfiguration": awslogs})
        container = ended(batch.submit_job(**QUEUE, jobDefinition="logged")["jobId"])["container"]
        assert container["logConfiguration"].items() >= awslogs.items()
        assert container["logStreamName"].startswith("flow/default/")


class TestWithinAJob:
    """What the work itself reads."""

    def test_its_variables(self, batch, logs, define, ended):
        """Names of queue and environment, not ARNs; index and size in an array; the attempt from 1."""
        names = "AWS_BATCH_JQ_NAME", "AWS_BATCH_CE_NAME", "AWS_BATCH_JOB_ATTEMPT", "AWS_EXECUTION_ENV"
        array = "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"
        define("variables", "; ".join(f"echo ${name}" for name in (*names, *array)))
        parent = batch.submit_job(**QUEUE, jobDefinition="variables", arrayProperties={"size": 2})["jobId"]
        ended(parent)
        stream = ended(f"{parent}:1")["container"]["logStreamName"]
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
        assert lines(page) == ["default", "default", "1", "AWS_ECS_EC2", f"{parent}:1", "1", "2"]

    def test_an_ordinary_variable_is_not_one_of_awss(self, batch, define, ended):
        """DescribeJobs shows the user's variables only."""
        define("plain", container={"environment": [{"name": "MINE", "value": "1"}]})
        job = ended(batch.submit_job(**QUEUE, jobDefinition="plain")["jobId"])
        assert job["container"]["environment"] == [{"name": "MINE", "value": "1"}]


class TestLists:
    """ListJobs, and pages of everything."""

    @pytest.fixture
    def listed(self, batch) -> Callable[..., set[str]]:
        """The ids that ListJobs gives."""

        def listed(**request: Any) -> set[str]:
            return {job["jobId"] for job in batch.list_jobs(**request)["jobSummaryList"]}

        return listed

    def test_without_a_status_what_runs_is_listed(self, batch, define, reached, ended, listed):
        """RUNNING by default; an array's children only under its id, their parent as PENDING."""
        define("endless", ENDLESS)
        single = batch.submit_job(**QUEUE, jobDefinition="endless")["jobId"]
        reached(single, "RUNNING")
        assert listed(jobQueue="default") == {single}
        batch.terminate_job(jobId=single, reason="enough")
        ended(single)
        array = batch.submit_job(**QUEUE, jobDefinition="endless", arrayProperties={"size": 2})["jobId"]
        reached(f"{array}:0", "RUNNING")
        assert listed(jobQueue="default") == set()
        assert f"{array}:0" in listed(arrayJobId=array)
        assert array in listed(jobQueue="default", jobStatus="PENDING")
        batch.terminate_job(jobId=array, reason="enough")
        ended(array)

    @pytest.fixture
    def two_of_each(self, batch, define, ended) -> dict[str, dict[str, Any]]:
        """Two of everything that has pages; gives what each operation must be asked with."""
        _make_two_of_each(batch)
        need = {"consumableResourceList": [{"consumableResource": "seat-0", "quantity": 1}]}
        define("paged-0"), define("paged-1")
        for _ in range(2):
            ended(
                batch.submit_job(**QUEUE, jobDefinition="paged-0", consumableResourcePropertiesOverride=need)[
                    "jobId"
                ]
            )
        return {
            "describe_compute_environments": {},
            "describe_job_definitions": {},
            "describe_job_queues": {},
            "describe_service_environments": {},
            "list_consumable_resources": {},
            "list_jobs": {"jobQueue": "default", "jobStatus": "SUCCEEDED"},
            "list_jobs_by_consumable_resource": {"consumableResource": "seat-0"},
            "list_quota_shares": {"jobQueue": "paged-sage"},
            "list_scheduling_policies": {},
        }

    def test_everything_has_pages(self, batch, two_of_each):
        """One at a time gives what all at once gives, in order; a made-up token is a ClientException."""
        for operation, request in two_of_each.items():
            paginator = batch.get_paginator(operation)
            (key,) = [str(one.expression) for one in paginator.result_keys]
            whole = getattr(batch, operation)(**request)
            pages = list(paginator.paginate(**request, PaginationConfig={"PageSize": 1}))
            assert [one for page in pages for one in page[key]] == whole[key], operation
            assert len(pages) == len(whole[key]) >= 2, operation
            error = refused(getattr(batch, operation), **request, nextToken="made-up")
            assert error["Error"]["Code"] == "ClientException", operation


def _make_two_of_each(batch: Any) -> None:
    policy = {"idleResourceAssignmentStrategy": "FIFO"}
    quota = batch.create_scheduling_policy(name="paged-quota", quotaSharePolicy=policy)["arn"]
    batch.create_scheduling_policy(name="paged-fair")
    for n in range(2):
        batch.create_consumable_resource(consumableResourceName=f"seat-{n}", totalQuantity=2)
        batch.create_service_environment(
            serviceEnvironmentName=f"paged-{n}",
            serviceEnvironmentType="SAGEMAKER_TRAINING",
            capacityLimits=[{"maxCapacity": 4, "capacityUnit": "NUM_INSTANCES"}],
        )
    batch.create_job_queue(
        jobQueueName="paged-sage",
        priority=1,
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "paged-0"}],
        schedulingPolicyArn=quota,
    )
    for n in range(2):
        batch.create_quota_share(
            quotaShareName=f"paged-{n}",
            jobQueue="paged-sage",
            capacityLimits=[{"maxCapacity": 2, "capacityUnit": "ml.m5.large"}],
            resourceSharingConfiguration={"strategy": "RESERVE"},
            preemptionConfiguration={"inSharePreemption": "DISABLED"},
        )


class TestNouns:
    """Definitions, queues and environments as engines look them up."""

    def test_find_or_register(self, batch, define):
        """What Describe shows of a definition is what was sent, so the second look finds the first."""
        container = {
            "image": "busybox",
            "command": ["echo", "Ref::word"],
            "resourceRequirements": NEEDS,
            "jobRoleArn": "arn:aws:iam::123456789012:role/work",
            "volumes": [{"name": "scratch", "host": {"sourcePath": "/tmp"}}],
            "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch", "readOnly": True}],
            "environment": [{"name": "A", "value": "1"}],
            "ulimits": [{"name": "nofile", "softLimit": 64, "hardLimit": 64}],
            "secrets": [],
            "readonlyRootFilesystem": False,
            "privileged": False,
            "user": "nobody",
            "linuxParameters": {"sharedMemorySize": 64, "initProcessEnabled": True},
            "logConfiguration": {"logDriver": "awslogs", "options": {}, "secretOptions": []},
        }
        more = {"parameters": {"nf-token": "0123abc", "word": "hi"}, "propagateTags": True}
        define("found", container=container, **more)
        (known,) = batch.describe_job_definitions(jobDefinitionName="found", status="ACTIVE")[
            "jobDefinitions"
        ]
        assert known["containerProperties"] == container
        assert (known["parameters"]["nf-token"], known["propagateTags"]) == ("0123abc", True)

    def test_the_kind_of_a_queues_hosts(self, batch):
        """Metaflow follows a queue to its first environment, and asks whether that is Fargate."""
        (queue,) = batch.describe_job_queues(jobQueues=["default"])["jobQueues"]
        assert queue["status"] == "VALID"
        first = min(queue["computeEnvironmentOrder"], key=lambda one: one["order"])["computeEnvironment"]
        (known,) = batch.describe_compute_environments(computeEnvironments=[first])["computeEnvironments"]
        assert (known["computeResources"]["type"], known["status"]) == ("EC2", "VALID")


def lines(page: dict[str, Any]) -> list[str]:
    return [event["message"] for event in page["events"]]


class TestLogs:
    """GetLogEvents as Airflow and Metaflow page through it."""

    @pytest.fixture
    def stream(self, batch, define, ended) -> dict[str, str]:
        """Six lines of a finished job, on both outputs."""
        define("talk", "for n in 1 2 3 4 5; do echo $n; done; echo six >&2")
        job = ended(batch.submit_job(**QUEUE, jobDefinition="talk")["jobId"])
        return {"logGroupName": GROUP, "logStreamName": job["container"]["logStreamName"]}

    def test_the_end_comes_first_unless_the_head_is_asked_for(self, logs, stream):
        """`startFromHead` is false by default; backward tokens lead to the head."""
        last = logs.get_log_events(**stream, limit=2)
        assert lines(last) == ["5", "six"]
        before = logs.get_log_events(**stream, limit=2, nextToken=last["nextBackwardToken"])
        assert lines(before) == ["3", "4"]
        assert lines(logs.get_log_events(**stream, limit=2, startFromHead=True)) == ["1", "2"]

    def test_the_same_token_means_the_end(self, logs, stream):
        """Clients read on until nextForwardToken is the one they came with."""
        request, seen, token = {**stream, "limit": 4, "startFromHead": True}, [], None
        while True:
            page = logs.get_log_events(**request, **({"nextToken": token} if token else {}))
            seen += lines(page)
            if page["nextForwardToken"] == token:
                break
            token = page["nextForwardToken"]
        assert seen == ["1", "2", "3", "4", "5", "six"]

    def test_events_have_times(self, logs, stream):
        """Milliseconds, in order, and when they were taken in."""
        events = logs.get_log_events(**stream, startFromHead=True)["events"]
        times = [event["timestamp"] for event in events]
        assert times == sorted(times)
        assert all(event["ingestionTime"] >= event["timestamp"] > 1_700_000_000_000 for event in events)
