"""What the routes refuse, and how: who may ask, what is asked, and where paths may lead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbbatch.jupyter.routes.table import ROUTES

JOB = "00000000-0000-4000-8000-000000000000"
DENIES = """
from jupyter_server.auth import Authorizer

class Nobody(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "nbbatch"
"""


def filled(path: str) -> str:
    """A route's path with a job that is not there."""
    return path.replace("{id}", JOB).replace("{index}", "0")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_who_is_not_known_is_refused(site: Any, route: Any) -> None:
    """Without a token every route answers 403, before it looks at anything else."""
    reply = site.ask(route.method, filled(route.path), {} if route.method == "POST" else None, headers={})
    assert reply.status == 403, reply.text
    assert set(reply.body) == {"message", "cure", "field", "reason"}


def test_who_is_not_authorized_is_refused(new_site: Callable[..., Any], home: Path, tmp_path: Path) -> None:
    """An authorizer that denies the resource `nbbatch` is heeded by every route."""
    (tmp_path / "site0").mkdir()
    (tmp_path / "site0" / "nobody.py").write_text(DENIES)
    site = new_site("--ServerApp.authorizer_class=nobody.Nobody")
    for route in ROUTES:
        reply = site.ask(route.method, filled(route.path), {} if route.method == "POST" else None)
        assert (route.path, reply.status) == (route.path, 403)


def test_a_cookie_without_its_token_does_nothing(site: Any) -> None:
    """A POST of a browser that is signed in by cookie needs the XSRF token, as all of Jupyter's."""
    cookie = site.ask("GET", "backends", headers={"Cookie": "_xsrf=2|a|b|1"})
    assert cookie.status == 403
    reply = site.ask("POST", "estimate", {}, headers={"Cookie": "username-localhost=forged"})
    assert reply.status == 403


BAD = [
    ("GET", "jobs", {"limit": "0"}, None, 400, "limit"),
    ("GET", "jobs", {"limit": "many"}, None, 400, "limit"),
    ("GET", "jobs", {"limit": "nan"}, None, 400, "limit"),
    ("GET", "jobs", {"status": "SLEEPING"}, None, 400, "status"),
    ("GET", "jobs", {"page": "x"}, None, 400, "page"),
    ("GET", "jobs", {"queue": "nowhere"}, None, 404, "queue"),
    ("GET", "jobs", {"backend": "moon"}, None, 404, "backend"),
    ("GET", "jobs", {"folder": "nowhere"}, None, 404, "folder"),
    ("GET", "jobs", {"colour": "red"}, None, 400, "colour"),
    ("GET", f"jobs/{JOB}", {}, None, 404, ""),
    ("GET", f"jobs/{JOB}/children", {}, None, 404, ""),
    ("GET", f"jobs/{JOB}/children/x", {}, None, 404, ""),
    ("GET", f"jobs/{JOB}/logs", {}, None, 404, ""),
    ("GET", f"jobs/{JOB}/logs", {"page": "~"}, None, 400, "page"),
    ("GET", f"jobs/{JOB}/logs", {"wait": "26"}, None, 400, "wait"),
    ("GET", f"jobs/{JOB}/outputs", {}, None, 404, ""),
    ("GET", f"jobs/{JOB}/code", {}, None, 404, ""),
    ("POST", f"jobs/{JOB}/cancel", {}, {}, 404, ""),
    ("POST", f"jobs/{JOB}/cancel", {}, {"reason": 3}, 400, "reason"),
    ("POST", f"jobs/{JOB}/terminate", {}, {"why": "x"}, 400, ""),
    ("POST", f"jobs/{JOB}/retry", {}, [], 400, ""),
    ("GET", "costs", {"days": "0"}, None, 400, "days"),
    ("POST", "costs/budget", {}, {"perDay": -1}, 400, "perDay"),
    ("GET", "notebooks", {}, None, 400, "path"),
    ("GET", "notebooks", {"path": "gone.ipynb"}, None, 404, "path"),
    ("POST", "notebooks", {}, {}, 400, ""),
    ("POST", "notebooks", {}, {"path": "gone.ipynb"}, 404, "path"),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "options": {"memory": "lots"}}, 400, "options.memory"),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "options": {"wings": 2}}, 400, "options.wings"),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "options": {"queue": "nowhere"}}, 404, "parameters"),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "parameters": {"nobody": 1}}, 400, "parameters"),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "grid": {"x": []}}, 400, "grid"),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "output": "../out.ipynb"}, 404, "output"),
    (
        "POST",
        "notebooks",
        {},
        {"path": "a.ipynb", "grid": {"x": [".."]}, "output": "{x}/o.ipynb"},
        404,
        "output",
    ),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "output": "s3://other/x.ipynb"}, 400, "output"),
    (
        "POST",
        "notebooks",
        {},
        {"path": "a.ipynb", "options": {"files": ["/etc/passwd"]}},
        400,
        "options.files",
    ),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "options": {"workdir": "../.."}}, 404, "options.workdir"),
    ("POST", "notebooks", {}, {"path": "a.ipynb", "options": {"fetch-to": "../x"}}, 404, "options.fetch-to"),
    ("POST", "notebooks", {}, {"path": "text.ipynb"}, 400, "path"),
    ("POST", "estimate", {}, {"items": 0}, 400, "items"),
    ("POST", "estimate", {}, {"seconds": -1.0}, 400, "seconds"),
    ("POST", "estimate", {}, {"seconds": "a while"}, 400, "seconds"),
    ("POST", "estimate", {}, {"options": {"vcpus": "a few"}}, 400, "options.vcpus"),
    ("POST", "backends/start", {}, {"backend": "moon"}, 404, "backend"),
    ("GET", "backends/start", {}, None, 405, ""),
    ("POST", "jobs", {}, {}, 405, ""),
]


