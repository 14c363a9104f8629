"""A backend in an AWS account: its settings, what its jobs are given, what is asked of AWS how often."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from answering import Server
from aws_account import KEYS, Account, new_account
from botocore import exceptions

import nbbatch
from nbbatch.client import capacity
from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.children import children_of
from nbbatch.client.aws import answers as aws_answers
from nbbatch.client.aws import backend as aws_backend
from nbbatch.client.backend import get_backend, hurried, translate
from nbbatch.client.definitions import definition_for
from nbbatch.client.money.estimate import _placed
from nbbatch.client.options import Options
from nbbatch.client.submission import resolve
from nbbatch.errors import (
    AccessDeniedError,
    BackendError,
    BackendUnreachableError,
    ConfigurationError,
    DoesNotFitError,
    NotOnAwsError,
    OptionError,
    ServerException,
    UnknownNameError,
)

ROLE = "arn:aws:iam::123456789012:role/"


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account with three kinds of queues."""
    with new_account() as one:
        one.make_queue("analysis")
        one.make_queue("spare", type="SPOT", bidPercentage=100, spotIamFleetRole=f"{ROLE}fleet")
        one.make_queue("visual", instanceTypes=["g5.xlarge"])
        yield one


@pytest.fixture
def configure(tmp_path, monkeypatch, account):
    """Write the settings of `prod` and get it; nothing else of AWS is in the environment."""
    capacity._known.clear()
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)

    def configure(text: str = "", **more):
        Path("nbbatch.toml").write_text(text or account.settings(**more))
        return get_backend("prod")

    return configure


def test_one_object_serves_one_place(configure):
    """Other settings are another place."""
    first = configure(queue="analysis")
    assert get_backend("prod") is first
    assert configure(queue="spare") is not first


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[backends.prod]\nkind = "aws"\n', "'prod' has no region"),
        ('[backends.prod]\nkind = "aws"\nprofile = "nobody"\n', r"nobody.*list-profiles"),
    ],
)
def test_settings_that_lead_nowhere_are_told(configure, text, told):
    """With the line to write."""
    with pytest.raises(ConfigurationError, match=told):
        configure(text)


def test_a_backend_without_a_store_says_so_when_it_needs_one(configure):
    """Watching and cancelling jobs takes none."""
    backend = configure('[backends.prod]\nkind = "aws"\nregion = "us-east-1"\n')
    assert backend.batch.meta.region_name == "us-east-1"
    with pytest.raises(ConfigurationError, match=r'store = "s3://bucket/prefix"'):
        _ = backend.store


def test_an_image_is_asked_for_before_anything_is_sent(configure):
    """A job on AWS cannot see this machine's Python."""
    configure(image=None)
    with pytest.raises(OptionError, match=r"needs an image.*\[backends\.prod\]"):
        nbbatch.submit(print, backend="prod")
    with pytest.raises(OptionError, match="needs an image"):
        nbbatch.map(print, [1, 2], backend="prod")


def chosen(backend, **options) -> str | None:
    return backend.suited(resolve({"backend": "prod", **options})).queue


def test_the_queue_is_the_configured_one(configure):
    """Unless another one is asked for, or a kind of hosts that it has not."""
    backend = configure(queue="analysis")
    assert chosen(backend) == "analysis"
    assert chosen(backend, queue="spare") == "spare"
    assert chosen(backend, spot=True) == "spare"
    assert chosen(backend, gpus=1) == "visual"
    with pytest.raises(UnknownNameError, match=r"no job queue 'analysi'.*Did you mean analysis"):
        chosen(backend, queue="analysi")


def test_one_of_several_queues_has_to_be_named(configure):
    """The message lists them; of on-demand queues there are two."""
    backend = configure()
    with pytest.raises(OptionError, match=r"has 3 queues: .*analysis.*spare.*visual.*queue ="):
        chosen(backend)
    with pytest.raises(OptionError, match="has 2 queues on demand"):
        chosen(backend, spot=False)
    with pytest.raises(OptionError, match="has no queues with GPUs on Spot"):
        chosen(backend, spot=True, gpus=1)


