"""The Docker Engine as the executor needs it: blocking calls, and two kinds of failure.

The one module that imports the Docker SDK. Every call may be made from any thread. An engine that
refuses says so in `EngineRefusedError`, in its own words; one that does not answer, or that is just
going down, raises `EngineGoneError`, after which the same call may be made again later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
import requests
import urllib3
from docker.types import CancellableStream
from docker.utils import convert_filters, kwargs_from_env, parse_repository_tag

from nbbatch.daemon.executors.docker_errors import EngineGoneError, EngineRefusedError

_CALL_TIMEOUT = 120
_POOL = 96
"""Connections kept: followed logs, calls in flight, and the events."""
_NOT_FOUND = 404
_CONFLICT = 409
_SERVER_ERROR = 500
_GOING_DOWN = ("containerd.sock", "transport is closing", "client connection is closing", "context canceled")
"""What a dockerd says in HTTP 500 when it, or its containerd, is on its way out."""


class Engine:
    """A connection to one Docker Engine.

    Parameters
    ----------
    address : str
        Such as `unix:///var/run/docker.sock`.

    Raises
    ------
    EngineGoneError
        When nothing answers there.
    """

    def __init__(self, address: str) -> None:
        with _translated():
            settings = kwargs_from_env() if not address.startswith("unix:") else {}
            settings["base_url"] = address
            self._api = docker.APIClient(
                **settings, version="auto", timeout=_CALL_TIMEOUT, max_pool_size=_POOL
            )

    def close(self) -> None:
        """Close the idle connections."""
        self._api.close()

    def info(self) -> dict[str, Any]:
        """The engine's own description."""
        with _translated():
            return dict(self._api.info())

    def create(self, name: str, body: dict[str, Any]) -> bool:
        """Create a container; False when one of this name is there already."""
        with _translated():
            try:
                self._api.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
            except docker.errors.APIError as error:
                if error.status_code != _CONFLICT:
                    raise
                return False
        return True

    def start(self, name: str) -> None:
        """Start a created container."""
        with _translated():
            self._api.start(name)

    def inspect(self, name: str) -> dict[str, Any] | None:
        """Everything about a container; None when there is none."""
        with _translated():
            try:
                return dict(self._api.inspect_container(name))
            except docker.errors.NotFound:
                return None

    def containers(self, label: str) -> list[dict[str, Any]]:
        """All containers, running or not, that carry a label."""
        with _translated():
            return list(self._api.containers(all=True, filters={"label": label}))

    def kill(self, name: str, signal: str) -> None:
        """Send a signal; a container that does not run, or is not there, is left alone."""
        with _translated(but=(_NOT_FOUND, _CONFLICT)):
            self._api.kill(name, signal)

    def remove(self, name: str) -> None:
        """Remove a container with its anonymous volumes, stopping it if it runs."""
        with _translated(but=(_NOT_FOUND, _CONFLICT)):
            self._api.remove_container(name, v=True, force=True)

    def remove_volumes(self, label: str) -> None:
        """Remove the volumes that carry a label, but for those that a container uses."""
        with _translated():
            found = self._api.volumes(filters={"label": label})["Volumes"] or ()
        for volume in found:
            with _translated(but=(_NOT_FOUND, _CONFLICT)):
                self._api.remove_volume(volume["Name"])

    def make_network(self, name: str, labels: dict[str, str]) -> None:
        """Make a network of this name, unless there is one."""
        with _translated(but=(_CONFLICT,)):
            if not self._api.networks(names=[name]):
                self._api.create_network(name, driver="bridge", labels=labels)

    def networks(self, label: str) -> list[str]:
        """Names of all networks that carry a label."""
        with _translated():
            return [found["Name"] for found in self._api.networks(filters={"label": label})]

    def remove_network(self, name: str) -> None:
        """Remove a network; one that is not there is left alone."""
        with _translated(but=(_NOT_FOUND,)):
            self._api.remove_network(name)

    def has_image(self, image: str) -> bool:
        """Whether the engine holds an image."""
        with _translated():
            try:
                self._api.inspect_image(image)  # type: ignore[no-untyped-call]
            except docker.errors.NotFound:
                return False
        return True

    def pull(self, image: str, cancelled: Callable[[], bool]) -> None:
        """Pull an image; gives up quietly as soon as `cancelled()`.

        Raises
        ------
        EngineRefusedError
            With the engine's words, when the image cannot be had.
        """
        repository, tag = parse_repository_tag(image)
        with _translated():
            for step in self._api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                if "error" in step:
                    raise EngineRefusedError(_NOT_FOUND, str(step["error"]))
                if cancelled():
                    return

    def import_image(self, archive: bytes, repository: str, tag: str) -> None:
        """Make an image out of a root file system."""
        with _translated():
            answer = self._api.import_image_from_data(archive, repository=repository, tag=tag)
        if '"error"' in answer:
            raise EngineRefusedError(_SERVER_ERROR, answer)

    def events(self, label: str, since: int) -> EngineStream:
        """Starts, ends and out-of-memory of labelled containers, from a time (epoch s) on.

        One JSON message a line.
        """
        filters = {"type": "container", "label": label, "event": ["start", "oom", "die"]}
        return self._stream("events", {"since": since, "filters": convert_filters(filters)}, timeout=None)

    def log(self, name: str, *, follow: bool) -> EngineStream:
        """A container's log from its beginning, framed; with `follow`, until the container ends."""
        query = {"stdout": 1, "stderr": 1, "follow": int(follow)}
        return self._stream(f"containers/{name}/logs", query, timeout=None if follow else _CALL_TIMEOUT)

    def _stream(self, path: str, query: dict[str, Any], timeout: int | None) -> EngineStream:
        url = f"{self._api.base_url}/v{self._api.api_version}/{path}"
        with _translated():
            response = self._api.get(url, params=query, stream=True, timeout=timeout)
            if not response.ok:
                with response:
                    raise EngineRefusedError(response.status_code, _words(response.text))
        return EngineStream(response)


class EngineStream:
    """Chunks of a long answer; ends without an error only where the answer ends.

    `close` may be called from another thread and ends the reading there with `EngineGoneError`.
    """

    def __init__(self, response: requests.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            try:
                yield from self._response.iter_content(chunk_size=None)
            finally:
                self._response.close()

    def close(self) -> None:
        """Stop reading."""
        with suppress(AttributeError, OSError):  # it has just ended by itself
            CancellableStream(iter(()), self._response).close()


@contextmanager
def _translated(but: tuple[int, ...] = ()) -> Iterator[None]:
    """Turn the SDK's errors into ours; refusals with a status in `but` are as good as done."""
    try:
        yield
    except docker.errors.APIError as error:
        status, words = error.status_code or 0, str(error.explanation or error)
        if status in but:
            return
        if status >= _SERVER_ERROR and any(sign in words for sign in _GOING_DOWN):
            raise EngineGoneError(words) from error
        raise EngineRefusedError(status, words) from error
    except (
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        docker.errors.DockerException,
    ) as error:
        raise EngineGoneError(str(error)) from error


def _words(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
