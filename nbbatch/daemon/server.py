"""HTTP: bytes in, JSON out; the only module that knows tornado.

This is also the one place where errors become status codes. Every request is verified before anything else is done with it. Every answer is JSON and carries
`x-amzn-RequestId`; an error carries `x-amzn-ErrorType` too. A traceback goes to the log under that
request id, never to the client.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import msgspec
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine

from nbbatch.daemon.api import Api
from nbbatch.daemon.auth import RefusedError, Scope, SignedRequest, Verifier, check_host
from nbbatch.daemon.home import ADDRESS
from nbbatch.daemon.private import Private
from nbbatch.daemon.prometheus import CONTENT_TYPE
from nbbatch.errors import ClientException, StoreError, UnknownNameError, UserError
from nbbatch.wire.operations import Operation, load_model

BACKLOG = 128
MAX_BODY = 1 << 20
"""Bytes of a body; the largest real ones are lists of watched job ids."""
CUT_OFF = 16 << 20
"""Bytes after which a body is not even read to its end."""
IDLE_SECONDS = 3600
CLOSE_SECONDS = 2.0

_PRIVATE = "/nbbatch/v1/"
_METRICS = f"{_PRIVATE}metrics"
_TARGET = "Logs_20140328."
_PHRASES = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 413: "Too Large", 500: "Error"}
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class _NoSuchRouteError(UserError):
    """No operation has this method and path."""


class _TooLargeError(UserError):
    """The body is larger than any request needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    status: int
    body: bytes
    error: str | None = None
    content_type: str = "application/json"


