"""A backend: where jobs run, as boto3 clients and a store for payloads.

The local backend starts its daemon when it is needed and follows it: a daemon that was killed is
started again by the next call, one that came back at another port is found again, and a call that
surely was not accepted is repeated. A daemon that the user stopped stays stopped until the user
does something that needs it (`get_backend`).
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from nbbatch.client.clients import TIMEOUT, new_client, warm_up
from nbbatch.client.config import BackendConfig, home, load_config
from nbbatch.client.daemon_process import (
    LOG,
    Endpoint,
    Starting,
    check_version,
    find_daemon,
    is_older,
    stop_by_signal,
    wait_for_daemon,
    was_stopped,
)
from nbbatch.client.store import FolderStore, Store
from nbbatch.errors import (
    AccessDeniedError,
    BackendError,
    BackendUnreachableError,
    ClientException,
    ConfigurationError,
    DaemonVersionError,
    NbbatchError,
    ServerException,
)
from nbbatch.version import __version__

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSRequest

PRIVATE = "/nbbatch/v1/"
ATTEMPTS = 5
"""How often a call is sent to a daemon that goes and comes back."""
_PAUSE = 0.02
"""Seconds by which the pause before a call is repeated grows."""
_AT_ONCE: list[Any] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
"""As boto3's own clients do: otherwise the body waits 40 ms for the headers' acknowledgement."""
_NEVER_REPEATED = frozenset(
    {"SubmitJob", "RegisterJobDefinition", "CreateComputeEnvironment", "CreateJobQueue"}
)
"""Operations that would count twice if their answer, not their request, was lost."""


class Address:
    """Where the daemon of a home listens; any thread may ask or renew."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self._lock = threading.Lock()
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """The last one known."""
        return self._endpoint or self.renew(start=True)

    def renew(self, *, start: bool) -> Endpoint:
        """Find the daemon again, started anew if it died; if it was stopped, only with `start`.

        Raises
        ------
        BackendUnreachableError
            When there is none and it may not or cannot be started.
        DaemonVersionError
            When it is of another version and busy.
        """
        with self._lock:
            found = find_daemon(self.home)
            if found is None:
                found = self._start(start=start)
            elif found.version != __version__ and start:
                found = self._replace(found)
            self._endpoint = found
            return found

    def _start(self, *, start: bool) -> Endpoint:
        found = wait_for_daemon(self.home)
        if found is not None:
            return found
        if not start and was_stopped(self.home):
            raise BackendUnreachableError(
                "The local daemon was stopped.", cure="`nbbatch local start` goes on; no job is lost."
            )
        starting = Starting(self.home)
        warm_up()
        starting.wait()
        found = wait_for_daemon(self.home)
        if found is None:
            raise BackendUnreachableError(
                f"The daemon of {self.home} came up and went again.", cure=f"Its log is {self.home / LOG}."
            )
        return found

    def _replace(self, found: Endpoint) -> Endpoint:
        """An older daemon gives way to this version: its jobs go on and are taken over."""
        if not is_older(found):
            check_version(found)
        stop_by_signal(self.home)
        return self._start(start=True)


