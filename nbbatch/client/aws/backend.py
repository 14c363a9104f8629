"""The AWS backend: an account's AWS Batch, CloudWatch Logs and S3, by boto3 and the user's own profile.

Calls are repeated while AWS throttles or does not answer, except those that would count twice. The
daemon's private routes have second answers in `aws_answers.py` as far as AWS knows them; the others
are refused, with the reason and what AWS has instead. docs/aws.md is the users' page.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from nbbatch.client.aws import answers as aws_answers
from nbbatch.client.aws.clients import AwsClients
from nbbatch.client.aws.definitions import definition_request, suited
from nbbatch.client.aws.s3_store import S3Store
from nbbatch.client.backend import NEVER_REPEATED, THROTTLED, Machine, Standing, is_hurried, translated
from nbbatch.client.config import BackendConfig
from nbbatch.client.options import Options
from nbbatch.errors import ConfigurationError, NotOnAwsError

ATTEMPTS = 8
"""How often a call is sent."""
_SHORTLY = 3
"""Seconds to wait for an answer that can be done without."""
_HURRIED_ATTEMPTS, _HURRIED_SECONDS = 3, 8
"""How often a call is sent, and how long it may take, where somebody looks who asks again: see `hurried`."""
_LONGEST_PAUSE = 20.0
_TOO_MANY, _SERVERS_FAULT = 429, 500


class AwsBackend:
    """Jobs in an AWS account; see `Backend` for what is common to all.

    Parameters
    ----------
    settings : BackendConfig
        Of the configuration.

    Raises
    ------
    ConfigurationError
        When its profile is not there or no region is known.
    """

    kind = "aws"
    tells_changes = False
    is_sampled = True
    home: Path | None = None

    def __init__(self, settings: BackendConfig) -> None:
        self.settings = settings
        self.name = settings.name
        self._clients = AwsClients(settings)
        self._made: dict[tuple[str, bool], Any] = {}
        self.region: str = self._session.region_name or ""
        if not self.region:
            raise ConfigurationError(
                f"Backend {self.name!r} has no region.",
                cure='Write region = "eu-central-1" (or yours) in its settings.',
            )

    @property
    def identity(self) -> str:
        """What decides where it is."""
        parts = (self.region, self.settings.profile, self.settings.endpoint_url)
        return " ".join(part for part in parts if part)

    @property
    def batch(self) -> Any:
        """A boto3 client of AWS Batch."""
        return self.client("batch")

    @property
    def logs(self) -> Any:
        """A boto3 client of CloudWatch Logs."""
        return self.client("logs")

    @cached_property
    def store(self) -> S3Store:
        """The bucket and prefix of the settings.

        Raises
        ------
        ConfigurationError
            When there are none.
        """
        if not self.settings.store:
            raise ConfigurationError(
                f"Backend {self.name!r} has no store, so code and values cannot travel.",
                cure='Write store = "s3://bucket/prefix" in its settings.',
            )
        return S3Store(self.settings.store, self._new_s3)

    @cached_property
    def account(self) -> str:
        """The account's number, asked of STS when it is first needed."""
        with self.errors():
            return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def partition(self) -> str:
        """The first word of its ARNs: `aws`, `aws-cn`, `aws-us-gov`."""
        return str(self._session.get_partition_for_region(self.region))

    def standing(self) -> Standing:
        """AWS is there."""
        return Standing.READY

    def renew(self, *, start: bool) -> None:
        """AWS is there."""

    def private(self, route: str, body: Mapping[str, Any]) -> Any:
        """Answer as far as AWS knows; see `Backend`."""
        answer = _ANSWERS.get(route)
        if answer is None:
            why, cure = _REFUSED.get(route, (f"{route!r} is a question for the local daemon", ""))
            raise NotOnAwsError(f"Backend {self.name!r} is on AWS: {why}.", cure=cure)
        return answer(self, body)

    def sign(self, route: str, body: Mapping[str, Any]) -> Any:
        """There are no such routes."""
        return self.private(route, body)

    def machine(self) -> Machine | None:
        """The hosts are AWS's."""
        return None

    def sees_this_python(self, options: Options) -> bool:  # noqa: ARG002 - the Protocol's
        """Never: jobs see their image."""
        return False

    def suited(self, options: Options) -> Options:
        """With a queue, an image, and one of Fargate's sizes; see `Backend`."""
        return suited(self, self.settings, options)

    def definition_request(self, options: Options, *, has_bundle: bool) -> dict[str, Any]:  # noqa: ARG002 - the Protocol's
        """Image, roles and log group of the settings, for the kind of hosts that the queue has."""
        return definition_request(self, self.settings, options)

    def role_arn(self, role: str) -> str:
        """ARN of a role of this account that is given by its name; an ARN stays as it is."""
        if role.startswith("arn:"):
            return role
        return f"arn:{self.partition}:iam::{self.account}:role/{role}"

    def errors(self) -> AbstractContextManager[None]:
        """Turn boto3's errors into nbbatch's."""
        return translated()

    def client(self, service: str) -> Any:
        """A boto3 client; repeats what may be repeated, and where that is `hurried` gives up soon."""
        which = service, is_hurried()
        if which not in self._made:
            self._made[which] = self._repeating(*which)
        return self._made[which]

    def _repeating(self, service: str, is_hurried: bool) -> Any:  # noqa: FBT001 - its key among those made
        once = {"mode": "standard", "total_max_attempts": 1}
        seconds = {"connect_timeout": _HURRIED_SECONDS, "read_timeout": _HURRIED_SECONDS}
        made = self._client(service, retries=once, **(seconds if is_hurried else {}))
        service_id = made.meta.service_model.service_id.hyphenize()
        made.meta.events.register_first(
            f"needs-retry.{service_id}", _repeat_hurried if is_hurried else _repeat
        )
        return made

    def asking_client(self, service: str) -> Any:
        """A boto3 client for what is good to know and can be done without: asked once, and not for long."""
        once = {"mode": "standard", "total_max_attempts": 1}
        return self._client(service, retries=once, connect_timeout=_SHORTLY, read_timeout=_SHORTLY)

    def _new_s3(self) -> Any:
        """What is asked of S3 may always be repeated: boto3 does it."""
        return self._client("s3", retries={"mode": "standard", "total_max_attempts": ATTEMPTS})

    def _client(self, service: str, **config: Any) -> Any:
        with self.errors():
            return self._clients.client(service, **config)

    @property
    def _session(self) -> Any:
        with self.errors():
            return self._clients.session


