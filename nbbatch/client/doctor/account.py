"""The doctor's checks of an AWS account: identity, clock, region, queue, store, roles, log group, image.

Each question is asked of the service itself with the person's own credentials. What they may not do is
a finding with the IAM statements that are missing: for the person by the very call that was refused,
or by SimulatePrincipalPolicy, for the roles by the same where the person may ask it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from nbbatch.client.aws.clients import AwsClients
from nbbatch.client.config import BackendConfig
from nbbatch.client.doctor.checkup import Check, Finding, bad, good, note
from nbbatch.client.doctor.permissions import (
    DEFAULT_LOG_GROUP,
    Site,
    Statement,
    execution_statements,
    job_statements,
    only,
    user_statements,
)

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
_SKEWED = frozenset({"RequestTimeTooSkewed", "SignatureDoesNotMatch", "RequestExpired"})
_SECONDS = 10
"""A doctor tells that nothing answers; it does not wait for it."""
_TASKS = "ecs-tasks.amazonaws.com"
_ECR_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)[:@]?(.*)")


@dataclass(frozen=True)
class Account:
    """One backend's account, as the person's credentials see it.

    Parameters
    ----------
    place : BackendConfig
        The backend's settings.
    client : callable
        Service name -> boto3 client.
    """

    place: BackendConfig
    client: Callable[[str], Any]

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """GetCallerIdentity's answer."""
        answer: Mapping[str, str] = self.client("sts").get_caller_identity()
        return answer

    @cached_property
    def site(self) -> Site:
        """The places of the backend, as ARNs need them."""
        store = urlsplit(self.place.store or "")
        partition, account = self.identity["Arn"].split(":")[1], self.identity["Account"]
        region = self.client("batch").meta.region_name
        image = _ECR_IMAGE.fullmatch(self.place.image or "")
        repository = f"arn:{partition}:ecr:{image[2]}:{image[1]}:repository/{image[3]}" if image else ""
        roles = (self.place.job_role, self.place.execution_role)
        return Site(
            account=account,
            region=region,
            partition=partition,
            bucket=store.netloc,
            prefix=store.path.strip("/"),
            queue=self.place.queue or "",
            roles=tuple(dict.fromkeys(self.role_arn(role) for role in roles if role)),
            log_group=self.place.log_group or DEFAULT_LOG_GROUP,
            repository=repository,
        )

    def role_arn(self, role: str) -> str:
        """ARN of a role that the settings may give by its name, as the backend takes it."""
        if role.startswith("arn:"):
            return role
        return f"arn:{self.identity['Arn'].split(':')[1]}:iam::{self.identity['Account']}:role/{role}"

    def missing(self, *actions: str) -> tuple[Statement, ...]:
        """The person's statements for these actions."""
        return only(user_statements(self.site), actions)


def checks_of_account(place: BackendConfig) -> list[tuple[str, Check]]:
    """What an AWS backend needs, in this order; only the first checks where nobody is known."""
    account = Account(place=place, client=_clients(place))
    identity = list(_identity(account))
    if any(finding.health == "bad" for finding in identity):
        return [("identity", lambda: identity)]
    return [
        ("identity", lambda: identity),
        ("queue", partial(_queue, account)),
        ("store", partial(_store, account)),
        ("job role", partial(_role, account, "job role", place.job_role, job_statements(account.site))),
        (
            "execution role",
            partial(
                _role, account, "execution role", place.execution_role, execution_statements(account.site)
            ),
        ),
        ("log group", partial(_log_group, account)),
        ("image", partial(_image, account)),
        ("permissions", partial(_permissions, account)),
    ]


def _clients(place: BackendConfig) -> Callable[[str], Any]:
    patience: dict[str, Any] = {
        "connect_timeout": _SECONDS,
        "read_timeout": _SECONDS,
        "retries": {"mode": "standard", "total_max_attempts": 2},
    }
    return cache(partial(AwsClients(place).client, **patience))


