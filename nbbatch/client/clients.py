"""Making boto3 clients of a local daemon, which takes boto3 most of its time only once.

A session reads botocore's models and settings for its first client; that is nine tenths of a client,
so all share one session, and the first is made while the daemon comes up.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any

from nbbatch.client.daemon_process import Endpoint
from nbbatch.version import __version__

TIMEOUT = 60
_NOTHING_OF_THE_USERS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Profiles and files are for AWS; a missing or broken one must not keep anybody from this machine."""
_NOWHERE = Endpoint(
    version=__version__,
    url="http://127.0.0.1:9",
    pid=0,
    region="us-east-1",
    account="",
    access_key_id="nobody",
    secret_access_key="nothing",  # noqa: S106 - opens nothing
    executor="",
    started_at=0,
)
"""For a client that nothing is asked of."""
_one_at_a_time = threading.Lock()
"""Any thread may use a client, but a session makes one at a time."""


def warm_up() -> None:
    """Do once what every first client waits for: importing boto3, reading its models."""
    new_client("batch", _NOWHERE)


def new_client(service: str, endpoint: Endpoint) -> Any:
    """A boto3 client of a service of the daemon at this endpoint."""
    from botocore.config import Config  # noqa: PLC0415 - boto3 is slow to import

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=TIMEOUT,
        read_timeout=TIMEOUT,
        max_pool_connections=32,
        proxies={},
        parameter_validation=True,
    )
    with _one_at_a_time:
        return _session().client(
            service,
            endpoint_url=endpoint.url,
            region_name=endpoint.region,
            aws_access_key_id=endpoint.access_key_id,
            aws_secret_access_key=endpoint.secret_access_key,
            config=config,
        )


@cache
def _session() -> Any:
    import boto3  # noqa: PLC0415 - boto3 is slow to import
    from botocore.session import Session  # noqa: PLC0415

    return boto3.session.Session(botocore_session=Session(session_vars=_NOTHING_OF_THE_USERS))


def _forget() -> None:
    """In a forked process no thread is left to free the lock, or to end what it had begun."""
    global _one_at_a_time  # noqa: PLW0603 - the only other way is a lock inside an object that is there once
    _one_at_a_time = threading.Lock()
    _session.cache_clear()


os.register_at_fork(after_in_child=_forget)
