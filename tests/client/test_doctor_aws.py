"""The doctor looks at an AWS account: against moto's server, which also refuses what a policy does not allow."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto_server import moto_server

from nbbatch.client.config import BackendConfig
from nbbatch.client.doctor.account import Account, _permissions, _principal
from nbbatch.client.doctor.checkup import Finding, Health, Report, doctor
from nbbatch.client.doctor.permissions import (
    Site,
    execution_statements,
    job_statements,
    only,
    policy,
    user_statements,
)

ACCOUNT = "123456789012"
TRUSTS_TASKS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
SETTINGS = """
[backends.prod]
kind = "aws"
region = "us-east-1"
queue = "analysis"
store = "s3://payloads/team"
job_role = "arn:aws:iam::123456789012:role/job"
execution_role = "arn:aws:iam::123456789012:role/execution"
image = "python:3.11-slim"
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The server of moto; gives its address."""
    with moto_server() as url:
        yield url


@pytest.fixture
def account(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Path]:
    """An account in which all is well, and a project whose backend `prod` it is; gives the settings' path."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="payloads")
    for role in ("job", "execution"):
        boto3.client("iam", region_name="us-east-1").create_role(
            RoleName=role, AssumeRolePolicyDocument=TRUSTS_TASKS
        )
    make_queue("analysis")
    settings = tmp_path / "nbbatch.toml"
    settings.write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    yield settings
    tell(server, "reset-auth", b"inf")
    tell(server, "reset")
    assert not (home / "daemon.lock").exists()


def tell(server: str, word: str, body: bytes = b"") -> None:
    """Call one of moto's own routes: `reset-auth` says how many calls are taken without looking at policies."""
    headers = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/{word}", body, headers)).close()


def make_queue(name: str, state: str = "ENABLED") -> None:
    """A job queue over an environment that starts nothing."""
    batch = boto3.client("batch", region_name="us-east-1")
    role = f"arn:aws:iam::{ACCOUNT}:role/job"
    made = batch.create_compute_environment(
        computeEnvironmentName=f"under-{name}", type="UNMANAGED", state="ENABLED", serviceRole=role
    )
    order = [{"order": 1, "computeEnvironment": made["computeEnvironmentArn"]}]
    batch.create_job_queue(jobQueueName=name, state=state, priority=1, computeEnvironmentOrder=order)


def found(report: Report, check: str) -> list[Finding]:
    return [finding for finding in report if finding.check == check]


def worst(report: Report, check: str) -> Finding:
    """The finding of a check that matters most."""
    order = [Health.GOOD, Health.NOTE, Health.BAD]
    return max(found(report, check), key=lambda finding: order.index(finding.health))


def change(settings: Path, old: str, new: str) -> None:
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))


def test_an_account_in_order_is_well(account: Path) -> None:
    """Identity, queue, store, roles, log group and image are looked at, and nothing is left in the store."""
    report = doctor("prod")
    assert report.is_well, report
    assert "us-east-1" in worst(report, "identity").said
    assert "ENABLED and VALID" in worst(report, "queue").said
    assert "s3://payloads/team can be written" in found(report, "store")[0].said
    assert "job" in worst(report, "job role").said
    assert worst(report, "log group").said == "/aws/batch/job comes with the first job"
    assert "Contents" not in boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket="payloads")


def test_payloads_that_stay_for_ever_are_told(account: Path) -> None:
    """A bucket without a lifecycle rule is worth a word, and no more once it has one."""
    assert "for ever" in worst(doctor("prod"), "store").said
    boto3.client("s3", region_name="us-east-1").put_bucket_lifecycle_configuration(
        Bucket="payloads",
        LifecycleConfiguration={
            "Rules": [
                {"ID": "x", "Status": "Enabled", "Expiration": {"Days": 30}, "Filter": {"Prefix": "team/"}}
            ]
        },
    )
    assert worst(doctor("prod"), "store").health is Health.GOOD


@pytest.mark.parametrize(
    ("old", "new", "check", "said", "cure"),
    [
        ('queue = "analysis"', 'queue = "analysys"', "queue", "no job queue analysys", "analysis"),
        ("s3://payloads/team", "s3://nowhere/team", "store", "no bucket nowhere", "aws s3 mb"),
        ("role/job", "role/jobb", "job role", "no role arn:aws:iam::123456789012:role/jobb", "ecs-tasks"),
        (
            'image = "',
            'log_group = "/mine"\nimage = "',
            "log group",
            "no log group /mine",
            "create-log-group",
        ),
        (
            "python:3.11-slim",
            f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/mine:1",
            "image",
            "is not there",
            "docker push",
        ),
    ],
)
def test_what_is_missing_is_named_with_its_cure(
    account: Path, old: str, new: str, check: str, said: str, cure: str
) -> None:
    """A queue, bucket, role, log group or image that is not there keeps jobs from running."""
    change(account, old, new)
    finding = worst(doctor("prod"), check)
    assert finding.health is Health.BAD
    assert said in finding.said
    assert cure in finding.cure


def test_a_disabled_queue_is_bad(account: Path) -> None:
    """Jobs are not taken by a queue that is DISABLED."""
    make_queue("closed", state="DISABLED")
    change(account, 'queue = "analysis"', 'queue = "closed"')
    finding = worst(doctor("prod"), "queue")
    assert (finding.health, "DISABLED" in finding.said) == (Health.BAD, True)