def test_what_ran_is_priced_on_the_queue_that_fits(configure):
    """For a job that ran, asking for Spot means the account's own queue; without a wish it stays in its own."""
    backend, detail = configure(queue="analysis"), {"jobDefinition": "sleeper:1"}
    assert _placed(backend, detail, Options(spot=True)).queue == "spare"
    assert _placed(backend, detail, Options(vcpus=4)).queue is None


def test_a_definition_has_the_backends_roles_and_log_group(configure):
    """Roles by name become ARNs of the account; user and entry point are the image's."""
    backend = configure(
        queue="analysis", job_role="job", execution_role=f"{ROLE}other", log_group="/research"
    )
    request = backend.definition_request(Options(image="repo/x:3", queue="analysis"), has_bundle=True)
    container = request["containerProperties"]
    assert request["platformCapabilities"] == ["EC2"]
    assert container["jobRoleArn"] == f"{ROLE}job"
    assert container["executionRoleArn"] == f"{ROLE}other"
    assert container["logConfiguration"] == {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/research", "awslogs-region": "us-east-1"},
    }
    assert "user" not in container
    assert request["jobDefinitionName"].startswith("nbbatch-repo-x-3-")


def test_a_definition_is_registered_once_by_its_content(configure):
    """Other settings make another one; other resources do not."""
    backend = configure(queue="analysis")
    options = Options(image="repo/once", queue="analysis")
    name = definition_for(backend, backend.definition_request(options, has_bundle=True))
    for _ in range(2):
        assert definition_for(backend, backend.definition_request(options, has_bundle=True)) == name
    other = configure(queue="analysis", job_role="job")
    assert definition_for(other, other.definition_request(options, has_bundle=True)) != name


@pytest.fixture
def on_fargate(configure, account):
    """A backend whose queue is on Fargate, by what DescribeComputeEnvironments says."""
    backend = configure(queue="analysis", execution_role="exec")
    fargate = {"computeEnvironmentName": "f", "computeResources": {"type": "FARGATE", "maxvCpus": 64}}
    known = capacity.capacity_of(backend, "analysis")
    capacity._known[backend.name, backend.identity, "analysis"] = capacity.Capacity(
        queue="analysis", environments=[fargate], machine=None, executor="", asked=known.asked
    )
    return backend


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({}, (1, 2048)),
        ({"vcpus": 2}, (2, 4096)),
        ({"memory": "9G"}, (2, 9216)),
        ({"vcpus": 0.5, "memory": 100}, (0.5, 1024)),
        ({"vcpus": 3, "memory": "5G"}, (4, 8192)),
    ],
)
def test_fargate_gives_the_next_size(on_fargate, asked, given):
    """Which holds what was asked for."""
    options = on_fargate.suited(resolve({"backend": "prod", **asked}))
    assert (options.vcpus, options.memory) == given


def test_what_no_size_of_fargate_holds_is_refused(on_fargate):
    """Before anything is sent."""
    with pytest.raises(DoesNotFitError, match=r"Fargate has no size with 64 vCPU.*queue on EC2"):
        on_fargate.suited(resolve({"backend": "prod", "vcpus": 64}))


def test_a_definition_on_fargate_reaches_its_image(on_fargate, configure):
    """By a public address; without an execution role it cannot fetch any."""
    options = Options(image="repo/x:3", queue="analysis")
    request = on_fargate.definition_request(options, has_bundle=True)
    assert request["platformCapabilities"] == ["FARGATE"]
    assert request["containerProperties"]["networkConfiguration"] == {"assignPublicIp": "ENABLED"}
    assert request["containerProperties"]["executionRoleArn"] == f"{ROLE}exec"
    with pytest.raises(ConfigurationError, match="names no execution_role"):
        configure(queue="analysis").definition_request(options, has_bundle=True)


@pytest.mark.parametrize("route", ["events", "costs", "interrupt", "rules", "budget", "status", "watch"])
def test_what_only_a_daemon_knows_says_so(configure, route):
    """With the reason; nothing is asked."""
    with pytest.raises(NotOnAwsError, match="'prod' is on AWS: "):
        configure().private(route, {})


@pytest.fixture
def shaky(configure, monkeypatch) -> Iterator[tuple[Server, object]]:
    """A backend whose AWS answers as a list says, and pauses that take no time."""
    monkeypatch.setattr(aws_backend.random, "uniform", lambda *_: 0.0)
    server = Server()
    text = f'[backends.prod]\nkind = "aws"\nregion = "us-east-1"\nendpoint_url = "{server.url}"\n'
    yield server, configure(text)
    server.close()