def _repeat(
    response: tuple[Any, Mapping[str, Any]] | None,
    caught_exception: Exception | None,
    operation: Any,
    attempts: int,
    **_context: Any,
) -> float | None:
    """Seconds until a call is repeated; None when it is not."""
    if attempts >= ATTEMPTS:
        return None
    may_count = operation.name not in NEVER_REPEATED
    if _was_refused(response, caught_exception) or (may_count and _was_lost(response, caught_exception)):
        return min(_LONGEST_PAUSE, 0.2 * 2.0**attempts) * random.uniform(0.5, 1)  # noqa: S311 - spreads clients
    return None


def _repeat_hurried(
    response: tuple[Any, Mapping[str, Any]] | None, caught_exception: Exception | None, **asked: Any
) -> float | None:
    """The same for who is told soon: who has not answered in time is not waited for once more."""
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError  # noqa: PLC0415 - as below

    is_late = isinstance(caught_exception, ConnectTimeoutError | ReadTimeoutError)
    if is_late or asked["attempts"] >= _HURRIED_ATTEMPTS:
        return None
    return _repeat(response, caught_exception, **asked)


def _was_refused(response: tuple[Any, Mapping[str, Any]] | None, error: Exception | None) -> bool:
    """Whether AWS surely did nothing: it throttled, or was not reached."""
    from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError  # noqa: PLC0415

    if response is None:
        return isinstance(error, EndpointConnectionError | ConnectTimeoutError)
    http, parsed = response
    return http.status_code == _TOO_MANY or parsed.get("Error", {}).get("Code") in THROTTLED


def _was_lost(response: tuple[Any, Mapping[str, Any]] | None, error: Exception | None) -> bool:
    """Whether it is not known what AWS did: its answer did not come, or was its own fault."""
    from botocore.exceptions import ConnectionError as Unreachable  # noqa: PLC0415 - boto3 is slow to import
    from botocore.exceptions import HTTPClientError  # noqa: PLC0415

    if response is None:
        return isinstance(error, Unreachable | HTTPClientError)
    return bool(response[0].status_code >= _SERVERS_FAULT)


_ANSWERS: Mapping[str, Callable[[AwsBackend, Mapping[str, Any]], Any]] = {
    "why": lambda backend, body: aws_answers.why(backend, body["jobId"]),
    "accounts": lambda backend, body: aws_answers.accounts(backend, body["jobIds"]),
    "children": lambda backend, body: aws_answers.children(backend, body["jobId"]),
    "listing": aws_answers.listing,
}
"""Private routes of the daemon that have an answer here, in the daemon's shape."""
_RULES = ("EventBridge has rules of its own", "Make the rule there, for source aws.batch.")
_BUDGET = ("AWS Budgets watches what an account spends", "Set a budget there, or give jobs a timeout.")
_REFUSED: Mapping[str, tuple[str, str]] = {
    "events": (
        "AWS Batch hands its events to EventBridge, which keeps none",
        "Follow a job by its handle, or send events to a log group by a rule of EventBridge.",
    ),
    "costs": (
        "what an account costs is known to Cost Explorer",
        "Look there, by tag; a job's own cost() is estimated from its hosts' prices.",
    ),
    "fleet": ("its hosts are ECS's and EC2's", "Look there; queues() tells its environments."),
    "names": (
        "what an account costs is known to Cost Explorer",
        "Look there, by tag; a job's own cost() is estimated from its hosts' prices.",
    ),
    "metrics": ("CloudWatch has numbers over time", "Look there; queues() and figures of a job work here."),
    "interrupt": ("EC2 takes Spot hosts back", "AWS Fault Injection Service rehearses that."),
    "add-rule": _RULES,
    "remove-rule": _RULES,
    "rules": _RULES,
    "budget": _BUDGET,
    "set-budget": _BUDGET,
}
"""Why the other routes have none, and what to do."""