def test_a_role_that_containers_may_not_assume_is_bad(account: Path) -> None:
    """A job's role must trust ECS tasks."""
    iam = boto3.client("iam", region_name="us-east-1")
    iam.update_assume_role_policy(RoleName="job", PolicyDocument=TRUSTS_TASKS.replace("ecs-tasks", "ec2"))
    finding = worst(doctor("prod"), "job role")
    assert (finding.health, "does not trust" in finding.said) == (Health.BAD, True)


def test_what_is_refused_becomes_the_policy_that_is_missing(
    account: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who may read but not write the store gets the statement for exactly that."""
    iam = boto3.client("iam", region_name="us-east-1")
    iam.create_user(UserName="ann")
    allowed = [
        "batch:*",
        "sts:*",
        "iam:*",
        "logs:*",
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:DeleteObject",
    ]
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}],
    }
    iam.put_user_policy(UserName="ann", PolicyName="some", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    tell(server, "reset-auth", b"0")
    report = doctor("prod")
    finding = worst(report, "store")
    assert finding.health is Health.BAD, report
    assert "s3:PutObject" in finding.said
    assert report.policy is not None
    (statement,) = report.policy["Statement"]
    assert set(statement["Action"]) <= {"s3:PutObject", "s3:GetObject"}
    assert statement["Resource"] == ["arn:aws:s3:::payloads/team/*"]


def test_without_credentials_only_that_is_told(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no credentials hears of nothing else, and how to get some."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    report = doctor("prod")
    assert report[-1].check == "identity"
    assert report[-1].health is Health.BAD
    assert "aws configure sso" in report[-1].cure


def test_an_unknown_profile_is_told(account: Path) -> None:
    """A profile that is not configured is named with the table to correct."""
    change(account, 'region = "us-east-1"', 'region = "us-east-1"\nprofile = "nobody"')
    finding = worst(doctor("prod"), "identity")
    assert finding.health is Health.BAD
    assert "nobody" in finding.said
    assert "[backends.prod]" in finding.cure


class Simulator(BaseHTTPRequestHandler):
    """Answers SimulatePrincipalPolicy as IAM does: s3:PutObject is denied, all else allowed."""

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        actions = [values[0] for key, values in asked.items() if key.startswith("ActionNames.")]
        members = "".join(
            f"<member><EvalActionName>{action}</EvalActionName>"
            f"<EvalDecision>{'implicitDeny' if action == 's3:PutObject' else 'allowed'}</EvalDecision></member>"
            for action in actions
        )
        body = (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult><EvaluationResults>{members}</EvaluationResults>"
            "<IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@contextmanager
def simulator() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Simulator)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_iam_denies_becomes_the_policy_that_is_missing(account: Path) -> None:
    """Where IAM simulates the person's policies, what it denies is told before anything is refused."""
    place = BackendConfig(name="prod", kind="aws", region="us-east-1", store="s3://payloads/team")
    with simulator() as url:

        def client(service: str) -> Any:
            where = {"endpoint_url": url} if service == "iam" else {}
            return boto3.client(service, region_name="us-east-1", **where)

        known = Account(place=place, client=client)
        known.__dict__["identity"] = {"Arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "Account": ACCOUNT}
        (finding,) = _permissions(known)
    assert finding.health is Health.BAD
    assert finding.said.endswith("lacks s3:PutObject")
    (statement,) = finding.needs
    assert statement.actions == ("s3:PutObject",)


def test_a_role_by_its_name_is_the_one_of_this_account(account: Path) -> None:
    """Settings may name a role without its ARN; it is found, and policies name its ARN."""
    change(account, "arn:aws:iam::123456789012:role/job", "job")
    assert worst(doctor("prod"), "job role").health is not Health.BAD
    place = BackendConfig(name="prod", kind="aws", region="us-east-1", job_role="job")
    known = Account(place=place, client=lambda service: boto3.client(service, region_name="us-east-1"))
    assert known.site.roles == (f"arn:aws:iam::{ACCOUNT}:role/job",)


def test_a_session_of_a_role_is_asked_as_its_role() -> None:
    """IAM simulates roles, not their sessions."""
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/analyst/ann"
    assert _principal(session) == f"arn:aws:iam::{ACCOUNT}:role/analyst"
    assert _principal(f"arn:aws:iam::{ACCOUNT}:user/ann") == f"arn:aws:iam::{ACCOUNT}:user/ann"


def test_policies_name_exactly_the_places_of_a_backend() -> None:
    """Statements are restricted to bucket prefix, queue, log group, roles and repository."""
    site = Site(
        account=ACCOUNT,
        region="eu-central-1",
        bucket="payloads",
        prefix="team",
        queue="analysis",
        roles=("arn:aws:iam::123456789012:role/job",),
        repository="arn:aws:ecr:eu-central-1:123456789012:repository/mine",
    )
    statements = {one.sid: one for one in user_statements(site)}
    assert statements["KeepPayloads"].resources == ("arn:aws:s3:::payloads/team/*",)
    assert f"arn:aws:batch:eu-central-1:{ACCOUNT}:job-queue/analysis" in statements["SubmitJobs"].resources
    assert statements["PassJobRoles"].resources == site.roles
    assert job_statements(site)[0].resources == ("arn:aws:s3:::payloads/team/*",)
    assert site.repository in execution_statements(site)[-1].resources
    assert not job_statements(Site(account=ACCOUNT, region="eu-central-1"))
    cut = only(user_statements(site), ["iam:PassRole"])
    assert [one["Action"] for one in policy(cut)["Statement"]] == [["iam:PassRole"]]
