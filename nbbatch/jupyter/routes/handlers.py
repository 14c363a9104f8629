"""jupyter_server handlers made from the table of routes: who may ask, what is read, what goes wrong.

A handler reads the request into an `Asked`, calls the answer, and encodes what that gives. All that
goes wrong passes through `problem_of`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, authenticated

from nbbatch.client.backend import hurried
from nbbatch.errors import OptionError, ValueTooLargeError
from nbbatch.jupyter.routes import actions, backends, detail, listing, logs, money, outputs, submitting
from nbbatch.jupyter.routes.asked import Asked
from nbbatch.jupyter.routes.contents import ServerContents
from nbbatch.jupyter.routes.lanes import Lanes
from nbbatch.jupyter.routes.problems import NotFoundError, at, problem_of
from nbbatch.jupyter.routes.table import EVERYWHERE, PREFIX, ROUTES, Route

MOST_BYTES = 1 << 20
"""Of a request's body."""
LANES = "nbbatch_lanes"
"""Key of the application's settings under which the lanes are."""

Function = Callable[[Asked], Awaitable[msgspec.Struct]]

ANSWERS: Mapping[str, Function] = MappingProxyType(
    {
        "GET backends": backends.backends,
        "POST backends/start": backends.start_backend,
        "GET jobs": listing.jobs,
        "GET jobs/{id}": detail.detail,
        "GET jobs/{id}/children": detail.children,
        "GET jobs/{id}/children/{index}": detail.detail,
        "GET jobs/{id}/logs": logs.logs,
        "POST jobs/{id}/cancel": actions.cancel,
        "POST jobs/{id}/terminate": actions.terminate,
        "POST jobs/{id}/retry": actions.retry,
        "GET jobs/{id}/outputs": outputs.outputs,
        "POST jobs/{id}/outputs": outputs.save,
        "GET jobs/{id}/code": detail.code,
        "GET queues": money.queues,
        "GET costs": money.costs,
        "POST costs/budget": money.set_budget,
        "GET notebooks": submitting.notebook,
        "POST notebooks": submitting.submit,
        "POST estimate": submitting.estimate,
        "GET news": listing.news,
    }
)
"""What answers each route of the table."""
_encode = msgspec.json.Encoder().encode


class RouteHandler(APIHandler):
    """All methods of one path."""

    auth_resource = PREFIX

    def initialize(self, routes: Mapping[str, Route]) -> None:
        """Take the routes of the path, by method."""
        self._routes = routes
        self._question: asyncio.Task[msgspec.Struct] | None = None

    @property
    def _track_activity(self) -> bool:  # type: ignore[override]
        """A sidebar that listens is no sign of life: idle servers may be culled."""
        return self.request.method != "GET"

    @authenticated
    @authorized
    async def get(self, **path: str) -> None:
        """Answer a question."""
        await self._answer(path)

    @authenticated
    @authorized
    async def post(self, **path: str) -> None:
        """Do something."""
        await self._answer(path)

    def on_connection_close(self) -> None:
        """Nobody reads what is answered any more: what only waits, waits no longer."""
        if self._question is not None:
            self._question.cancel()

    def write_error(self, status_code: int, **facts: Any) -> None:
        """Say what tornado and jupyter_server refuse in our own shape."""
        error = (facts.get("exc_info") or (None, HTTPError(status_code), None))[1]
        self._refuse(error)

    async def _answer(self, path: Mapping[str, str]) -> None:
        try:
            route = self._route()
            answer = await self._ask(route, path)
        except Exception as error:  # noqa: BLE001 - one function tells all of them apart
            self._refuse(error)
        else:
            if answer is not None:
                with suppress(StreamClosedError):  # whoever asked has gone
                    await self.finish(_encode(answer))

    async def _ask(self, route: Route, path: Mapping[str, str]) -> msgspec.Struct | None:
        """The answer; None where whoever asked a question has gone before it."""
        answering = ANSWERS[f"{route.method} {route.path}"](await self._asked(route, path))
        if route.method != "GET":
            return await answering  # what was asked for is done, whoever still listens
        with hurried():  # a front end asks again, and says meanwhile who does not answer
            self._question = asyncio.ensure_future(answering)
        try:
            return await self._question
        except asyncio.CancelledError:
            if self._question.cancelled():
                return None
            raise

    def _route(self) -> Route:
        route = self._routes.get(str(self.request.method))
        if route is None:
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED)
        return route

    async def _asked(self, route: Route, path: Mapping[str, str]) -> Asked:
        query = self._query(route)
        body = self._body(route)
        lanes: Lanes = self.settings[LANES]
        contents = ServerContents(self.contents_manager)
        with at("folder"):
            folder = contents.place(query.get("folder", ""))
            if not folder.is_dir():
                raise NotFoundError(f"There is no folder {query.get('folder', '')[:200]!r}.")
        with at("backend"):
            lane = await lanes.find(query.get("backend", ""), folder)
        return Asked(
            query=query,
            body=body,
            lane=lane,
            lanes=lanes,
            contents=contents,
            folder=folder,
            job_id=path.get("id", ""),
            index=path.get("index", ""),
        )

    def _query(self, route: Route) -> dict[str, str]:
        known = {*route.query, *EVERYWHERE}
        given = self.request.query_arguments
        for name in given:
            if name not in known and name not in _JUPYTERS:
                with at(name):
                    words = ", ".join(sorted(known))
                    raise OptionError(f"There is no query parameter {name[:60]!r}.", cure=f"Known: {words}.")
        return {name: self.get_query_argument(name, "") for name in known if name in given}

    def _body(self, route: Route) -> Any:
        if route.request is None:
            return None
        if len(self.request.body) > MOST_BYTES:
            raise ValueTooLargeError(
                f"The request has {len(self.request.body):,} bytes.", cure=f"At most {MOST_BYTES:,} are read."
            )
        return msgspec.json.decode(self.request.body or b"{}", type=route.request)

    def _refuse(self, error: BaseException) -> None:
        status, problem = problem_of(error, self.log)
        self.set_status(status)
        self.finish(_encode(problem))


_JUPYTERS = ("token", "no_track_activity", "_xsrf", "_")
"""Query parameters of jupyter_server itself, and its front end's against caches."""
_PARTS = {"{id}": r"(?P<id>[^/]+)", "{index}": r"(?P<index>[^/]+)"}


def handlers(base_url: str) -> list[tuple[str, type[RouteHandler], dict[str, Any]]]:
    """What tornado needs of each path."""
    paths: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = route
    return [
        (url_path_join(base_url, PREFIX, _pattern(path)), RouteHandler, {"routes": routes})
        for path, routes in paths.items()
    ]


def _pattern(path: str) -> str:
    return re.sub(r"\{\w+\}", lambda found: _PARTS[found[0]], path)
