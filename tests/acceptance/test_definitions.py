"""Definitions as a boto3 user knows them: revisions, echoes, refusals, several containers, secrets."""

from __future__ import annotations

import botocore.exceptions
import pytest

NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
ROLE = "arn:aws:iam::123456789012:role/x"


@pytest.fixture
def define(batch, image):
    """Register a definition whose container runs a shell line, or with these properties; gives `name:revision`."""

    def define(line="true", name="work", definition=None, **properties):
        properties = {
            "image": image,
            "command": ["sh", "-c", line],
            "resourceRequirements": NEEDS,
        } | properties
        made = batch.register_job_definition(
            **{
                "jobDefinitionName": name,
                "type": "container",
                "containerProperties": properties,
                **(definition or {}),
            }
        )
        return f"{made['jobDefinitionName']}:{made['revision']}"

    return define


@pytest.fixture
def submit(batch):
    def submit(definition, **more):
        made = batch.submit_job(jobName="j", jobQueue="default", jobDefinition=definition, **more)
        return made["jobId"]

    return submit


def refused(call, *arguments, **more) -> str:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*arguments, **more)
    assert caught.value.response["Error"]["Code"] == "ClientException"
    return caught.value.response["Error"]["Message"]


def lines(logs, stream):
    events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream, startFromHead=True)[
        "events"
    ]
    return [event["message"] for event in events]


@pytest.fixture
def task(image):
    """A container of `ecsProperties` that runs a shell line."""

    def container(name, line, **more):
        made = {"name": name, "image": image, "command": ["sh", "-c", line], "resourceRequirements": NEEDS}
        return made | more

    return container


def several(name, *containers, **of_task):
    properties = {"taskProperties": [{"containers": list(containers), **of_task}]}
    return {"jobDefinitionName": name, "type": "container", "ecsProperties": properties}


class TestOnProcesses:
    """What needs no container runs on processes, which is quicker."""

    @pytest.fixture
    def executor(self, monkeypatch):
        monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
        return "process"

    def test_revisions_count_on(self, batch, define):
        """A revision's number is never used again, and INACTIVE ones can still be seen."""
        assert [define(), define()] == ["work:1", "work:2"]
        batch.deregister_job_definition(jobDefinition="work:2")
        assert define() == "work:3"
        shown = batch.describe_job_definitions(jobDefinitionName="work")["jobDefinitions"]
        assert [(known["revision"], known["status"]) for known in shown] == [
            (3, "ACTIVE"), (2, "INACTIVE"), (1, "ACTIVE"),
        ]  # fmt: skip

    def test_an_inactive_definition_takes_no_jobs(self, batch, define, submit):
        """By number it is refused, by name the latest ACTIVE one counts; jobs that have it go on."""
        define(), define()
        job = submit("work:2")
        batch.deregister_job_definition(jobDefinition="work:2")
        assert (
            refused(submit, "work:2") == "JobDefinition name work:2 does not exist or is not in ACTIVE status"
        )
        assert submit("work")
        (shown,) = batch.describe_jobs(jobs=[job])["jobs"]
        assert shown["jobDefinition"].endswith("/work:2")

    def test_a_definition_comes_back_with_empty_lists(self, batch, define):
        """Clients compare what they sent with what is there."""
        define(environment=[{"name": "A", "value": "1"}, {"name": "B", "value": ""}], name="echo")
        (shown,) = batch.describe_job_definitions(jobDefinitionName="echo")["jobDefinitions"]
        properties = shown["containerProperties"]
        assert properties["environment"] == [{"name": "A", "value": "1"}]
        for name in ("volumes", "mountPoints", "ulimits", "secrets"):
            assert properties[name] == []

    def test_references_are_replaced_whole_and_within(self, logs, define, submit, ended):
        """`Ref::name` alone, and within a word up to the longest known name; a missing one is refused."""
        name = define(
            command=["echo", "Ref::word", "--x=Ref::word.txt"], definition={"parameters": {"word": "hi"}}
        )
        job = ended(submit(name, parameters={"word": "bye"}))
        assert lines(logs, job["container"]["logStreamName"]) == ["bye --x=bye.txt"]
        assert (job["parameters"], job["container"]["command"][1]) == ({"word": "bye"}, "bye")
        lost = define(command=["echo", "Ref::lost"])
        assert refused(submit, lost) == "Unable to substitute value. No parameter found for reference lost"

    def test_overrides_over_8192_bytes_fail_at_dispatch(self, define, submit, ended):
        """SubmitJob takes them, ECS does not."""
        job = ended(
            submit(define(), containerOverrides={"environment": [{"name": "A", "value": "x" * 8200}]})
        )
        assert job["statusReason"] == "Container Overrides length must be at most 8192"
        assert (job["status"], job["attempts"]) == ("FAILED", [])

    def test_too_many_tags_to_propagate_fail_the_job(self, define, submit, ended):
        """The job's and its definition's together are at most 50."""
        name = define(definition={"tags": {f"d{i}": "" for i in range(30)}, "propagateTags": True})
        job = ended(submit(name, tags={f"j{i}": "" for i in range(21)}))
        assert (job["status"], job["attempts"]) == ("FAILED", [])
        assert "51 tags" in job["statusReason"]
        assert ended(submit(name, tags={f"j{i}": "" for i in range(20)}))["status"] == "SUCCEEDED"

    def test_payloads_have_their_limits(self, define, submit):
        """24 KiB for a definition, 30 KiB for a job."""
        assert "at most 24576" in refused(define, "x" * (24 << 10))
        assert "at most 30720" in refused(
            submit, define(), containerOverrides={"command": ["x" * (30 << 10)]}
        )

    def test_secrets_never_show(self, batch, home, logs, define, submit, ended):
        """The job has the value; no reply, row or log of the daemon has."""
        (home / "secrets.json").touch(0o600)
        (home / "secrets.json").write_text('{"token": "very-hush-indeed"}')
        secret = {"secrets": [{"name": "TOKEN", "valueFrom": "token"}], "executionRoleArn": ROLE}
        job = ended(
            submit(define('test "$TOKEN" = very-hush-indeed'.replace("very-hush", "very-h''ush"), **secret))
        )
        assert job["status"] == "SUCCEEDED"
        assert job["container"]["secrets"] == secret["secrets"]
        assert "very-hush-indeed" not in str(job)
        for path in home.rglob("*"):
            if path.is_file() and path.name != "secrets.json":
                assert b"very-hush-indeed" not in path.read_bytes(), path

    def test_a_missing_secret_fails_the_start(self, define, submit, ended):
        """STARTING to FAILED with ECS's reason, and without a start."""
        properties = {"secrets": [{"name": "A", "valueFrom": "none"}], "executionRoleArn": ROLE}
        job = ended(submit(define(**properties)))
        assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
        assert job["container"]["reason"].startswith("ResourceInitializationError: unable to pull secrets")
        assert "startedAt" not in job

    def test_kubernetes_is_refused_with_a_reason(self, batch):
        """There is no cluster here."""
        pods = {"podProperties": {"containers": [{"image": "busybox"}]}}
        text = refused(
            batch.register_job_definition, jobDefinitionName="k", type="container", eksProperties=pods
        )
        assert "has no Kubernetes cluster" in text

    def test_one_container_of_a_task_runs_as_a_process(self, batch, logs, task, submit, ended):
        """`ecsProperties` with a single container need no Docker."""
        batch.register_job_definition(**several("single", task("only", "echo hi; exit 4")))
        job = ended(submit("single"))
        (shown,) = job["ecsProperties"]["taskProperties"][0]["containers"]
        assert (shown["exitCode"], shown["name"], job["status"]) == (4, "only", "FAILED")
        assert lines(logs, shown["logStreamName"]) == ["hi"]
        assert shown["logStreamName"].startswith("single/only/")

    def test_several_containers_need_docker(self, batch, task, submit):
        """SubmitJob says so, and what to do."""
        batch.register_job_definition(**several("two", task("a", "true"), task("b", "true")))
        assert "Start a Docker Engine" in refused(submit, "two")


