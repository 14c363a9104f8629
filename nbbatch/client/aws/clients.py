"""boto3 clients of an account, as a backend's settings name it: profile, region, endpoint.

The one place where they are made, for the backend, the doctor, the registry and the prices. Errors are boto3's own: whoever
asks knows what they mean to him.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

from nbbatch.client.config import BackendConfig
from nbbatch.version import __version__

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_CONNECTIONS = 32


class AwsClients:
    """Clients of one account.

    Parameters
    ----------
    settings : BackendConfig
        Of an AWS backend.
    """

    def __init__(self, settings: BackendConfig) -> None:
        self._settings = settings
        self._lock = threading.Lock()  # a session makes one at a time

    @cached_property
    def session(self) -> Any:
        """The session of all its clients."""
        import boto3  # noqa: PLC0415 - boto3 is slow to import

        return boto3.session.Session(profile_name=self._settings.profile, region_name=self._settings.region)

    def client(self, service: str, *, region: str | None = None, **config: Any) -> Any:
        """A client of a service; `config` are members of botocore's Config."""
        from botocore.config import Config  # noqa: PLC0415 - boto3 is slow to import

        settings = Config(
            **{"connect_timeout": _CONNECT_SECONDS, "read_timeout": _READ_SECONDS, **config},
            max_pool_connections=_CONNECTIONS,
            user_agent_extra=f"nbbatch/{__version__}",
        )
        with self._lock:
            return self.session.client(
                service, region_name=region, endpoint_url=self._settings.endpoint_url, config=settings
            )