def answer(status: int, **body: object) -> tuple[int, dict[str, str], bytes]:
    code = {429: "TooManyRequestsException", 500: "ServerException"}.get(status, "")
    return status, {"x-amzn-ErrorType": code} if code else {}, json.dumps(body).encode()


def test_who_looks_is_told_soon_who_does_not_answer(configure, monkeypatch):
    """A service that takes a call and is silent is asked once, for seconds; its address is named, and what to do."""
    monkeypatch.setattr(aws_backend, "_HURRIED_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        backend = configure(f'[backends.prod]\nkind = "aws"\nregion = "us-east-1"\nendpoint_url = "{url}"\n')
        with pytest.raises(BackendUnreachableError) as told, hurried(), backend.errors():
            backend.batch.describe_jobs(jobs=["x"])
        assert told.value.message == f"{url} does not answer."
        assert "nbbatch doctor" in told.value.cure
        deaf.setblocking(False)
        deaf.accept()[0].close()
        with pytest.raises(BlockingIOError):
            deaf.accept()
    assert backend.batch.meta.config.read_timeout == 60


def test_who_looks_is_not_told_of_a_bad_second(shaky):
    """What was refused, or fails at once, is asked again as ever; a few times, not for a minute."""
    server, backend = shaky
    server.answers = [answer(429, message="slow"), answer(500, message="oops"), answer(200, jobs=[])]
    with hurried():
        assert backend.batch.describe_jobs(jobs=["x"])["jobs"] == []
        server.answers = [answer(500, message="oops")] * 3
        with pytest.raises(ServerException, match="oops"), backend.errors():
            backend.batch.describe_jobs(jobs=["x"])
    assert len(server.asked) == 6


_SUBMISSION = {"jobName": "job", "jobQueue": "q", "jobDefinition": "d"}


def test_a_call_is_repeated_while_aws_throttles_or_fails(shaky):
    """Nobody is told of a bad second."""
    server, backend = shaky
    server.answers = [answer(429, message="slow"), answer(500, message="oops"), answer(200, jobs=[])]
    assert backend.batch.describe_jobs(jobs=["x"])["jobs"] == []
    assert len(server.asked) == 3


def test_a_job_is_submitted_again_only_if_it_surely_was_not(shaky):
    """After throttling yes, after an error of the server no: it may have accepted it."""
    server, backend = shaky
    server.answers = [answer(429, message="slow"), answer(200, jobId="x", jobName="job", jobArn="a")]
    with backend.errors():
        assert backend.batch.submit_job(**_SUBMISSION)["jobId"] == "x"
    server.answers = [answer(500, message="oops"), answer(200, jobId="y", jobName="job", jobArn="a")]
    with pytest.raises(ServerException, match="oops"), backend.errors():
        backend.batch.submit_job(**_SUBMISSION)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (exceptions.NoCredentialsError(), AccessDeniedError, "Sign in"),
        (exceptions.UnauthorizedSSOTokenError(), AccessDeniedError, "aws sso login"),
        (exceptions.ProfileNotFound(profile="x"), ConfigurationError, "list-profiles"),
        (exceptions.NoRegionError(), ConfigurationError, "region"),
        (exceptions.ClientError({"Error": {"Code": "ExpiredTokenException"}}, "X"), AccessDeniedError, "Sign in"),
        (exceptions.ClientError({"Error": {"Code": "TooManyRequestsException"}}, "X"), BackendError, "again"),
    ],
)  # fmt: skip
def test_errors_of_signing_in_have_a_cure(error, kind, told):
    """Whichever way a person signs in."""
    found = translate(error)
    assert type(found) is kind
    assert told in str(found)


@pytest.fixture
def beside(shared_daemon, configure, monkeypatch):
    """A backend whose AWS Batch is a daemon: its states and snapshots are AWS's."""
    endpoint = json.loads((Path(shared_daemon.home) / "endpoint.json").read_text())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", endpoint["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", endpoint["secret_access_key"])
    text = f'[backends.prod]\nkind = "aws"\nregion = "us-east-1"\nendpoint_url = "{endpoint["url"]}"\n'
    return configure(text)


