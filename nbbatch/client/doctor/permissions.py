"""What nbbatch needs in an AWS account, as IAM policy statements: pure, no call is made here.

Three principals act: the person (submits, watches, collects), the job's own role (reads its bundle,
writes its results) and the execution role (pulls the image, writes the log). Each gets the smallest
policy for exactly the places of one backend. Which of them are missing, `nbbatch.client.doctor.account`
asks IAM. Actions and resource types: AWS's service authorization reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

DEFAULT_LOG_GROUP = "/aws/batch/job"
"""Where AWS Batch sends logs of definitions that name no group."""
_UNSCOPED = ("*",)
"""For actions that IAM cannot restrict to a resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The places of one backend in an account.

    Parameters
    ----------
    account, region, partition : str
        As in ARNs; the partition is `aws`, `aws-cn` or `aws-us-gov`.
    bucket, prefix : str
        Of the store; the prefix without slashes around it, empty for the whole bucket.
    queue : str
        Name of the job queue; empty: any.
    roles : tuple of str
        ARNs of the roles that jobs run and start with.
    log_group : str
        Where jobs' logs go.
    repository : str
        ARN of the ECR repository of the image; empty for an image from elsewhere.
    """

    account: str
    region: str
    partition: str = "aws"
    bucket: str = ""
    prefix: str = ""
    queue: str = ""
    roles: tuple[str, ...] = ()
    log_group: str = DEFAULT_LOG_GROUP
    repository: str = ""

    @property
    def objects(self) -> str:
        """ARN pattern of the store's objects."""
        inside = f"{self.prefix}/*" if self.prefix else "*"
        return f"arn:{self.partition}:s3:::{self.bucket}/{inside}"

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Actions allowed on resources."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, str | Sequence[str]]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As IAM writes it."""
        allowed: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        return allowed | ({"Condition": dict(self.condition)} if self.condition else {})


def user_statements(site: Site) -> tuple[Statement, ...]:
    """What the person needs who submits jobs from a notebook."""
    return (*_batch(site), *_store(site), *_logs(site), *_pass_role(site))


def job_statements(site: Site) -> tuple[Statement, ...]:
    """What a job's own role needs: its bundle, and the place of its results."""
    if not site.bucket:
        return ()
    return (
        Statement(
            sid="ReadBundlesWriteResults",
            actions=("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
            resources=(site.objects,),
        ),
    )


def execution_statements(site: Site) -> tuple[Statement, ...]:
    """What the execution role needs: the image and the log."""
    group = site.arn("logs", f"log-group:{site.log_group}:*")
    writing = Statement(
        sid="WriteLogs", actions=("logs:CreateLogStream", "logs:PutLogEvents"), resources=(group,)
    )
    return (writing, *_pull(site))


def _batch(site: Site) -> Iterator[Statement]:
    queue = site.arn("batch", f"job-queue/{site.queue or '*'}")
    definitions = site.arn("batch", "job-definition/nbbatch-*")
    yield Statement(
        sid="SubmitJobs",
        actions=("batch:SubmitJob", "batch:TagResource"),
        resources=(queue, definitions, f"{definitions}:*", site.arn("batch", "job/*")),
    )
    yield Statement(
        sid="RegisterDefinitions",
        actions=("batch:RegisterJobDefinition",),
        resources=(definitions,),
    )
    yield Statement(
        sid="StopJobs",
        actions=("batch:CancelJob", "batch:TerminateJob"),
        resources=(site.arn("batch", "job/*"),),
    )
    yield Statement(
        sid="LookAtBatch",
        actions=(
            "batch:DescribeComputeEnvironments",
            "batch:DescribeJobDefinitions",
            "batch:DescribeJobQueues",
            "batch:DescribeJobs",
            "batch:ListJobs",
        ),
        resources=_UNSCOPED,
    )


def _store(site: Site) -> Iterator[Statement]:
    if not site.bucket:
        return
    yield Statement(
        sid="KeepPayloads",
        actions=("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
        resources=(site.objects,),
    )
    inside = f"{site.prefix}/*" if site.prefix else "*"
    yield Statement(
        sid="ListPayloads",
        actions=("s3:ListBucket", "s3:GetBucketLocation"),
        resources=(f"arn:{site.partition}:s3:::{site.bucket}",),
        condition={"StringLike": {"s3:prefix": [inside]}} if site.prefix else {},
    )


def _logs(site: Site) -> Iterator[Statement]:
    group = site.arn("logs", f"log-group:{site.log_group}")
    yield Statement(
        sid="ReadLogs",
        actions=("logs:GetLogEvents", "logs:FilterLogEvents"),
        resources=(group, f"{group}:*"),
    )


def _pass_role(site: Site) -> Iterator[Statement]:
    if site.roles:
        yield Statement(
            sid="PassJobRoles",
            actions=("iam:PassRole",),
            resources=site.roles,
            condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        )


def _pull(site: Site) -> Iterator[Statement]:
    if site.repository:
        yield Statement(sid="EnterRegistry", actions=("ecr:GetAuthorizationToken",), resources=_UNSCOPED)
        yield Statement(
            sid="PullImage",
            actions=("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
            resources=(site.repository,),
        )


def only(statements: Iterable[Statement], denied: Iterable[str]) -> tuple[Statement, ...]:
    """The statements cut down to actions that are denied: exactly what is missing."""
    missing = frozenset(denied)
    cut = (
        replace(one, actions=tuple(action for action in one.actions if action in missing))
        for one in statements
    )
    return tuple(one for one in cut if one.actions)


def policy(statements: Iterable[Statement]) -> dict[str, Any]:
    """An IAM policy document."""
    return {"Version": "2012-10-17", "Statement": [one.document() for one in statements]}