class Server:
    """The daemon's ear.

    Parameters
    ----------
    verifier : Verifier
        Lets requests in.
    api, private : Api, Private
        Answer them.
    scraped : callable
        The metrics as Prometheus' text.
    is_token : callable
        Whether an Authorization header lets Prometheus read them without a signature.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        api: Api,
        private: Private,
        scraped: Callable[[], str] = str,
        is_token: Callable[[str], bool] = lambda _authorization: False,
    ) -> None:
        self._verifier = verifier
        self._scraped = scraped
        self._is_token = is_token
        self._api = api
        self._private = private
        self._tasks: set[asyncio.Task[None]] = set()
        self._http = HTTPServer(self._on_request, max_body_size=CUT_OFF, idle_connection_timeout=IDLE_SECONDS)

    def listen(self, port: int = 0) -> int:
        """Begin to take requests.

        Parameters
        ----------
        port : int
            0 takes any that is free.

        Returns
        -------
        int
            The port.

        Raises
        ------
        OSError
            When the port is taken.
        """
        ear = socket.create_server((ADDRESS, port), backlog=BACKLOG)
        ear.setblocking(False)
        self._http.add_sockets([ear])
        taken: int = ear.getsockname()[1]
        return taken

    async def close(self) -> None:
        """Take no more requests, let those under way be answered, then hang up."""
        self._http.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await self._http.close_all_connections()

    def _on_request(self, request: HTTPServerRequest) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if isinstance(request.connection, HTTP1Connection):
            request.connection.set_close_callback(lambda: _hang_up(task))

    async def _answer(self, request: HTTPServerRequest) -> None:
        request_id = str(uuid4())
        is_logs = "x-amz-target" in request.headers
        try:
            answer = await self._handle(request)
            reply = answer if isinstance(answer, _Reply) else _Reply(status=200, body=_encode(answer))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer in AWS's shape
            reply = _reply_to(error, request_id, is_logs=is_logs)
        _write(request, reply, request_id)

    async def _handle(self, request: HTTPServerRequest) -> Any:
        signed = SignedRequest(
            method=request.method or "",
            target=request.uri or "",
            headers={name.lower(): request.headers.get_list(name) for name in request.headers},
            body=request.body,
        )
        if len(signed.body) > MAX_BODY:
            raise _TooLargeError(f"The body has {len(signed.body)} bytes, and may have at most {MAX_BODY}.")
        path, _, query = signed.target.partition("?")
        if path == _METRICS and signed.method == "GET":
            return self._scrape(signed)
        scope = self._verifier.verify(signed)
        if scope.service == "batch" and path.startswith(_PRIVATE) and signed.method == "POST":
            handler = self._private.route(path.removeprefix(_PRIVATE))
            if handler is None:
                raise _NoSuchRouteError(f"There is no {path} in this nbbatch.")
            return await handler(_parse(signed.body))
        operation, members = _route(scope, signed, path)
        sent = _parse(signed.body) if signed.body else {}
        if operation.query:
            given = parse_qs(query)
            members |= {name: given[name] for name in operation.query if name in given}
        if members and isinstance(sent, dict):
            sent |= members
        return await self._api.call(operation, sent, scope.region)

    def _scrape(self, request: SignedRequest) -> _Reply:
        """The metrics, for whoever signs or has the token."""
        authorization = request.headers.get("authorization", [""])[0]
        if self._is_token(authorization):
            check_host(request.headers.get("host", ()))
        else:
            self._verifier.verify(request)
        return _Reply(status=200, body=self._scraped().encode(), content_type=CONTENT_TYPE)


def _hang_up(task: asyncio.Task[None]) -> None:
    """Nobody waits for this answer any more."""
    task.cancel()


def _route(scope: Scope, request: SignedRequest, path: str) -> tuple[Operation, dict[str, Any]]:
    """The operation that a request means: Batch by its path, Logs by its target header."""
    if scope.service == "logs":
        target = request.headers.get("x-amz-target", [""])[0]
        operation = load_model("logs").operations.get(target.removeprefix(_TARGET))
        if operation is not None and target.startswith(_TARGET) and path == "/":
            return operation, {}
        raise _NoSuchRouteError(f"There is no {target or path} in CloudWatch Logs.")
    found = load_model("batch").route(request.method, path)
    if found is None:
        raise _NoSuchRouteError(f"There is no {request.method} {path[:200]} in AWS Batch.")
    return found


def _parse(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ClientException(f"The request body is not JSON: {error}") from None


def _reply_to(error: Exception, request_id: str, *, is_logs: bool) -> _Reply:
    """What an error looks like from outside: status, AWS's name, message."""
    match error:
        case RefusedError():
            status, code = 403, error.code
        case _NoSuchRouteError():
            status, code = 404, "UnknownOperationException"
        case _TooLargeError():
            status, code = 413, "RequestEntityTooLargeException"
        case UnknownNameError():
            status, code = 400, "ResourceNotFoundException" if is_logs else "ClientException"
        case UserError():
            status, code = 400, "InvalidParameterException" if is_logs else "ClientException"
        case StoreError():
            status, code = 500, "ServiceUnavailableException" if is_logs else "ServerException"
            _log.error("Request %s could not be carried out: %s", request_id, error)
        case _:
            _log.error("Request %s failed.", request_id, exc_info=error)
            status, code = 500, "ServiceUnavailableException" if is_logs else "ServerException"
            error = StoreError(f"Internal error; the daemon's log has it as request {request_id}.")
    body = {"message": str(error), **({"__type": code} if is_logs else {})}
    return _Reply(status=status, body=_encode(body), error=code)


def _write(request: HTTPServerRequest, reply: _Reply, request_id: str) -> None:
    """Send a reply; one to somebody who hung up meanwhile goes nowhere."""
    connection = request.connection
    if connection is None:
        return
    headers = HTTPHeaders(
        {
            "Content-Type": reply.content_type,
            "Content-Length": str(len(reply.body)),
            "x-amzn-RequestId": request_id,
        }
    )
    if reply.error is not None:
        headers["x-amzn-ErrorType"] = reply.error
    start = ResponseStartLine("HTTP/1.1", reply.status, _PHRASES[reply.status])
    connection.write_headers(start, headers, None if request.method == "HEAD" else reply.body)
    connection.finish()
