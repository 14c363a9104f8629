"""The local backend: a daemon of this machine that speaks as AWS Batch does, and a folder as its store.

It is started when it is needed and followed: a daemon that was killed is started again by the next
call, one that came back at another port is found again, and a call that surely was not accepted is
repeated. A daemon that the user stopped stays stopped until the user does something that needs it
(`get_backend`).
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from nbbatch.client import host
from nbbatch.client.backend import (
    NEVER_REPEATED,
    Machine,
    Standing,
    get_backend,
    of_code,
    translate,
    translated,
)
from nbbatch.client.clients import TIMEOUT, new_client, warm_up
from nbbatch.client.daemon_process import (
    IDENTITY,
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
from nbbatch.client.options import Options
from nbbatch.client.spec import host_definition, image_definition
from nbbatch.client.store import FolderStore
from nbbatch.errors import BackendUnreachableError
from nbbatch.model.resources import Resources
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
_CONTAINERS = "docker"
_SAMPLING = (_CONTAINERS,)
"""Executors that see what a job used only now and then."""


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


class LocalBackend:
    """Jobs on this machine; see `Backend` for what is common to all.

    Parameters
    ----------
    name : str
        As in the configuration.
    folder : Path
        The daemon's home.
    """

    kind = "local"
    tells_changes = True

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.home: Path | None = folder
        self.address = Address(folder)
        self.store = FolderStore(folder)

    @property
    def region(self) -> str:
        """Of the daemon's ARNs."""
        return self.address.endpoint.region

    @property
    def identity(self) -> str:
        """The home's path."""
        return str(self.home)

    @property
    def is_sampled(self) -> bool:
        """Whether the daemon sees what a job used only now and then."""
        return self.address.endpoint.executor in _SAMPLING

    def standing(self) -> Standing:
        """By the home's lock and files; see `Backend`."""
        if find_daemon(self.address.home) is not None:
            return Standing.READY
        if not was_stopped(self.address.home):
            return Standing.KILLED
        return Standing.STOPPED if (self.address.home / IDENTITY).exists() else Standing.ABSENT

    def renew(self, *, start: bool) -> None:
        """Find the daemon again; see `Address.renew`."""
        self.address.renew(start=start)

    def machine(self) -> Machine:
        """What this machine gives to jobs, by its daemon's word."""
        status = self.private("status", {})
        sees_programs = status["executor"]["name"] == _CONTAINERS and host.lends_its_python()
        return Machine(
            resources=Resources(**status["machine"]),
            room=Resources(**status["room"]),
            executor=status["executor"]["name"],
            path=host.path() if sees_programs else status["path"],
        )

    def sees_this_python(self, options: Options) -> bool:
        """Whether the job will run in this machine's own Python environment."""
        return not (options.image or options.definition) and host.lends_its_python()

    def suited(self, options: Options) -> Options:
        """As they are: the default world has a queue for each kind of job, see `spec.queue_of`."""
        return options

    def definition_request(self, options: Options, *, has_bundle: bool) -> dict[str, Any]:
        """The kernel's own environment, or an image whose jobs own what they write as the user does."""
        if self.sees_this_python(options):
            in_containers = self.address.endpoint.executor == _CONTAINERS
            path = host.path() if in_containers else ""
            return host_definition(folders=host.folders(), user=host.user(), path=path)
        return image_definition(
            options.image or host.python_image(), user=host.user() if has_bundle else None
        )

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
            raise of_code(reply.headers.get("x-amzn-ErrorType", ""), str(answer.get("message", answer)))
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

    def errors(self) -> AbstractContextManager[None]:
        """Turn boto3's errors into nbbatch's."""
        return translated()

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
        if not was_refused and operation.name in NEVER_REPEATED:
            return None
        self.address.renew(start=False)
        return _PAUSE * attempts


def this_machine() -> LocalBackend:
    """The backend `local`, as what it is."""
    backend = get_backend("local")
    assert isinstance(backend, LocalBackend)  # noqa: S101 - the configuration keeps the name for it
    return backend