def _identity(account: Account) -> Iterator[Finding]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - boto3 is slow to import

    try:
        arn, region = account.identity["Arn"], account.client("batch").meta.region_name
    except ClientError as error:
        code, text = _code(error), error.response["Error"].get("Message", "")
        cure = (
            "Set this machine's clock."
            if code in _SKEWED
            else "Renew the credentials, such as aws sso login."
        )
        yield bad("identity", f"AWS refuses the credentials: {code}: {text}", cure)
    except BotoCoreError as error:
        yield bad("identity", str(error), _identity_cure(account.place, error))
    else:
        yield good("identity", f"{arn} in {region}")


def _identity_cure(place: BackendConfig, error: Exception) -> str:
    table = f"[backends.{place.name}]"
    match type(error).__name__:
        case "ProfileNotFound":
            return f"Correct `profile` in {table}; `aws configure list-profiles` lists them."
        case "NoRegionError":
            return f"Set `region` in {table}."
        case "NoCredentialsError" | "PartialCredentialsError":
            return f"Name a profile with credentials in {table}, or `aws configure sso`."
        case "EndpointConnectionError" | "ConnectTimeoutError":
            return "Check the network and the proxy, and `region`."
        case _:
            return f"Check {table} and the profile that it names."


def _queue(account: Account) -> Iterator[Finding]:
    batch = account.client("batch")
    wanted = account.place.queue
    with _Refusals() as refusals:
        named = {"jobQueues": [wanted]} if wanted else {}
        queues = batch.describe_job_queues(**named)["jobQueues"]
    if refusals.code:
        yield bad(
            "queue",
            f"DescribeJobQueues is refused: {refusals.text}",
            "Allow it.",
            account.missing("batch:DescribeJobQueues"),
        )
        return
    table = f"[backends.{account.place.name}]"
    if wanted and not queues:
        there = [one["jobQueueName"] for one in batch.describe_job_queues()["jobQueues"]]
        yield bad("queue", f"there is no job queue {wanted}", f"There are: {', '.join(there) or 'none'}.")
    elif not wanted:
        names = ", ".join(one["jobQueueName"] for one in queues)
        yield note("queue", "none is set", f"Set `queue` in {table}. There are: {names or 'none'}.")
    else:
        yield from _one_queue(batch, queues[0])


def _one_queue(batch: Any, queue: Mapping[str, Any]) -> Iterator[Finding]:
    name, state, status = queue["jobQueueName"], queue["state"], queue.get("status", "VALID")
    if (state, status) != ("ENABLED", "VALID"):
        reason = queue.get("statusReason", "")
        yield bad("queue", f"{name} is {state} and {status}. {reason}".strip(), "Enable or repair it.")
        return
    names = [one["computeEnvironment"] for one in queue["computeEnvironmentOrder"]]
    known = batch.describe_compute_environments(computeEnvironments=names)["computeEnvironments"]
    ill = [one for one in known if (one["state"], one.get("status", "VALID")) != ("ENABLED", "VALID")]
    for one in ill:
        said = f"{one['computeEnvironmentName']} is {one['state']} and {one.get('status', '')}"
        yield note("queue", f"{said}. {one.get('statusReason', '')}".strip(), "Jobs wait for the other ones.")
    if len(ill) == len(known):
        yield bad("queue", f"{name} has no compute environment that takes jobs", "Enable one of them.")
    else:
        yield good("queue", f"{name} is ENABLED and VALID, over {len(known) - len(ill)} environments")


def _store(account: Account) -> Iterator[Finding]:
    site, table = account.site, f"[backends.{account.place.name}]"
    if not site.bucket:
        yield bad("store", "none is set", f'Set `store = "s3://bucket/prefix"` in {table}.')
        return
    s3 = account.client("s3")
    with _Refusals() as refusals:
        region = s3.get_bucket_location(Bucket=site.bucket).get("LocationConstraint") or "us-east-1"
        if region != site.region:
            yield note("store", f"{site.bucket} is in {region}, jobs run in {site.region}", "Traffic costs.")
    if refusals.code in ("NoSuchBucket", "404"):
        yield bad("store", f"there is no bucket {site.bucket}", f"aws s3 mb s3://{site.bucket}")
        return
    yield from _write_and_read(account, s3)
    yield from _lifecycle(site, s3)