@pytest.fixture
def narrow(beside):
    """A queue with room for one job, and a way to submit one to it."""
    batch = beside.batch
    batch.create_compute_environment(
        computeEnvironmentName="narrow-hosts",
        type="MANAGED",
        computeResources={
            "type": "EC2", "minvCpus": 0, "maxvCpus": 2, "instanceTypes": ["m6i.large"], "subnets": ["s"],
            "securityGroupIds": ["g"], "instanceRole": "arn:aws:iam::123456789012:instance-profile/hosts",
        },
    )  # fmt: skip
    order = [{"order": 1, "computeEnvironment": "narrow-hosts"}]
    batch.create_job_queue(jobQueueName="narrow", priority=1, computeEnvironmentOrder=order)
    batch.register_job_definition(
        jobDefinitionName="sleeper",
        type="container",
        containerProperties={
            "image": "busybox",
            "command": ["sleep", "60"],
            "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "128"}],
        },
    )
    submitted = []

    def submit(**more) -> str:
        request = {"jobName": "sleep", "jobQueue": "narrow", "jobDefinition": "sleeper"} | more
        submitted.append(batch.submit_job(**request)["jobId"])
        return submitted[-1]

    yield submit
    for job_id in submitted:
        batch.terminate_job(jobId=job_id, reason="over")


def test_why_a_job_waits_is_told_from_what_aws_knows(beside, narrow):
    """Its place in the queue, a queue that is switched off, the jobs before it."""
    running = nbbatch.job(narrow(), backend="prod")
    waiting = nbbatch.job(narrow(), backend="prod")
    later = nbbatch.job(narrow(dependsOn=[{"jobId": waiting.id}]), backend="prod")
    while running.status != "RUNNING" or waiting.status != "RUNNABLE" or later.status != "PENDING":
        pass
    assert "it is number 1 in its queue" in waiting.why()
    assert f"it waits for job sleep ({waiting.id[:8]}), which is RUNNABLE" in later.why()
    assert "is RUNNING" in running.why()
    beside.batch.update_job_queue(jobQueue="narrow", state="DISABLED")
    assert "queue narrow is DISABLED" in waiting.why()


def test_children_are_told_from_listjobs_as_the_daemon_tells_them(beside, shared_daemon):
    """Statuses, attempts and ends; only hosts are unknown."""
    container = {
        "image": "busybox",
        "command": ["sh", "-c", "exit $AWS_BATCH_JOB_ARRAY_INDEX"],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
    }
    beside.batch.register_job_definition(
        jobDefinitionName="ends", type="container", containerProperties=container
    )
    job_id = beside.batch.submit_job(
        jobName="ends", jobQueue="default", jobDefinition="ends", arrayProperties={"size": 3}
    )["jobId"]
    here, there = ArrayJob(job_id, backend="local"), ArrayJob(job_id, backend="prod")
    assert here.wait(120)
    local, remote = children_of(here), children_of(there)
    assert remote.statuses.tolist() == local.statuses.tolist() == [5, 6, 6]
    assert sorted(remote.failures.words) == sorted(local.failures.words) == ["exit code 1", "exit code 2"]
    assert sorted(remote.attempts.started) == sorted(local.attempts.started)
    assert set(remote.attempts.host) == {-1}
    assert local.hosts
    with pytest.raises(NotOnAwsError, match="CloudWatch"):
        nbbatch.figure("depth", backend="prod")


def test_the_type_of_a_host_is_asked_of_ecs(account, configure):
    """Then the price is that of the host, not of the cheapest that would have done."""
    backend = configure()
    ecs, ec2 = account.client("ecs"), account.client("ec2")
    ecs.create_cluster(clusterName="batch")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    host = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="m6i.2xlarge")["Instances"][
        0
    ]
    document = json.dumps({"instanceId": host["InstanceId"]})
    arn = ecs.register_container_instance(cluster="batch", instanceIdentityDocument=document)[
        "containerInstance"
    ]["containerInstanceArn"]
    attribute = {"name": "ecs.instance-type", "value": "m6i.2xlarge", "targetId": arn}
    ecs.put_attributes(cluster="batch", attributes=[attribute])
    gone = arn.replace("batch", "other")
    assert aws_answers._instance_types(backend, {arn, gone}) == {arn: "m6i.2xlarge"}