@dataclass(frozen=True, eq=False)
class Backend:
    """Where jobs run.

    Parameters
    ----------
    name : str
        As in the configuration.
    kind : str
        `local` or `aws`.
    region : str
        Of the ARNs and signatures.
    store : Store
        Where payloads live.
    home : Path or None
        The local daemon's folder.
    """

    name: str
    kind: str
    region: str
    store: Store
    home: Path | None
    address: Address = field(repr=False)

    @cached_property
    def batch(self) -> Any:
        """A boto3 client of AWS Batch."""
        return self._client("batch")

    @cached_property
    def logs(self) -> Any:
        """A boto3 client of CloudWatch Logs."""
        return self._client("logs")

    def private(self, route: str, body: Mapping[str, Any]) -> Any:
        """Ask one of the daemon's own routes.

        Raises
        ------
        BackendUnreachableError
            When nothing answers.
        NbbatchError
            When the daemon refuses.
        """
        from botocore.exceptions import ConnectionError as Unreachable  # noqa: PLC0415 - boto3 is slow to import
        from botocore.exceptions import HTTPClientError  # noqa: PLC0415

        for attempt in range(ATTEMPTS):
            try:
                reply = self._session.send(self.sign(route, body))
                break
            except (Unreachable, HTTPClientError) as error:
                if attempt == ATTEMPTS - 1:
                    raise translate(error) from error
                self.address.renew(start=False)
                time.sleep(_PAUSE * (attempt + 1))
        answer = json.loads(reply.content)
        if reply.status_code != 200:  # noqa: PLR2004 - HTTP's OK
            raise _of_code(reply.headers.get("x-amzn-ErrorType", ""), str(answer.get("message", answer)))
        return answer

    def sign(self, route: str, body: Mapping[str, Any]) -> AWSPreparedRequest:
        """A signed request to one of the daemon's own routes."""
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - boto3 is slow to import
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials  # noqa: PLC0415

        endpoint = self.address.endpoint
        headers = {"Content-Type": "application/json"}
        url = f"{endpoint.url}{PRIVATE}{route}"
        request = AWSRequest("POST", url, data=json.dumps(body).encode(), headers=headers)
        key = Credentials(endpoint.access_key_id, endpoint.secret_access_key)
        SigV4Auth(key, "batch", endpoint.region).add_auth(request)
        return request.prepare()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn boto3's errors into nbbatch's."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - boto3 is slow to import

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise translate(error) from error

    @cached_property
    def _session(self) -> Any:
        from botocore.httpsession import URLLib3Session  # noqa: PLC0415 - boto3 is slow to import

        return URLLib3Session(proxies={}, timeout=TIMEOUT, socket_options=_AT_ONCE)

    def _client(self, service: str) -> Any:
        client = new_client(service, self.address.endpoint)
        service_id = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register_first(f"request-created.{service_id}", self._redirect)
        client.meta.events.register_first(f"needs-retry.{service_id}", self._repeat)
        return client

    def _redirect(self, request: AWSRequest, **_context: Any) -> None:
        """Send to where the daemon is now; before the request is signed."""
        host = urlsplit(self.address.endpoint.url).netloc
        request.url = urlunsplit(urlsplit(str(request.url))._replace(netloc=host))

    def _repeat(
        self, caught_exception: Exception | None, operation: Any, attempts: int, **_context: Any
    ) -> float | None:
        """Seconds until a call is repeated; None when it is not."""
        from botocore.exceptions import ConnectionError as Unreachable  # noqa: PLC0415 - boto3 is slow to import
        from botocore.exceptions import HTTPClientError  # noqa: PLC0415

        if not isinstance(caught_exception, Unreachable | HTTPClientError) or attempts >= ATTEMPTS:
            return None
        was_refused = isinstance(caught_exception, Unreachable)
        if not was_refused and operation.name in _NEVER_REPEATED:
            return None
        self.address.renew(start=False)
        return _PAUSE * attempts


_backends: dict[tuple[str, str], Backend] = {}
_lock = threading.Lock()


def get_backend(name: str | None = None, *, start: bool = True) -> Backend:
    """A backend by its name in the configuration; one object per process.

    Parameters
    ----------
    name : str, optional
        The configured default without one.
    start : bool
        Whether a daemon that the user stopped is started again.

    Raises
    ------
    UnknownNameError
        When the configuration has none of that name.
    BackendUnreachableError
        When its daemon does not come up.
    """
    settings = load_config().find_backend(name)
    folder = Path(settings.home).expanduser().resolve() if settings.home else home()
    with _lock:
        backend = _backends.get((settings.name, str(folder)))
        if backend is None:
            backend = _backends[settings.name, str(folder)] = _make(settings, folder)
    backend.address.renew(start=start)
    return backend


def _make(settings: BackendConfig, folder: Path) -> Backend:
    if settings.kind != "local":
        raise ConfigurationError(
            f"Backend {settings.name!r} is of kind {settings.kind!r}, which this nbbatch cannot use yet.",
            cure="Use a local backend.",
        )
    address = Address(folder)
    region = address.renew(start=True).region
    return Backend(settings.name, "local", region, FolderStore(folder), folder, address)


def _forget() -> None:
    """A forked process makes its own connections, and its own lock: no thread is left to free that one."""
    global _lock  # noqa: PLW0603 - the only other way is a lock inside an object that is there once
    _lock = threading.Lock()
    _backends.clear()


os.register_at_fork(after_in_child=_forget)


def translate(error: Exception) -> NbbatchError:
    """The one place where boto3's errors become nbbatch's."""
    from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError  # noqa: PLC0415
    from botocore.exceptions import ConnectionError as Unreachable  # noqa: PLC0415

    match error:
        case ClientError():
            told = error.response.get("Error", {})
            return _of_code(str(told.get("Code", "")), str(told.get("Message", error)))
        case ParamValidationError():
            return ClientException(str(error))
        case Unreachable() | HTTPClientError():
            return BackendUnreachableError(f"The backend does not answer: {error}")
        case _:
            return BackendError(str(error))


def _of_code(code: str, message: str) -> NbbatchError:
    match code:
        case "ClientException" | "ResourceNotFoundException" | "InvalidParameterException":
            return ClientException(message)
        case "ServerException" | "ServiceUnavailableException":
            return ServerException(message)
        case "UnknownOperationException":
            return DaemonVersionError(
                message, cure="`nbbatch local stop`, then again: a daemon of this version comes."
            )
        case _:
            return AccessDeniedError(f"{code}: {message}")