def _write_and_read(account: Account, s3: Any) -> Iterator[Finding]:
    """One small object is put, read and removed: what a job's payload needs."""
    site = account.site
    key = "/".join(part for part in (site.prefix, f"doctor-{uuid4().hex}") if part)
    steps: Sequence[tuple[str, Callable[[], Any]]] = (
        ("s3:PutObject", lambda: s3.put_object(Bucket=site.bucket, Key=key, Body=b"nbbatch")),
        ("s3:GetObject", lambda: s3.get_object(Bucket=site.bucket, Key=key)),
        (
            "s3:ListBucket",
            lambda: s3.list_objects_v2(Bucket=site.bucket, Prefix=f"{site.prefix}/", MaxKeys=1),
        ),
        ("s3:DeleteObject", lambda: s3.delete_object(Bucket=site.bucket, Key=key)),
    )
    refused = []
    for action, step in steps:
        with _Refusals() as refusals:
            step()
        if refusals.is_denied:
            refused.append(action)
        elif refusals.code and not refused:
            yield bad("store", f"{site.bucket} fails: {refusals.text}", "Check the bucket and its region.")
            return
    if refused:
        words = ", ".join(refused)
        yield bad("store", f"{words} refused in {site.objects}", "Allow it.", account.missing(*refused))
    else:
        yield good("store", f"s3://{site.bucket}/{site.prefix} can be written, read and listed")


def _lifecycle(site: Site, s3: Any) -> Iterator[Finding]:
    with _Refusals() as refusals:
        s3.get_bucket_lifecycle_configuration(Bucket=site.bucket)
    if refusals.code == "NoSuchLifecycleConfiguration":
        yield note(
            "store",
            f"{site.bucket} has no lifecycle rule: payloads stay for ever",
            f"Let objects under {site.prefix or 'it'} expire after some weeks.",
        )


def _role(account: Account, check: str, role: str | None, needed: Iterable[Statement]) -> Iterator[Finding]:
    if role is None:
        said = "none is set; " + (
            "jobs cannot read their payload" if check == "job role" else "Fargate cannot pull images or log"
        )
        tell = bad if check == "job role" else note
        yield tell(check, said, f"Set `{check.replace(' ', '_')}` in [backends.{account.place.name}].")
        return
    with _Refusals() as refusals:
        known = account.client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]
    if refusals.code == "NoSuchEntity":
        yield bad(check, f"there is no role {role}", f"Create it: {_TASKS} must be trusted to assume it.")
    elif refusals.code:
        yield note(check, f"{role} cannot be looked at: {refusals.text}", "Ask who may read IAM.")
    elif _TASKS not in json.dumps(_document(known["AssumeRolePolicyDocument"])):
        yield bad(check, f"{role} does not trust {_TASKS}", "Add it to the role's trust policy.")
    else:
        yield from _powers(account, check, account.role_arn(role), tuple(needed))


def _document(policy: Any) -> Any:
    """A policy document: boto3 decodes it, some servers leave it as text."""
    return json.loads(unquote(policy)) if isinstance(policy, str) else policy


def _powers(account: Account, check: str, role: str, needed: Sequence[Statement]) -> Iterator[Finding]:
    denied = _simulated(account, role, needed)
    if denied is None:
        yield note(check, f"{role} is there and trusted; what it may do cannot be asked")
    elif denied:
        words = ", ".join(sorted(denied))
        yield bad(check, f"{role} lacks {words}", f"Its policy must have: {_short(only(needed, denied))}")
    else:
        yield good(check, f"{role} is trusted and may do what it must")


def _short(statements: Iterable[Statement]) -> str:
    return json.dumps([one.document() for one in statements])