@pytest.mark.parametrize(("method", "route", "query", "body", "status", "field"), BAD)
def test_a_mistake_is_told_at_its_field(
    site: Any, method: str, route: str, query: dict[str, str], body: Any, status: int, field: str
) -> None:
    """With 4xx, a sentence, and the member that is wrong; never with a traceback."""
    site.notebook("a.ipynb", "x", parameters="x = 1")
    (site.root / "text.ipynb").write_text("no notebook")
    reply = site.ask(method, route, body, **query)
    assert (reply.status, reply.body["field"]) == (status, field), reply.text
    assert reply.body["message"]
    assert "Traceback" not in reply.text


ESCAPES = [
    "../secret.ipynb",
    "sub/../../secret.ipynb",
    "/../secret.ipynb",
    "..\\secret.ipynb",
    "%2e%2e/secret.ipynb",
    "....//secret.ipynb",
    ".hidden/secret.ipynb",
    ".secret.ipynb",
    "a\0b.ipynb",
    "x" * 5000,
    "~/secret.ipynb",
]


@pytest.mark.parametrize("path", ESCAPES, ids=lambda path: path[:20].replace("\0", "0"))
def test_no_path_leads_out_of_the_root(site: Any, path: str) -> None:
    """Nor to what the contents manager hides: all of them are not there."""
    secret = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    (site.root.parent / "secret.ipynb").write_text(secret)
    (site.root / ".hidden").mkdir(exist_ok=True)
    (site.root / ".hidden" / "secret.ipynb").write_text(secret)
    (site.root / ".secret.ipynb").write_text(secret)
    (site.root / "sub").mkdir(exist_ok=True)
    for reply in (
        site.ask("GET", "notebooks", path=path),
        site.ask("POST", "notebooks", {"path": path}),
        site.ask("POST", "estimate", {"path": path}),
        site.ask("GET", "jobs", folder=path),
    ):
        assert reply.status == 404, (reply.status, reply.text)
        assert reply.body["field"] in ("path", "folder")


def test_links_lead_as_far_as_the_contents_manager_goes(site: Any, tmp_path: Path) -> None:
    """A link inside the root is what Jupyter's own contents say it is; one to nowhere is nothing."""
    text = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    (tmp_path / "other.ipynb").write_text(text)
    for name, target in (("link.ipynb", tmp_path / "other.ipynb"), ("broken.ipynb", tmp_path / "gone.ipynb")):
        (site.root / name).symlink_to(target)
        theirs = site.ask("GET", f"/api/contents/{name}").status
        ours = site.ask("GET", "notebooks", path=name).status
        assert (ours == 200) == (theirs == 200)
        assert ours in (200, 404)


def test_only_whole_ids_name_a_job(site: Any) -> None:
    """No name, no pattern and no first letters: nothing happens to a job that nobody pointed at."""
    for word in ("*", "small", JOB[:8], f"{JOB}:x", f"{JOB}:01", "%2e%2e"):
        for route in (f"jobs/{word}", f"jobs/{word}/logs"):
            assert site.ask("GET", route).status == 404
        assert site.ask("POST", f"jobs/{word}/terminate", {}).status == 404


def test_a_huge_body_is_refused(site: Any) -> None:
    """More than a megabyte is read by no route."""
    reply = site.ask("POST", "estimate", raw=b'{"path": "' + b"x" * (2 << 20) + b'"}')
    assert reply.status == 413
    assert reply.body["reason"] == "ValueTooLargeError"


NOT_JSON = [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"{}{}", b'{"path": 1e999}', b"[" * 5000]


@pytest.mark.parametrize("raw", NOT_JSON, ids=repr)
def test_a_body_that_is_no_request_is_refused(site: Any, raw: bytes) -> None:
    """Whatever it is."""
    assert site.ask("POST", "notebooks", raw=raw).status == 400


UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
"""One server for all examples, on a machine that may be busy."""
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
WORDS = ["path", "parameters", "expressions", "grid", "options", "output", "kernel", "items", "seconds"]
OPTIONS = [
    "vcpus",
    "memory",
    "gpus",
    "timeout",
    "env",
    "tags",
    "depends",
    "files",
    "fetch",
    "spot",
    "workdir",
]
bodies = values | st.dictionaries(
    st.sampled_from([*WORDS, "reason", "perDay", "folder", "backend"]),
    values | st.just("a.ipynb") | st.dictionaries(st.sampled_from(OPTIONS), values, max_size=3),
    max_size=4,
)


@settings(max_examples=120, deadline=None, suppress_health_check=UNHURRIED)
@given(body=bodies, path=st.sampled_from([one.path for one in ROUTES if one.method == "POST"]))
def test_no_body_makes_the_server_fail(site: Any, body: Any, path: str) -> None:
    """Any JSON to any POST is answered, with less than 500."""
    site.notebook("a.ipynb", "x", parameters="x = 1")
    reply = site.ask("POST", filled(path), raw=json.dumps(body).encode())
    assert reply.status < 500, (path, body, reply.text)


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(
    query=st.dictionaries(
        st.sampled_from(["page", "limit", "since", "status", "text", "queue", "folder", "backend", "cursor"]),
        st.text(max_size=30),
        max_size=4,
    ),
    path=st.sampled_from(["jobs", "news", f"jobs/{JOB}/logs"]),
)
def test_no_address_makes_the_server_fail(site: Any, query: dict[str, str], path: str) -> None:
    """Any query to any GET is answered, with less than 500."""
    query = {"wait": "0", **query} if path == "news" else query
    assert site.ask("GET", path, **query).status < 500