@pytest.mark.docker
class TestSeveralContainers:
    """`ecsProperties` with more than one container, in real ones."""

    @pytest.fixture
    def executor(self, monkeypatch):
        monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
        return "docker"

    def test_a_task_is_told_by_container(self, batch, logs, task, submit, ended):
        """Order, overrides by name, exit codes, streams and attempts of each container."""
        wait = [{"containerName": "init", "condition": "SUCCESS"}]
        volume = {"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}
        batch.register_job_definition(
            **several(
                "pair",
                task("main", "cat /v/word; exit 3", dependsOn=wait, **volume),
                task("init", 'echo "$WORD $AWS_BATCH_JOB_ID" > /v/word', essential=False, **volume),
                volumes=[{"name": "v"}],
            )
        )
        override = {"containers": [{"name": "init", "environment": [{"name": "WORD", "value": "over"}]}]}
        job_id = submit("pair", ecsPropertiesOverride={"taskProperties": [override]})
        job = ended(job_id)
        assert (job["status"], job["statusReason"]) == ("FAILED", "Essential container in task exited")
        assert "container" not in job
        (shown,) = job["ecsProperties"]["taskProperties"]
        main, init = shown["containers"]
        assert (main["exitCode"], init["exitCode"]) == (3, 0)
        assert lines(logs, main["logStreamName"]) == [f"over {job_id}"]
        (past,) = job["attempts"][0]["taskProperties"]
        assert [known["exitCode"] for known in past["containers"]] == [3, 0]
        assert past["taskArn"] == shown["taskArn"]

    def test_terminating_ends_every_container(self, batch, task, submit, reached, ended):
        """The caller's reason is the job's."""
        wait = {"linuxParameters": {"initProcessEnabled": True}}
        batch.register_job_definition(
            **several("long", task("a", "exec sleep 300", **wait), task("b", "exec sleep 300", **wait))
        )
        job_id = submit("long")
        reached(job_id, "RUNNING")
        batch.terminate_job(jobId=job_id, reason="enough")
        job = ended(job_id)
        assert (job["status"], job["statusReason"]) == ("FAILED", "enough")
        codes = [known["exitCode"] for known in job["ecsProperties"]["taskProperties"][0]["containers"]]
        assert codes == [143, 143]