def _simulated(account: Account, principal: str, needed: Sequence[Statement]) -> set[str] | None:
    """Actions that IAM says the principal may not do; None where it does not say."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - boto3 is slow to import
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    denied: set[str] = set()
    iam = account.client("iam")
    try:
        for one in needed:
            pages = iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=principal,
                ActionNames=list(one.actions),
                ResourceArns=[arn.replace("*", "x") if arn != "*" else arn for arn in one.resources],
                ContextEntries=_context(one),
            )
            results = [result for page in pages for result in page["EvaluationResults"]]
            denied |= {result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"}
    except (BotoCoreError, ClientError, ResponseParserError):
        return None
    return denied


def _context(statement: Statement) -> list[dict[str, Any]]:
    """The condition's own values as the request's: what is asked is whether the statement is there."""
    return [
        {
            "ContextKeyName": key,
            "ContextKeyValues": [value] if isinstance(value, str) else list(value),
            "ContextKeyType": "string",
        }
        for keys in statement.condition.values()
        for key, value in keys.items()
    ]


def _log_group(account: Account) -> Iterator[Finding]:
    name = account.site.log_group
    with _Refusals() as refusals:
        reply = account.client("logs").describe_log_groups(logGroupNamePrefix=name)
        names = [group["logGroupName"] for group in reply["logGroups"]]
    if refusals.code:
        yield note("log group", f"DescribeLogGroups is refused: {refusals.text}", "Only the doctor needs it.")
    elif name in names:
        yield good("log group", name)
    elif name == DEFAULT_LOG_GROUP:
        yield good("log group", f"{name} comes with the first job")
    else:
        yield bad(
            "log group", f"there is no log group {name}", f"aws logs create-log-group --log-group-name {name}"
        )


def _image(account: Account) -> Iterator[Finding]:
    image = account.place.image
    if image is None:
        yield note(
            "image",
            "none is set",
            f"Every job must name one; set `image` in [backends.{account.place.name}].",
        )
        return
    found = _ECR_IMAGE.fullmatch(image)
    if found is None:
        yield good("image", f"{image} is not in ECR: the hosts pull it, if they reach it")
        return
    registry, _, repository, tag = found.groups()
    key = "imageDigest" if tag.startswith("sha256:") else "imageTag"
    with _Refusals() as refusals:
        account.client("ecr").describe_images(
            registryId=registry, repositoryName=repository, imageIds=[{key: tag or "latest"}]
        )
    if refusals.code in ("ImageNotFoundException", "RepositoryNotFoundException"):
        yield bad("image", f"{image} is not there", "Push it: nbbatch image build, or docker push.")
    elif refusals.code:
        yield note("image", f"DescribeImages is refused: {refusals.text}", "Only the doctor needs it.")
    else:
        yield good("image", f"{image} is in ECR")


def _permissions(account: Account) -> Iterator[Finding]:
    """What the person may do, by IAM's own simulation; a role's session is asked as its role."""
    needed = user_statements(account.site)
    principal = _principal(account.identity["Arn"])
    if principal.endswith(":root"):
        yield good("permissions", "the account's root may do everything; better use a role")
        return
    denied = _simulated(account, principal, needed)
    if denied is None:
        yield note(
            "permissions",
            f"IAM does not tell what {principal} may do",
            "Refused calls are told when they happen; docs/aws.md has the whole policy.",
        )
    elif denied:
        yield bad(
            "permissions",
            f"{principal} lacks {', '.join(sorted(denied))}",
            "Attach the policy below.",
            only(needed, denied),
        )
    else:
        yield good("permissions", f"{principal} may do what it must")


def _principal(arn: str) -> str:
    """The IAM identity behind a caller: a session of a role is that role's."""
    session = re.fullmatch(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else arn


class _Refusals:
    """Keeps what a service answered in place of a result; `code` is empty when the call went well."""

    def __init__(self) -> None:
        self.code = ""
        self.text = ""

    @property
    def is_denied(self) -> bool:
        """Whether the person may not do it; anything else that failed is another matter."""
        return self.code in _DENIED

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - boto3 is slow to import

        if not isinstance(error, ClientError):
            return False
        self.code = _code(error)
        self.text = f"{self.code}: {error.response['Error'].get('Message', '')}"
        return True


def _code(error: Any) -> str:
    return str(error.response["Error"]["Code"])
