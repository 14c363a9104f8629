"""Whatever comes over the wire: never a 5xx, never silence, and the state stays whole."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from misshapes import WORDS, misshaped, nearly_good, shaped
from served import Served

from nbbatch.scheduler.restore import restore
from nbbatch.wire.operations import load_model

OPERATIONS = [
    operation
    for service in ("batch", "logs")
    for operation in load_model(service).operations.values()
    if service == "batch"
    or operation.name in ("GetLogEvents", "FilterLogEvents", "DescribeLogGroups", "DescribeLogStreams")
]
PRIVATE = {
    "why": "jobId",
    "accounts": "jobIds",
    "watch": "jobIds",
    "events": "jobId",
    "metrics": "start",
    "costs": "days",
    "names": "days",
    "set-budget": "perDay",
    "add-rule": "pattern",
    "remove-rule": "name",
}
UNHURRIED = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """One daemon for all of it, with a world in which requests can mean something."""
    running = Served(tmp_path_factory.mktemp("fuzzed"))
    batch = running.client()
    running.world(batch)
    batch.create_job_queue(
        jobQueueName="other", priority=9, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "ce"}]
    )
    yield running
    running.close()


def call(target: Served, operation, request, arn: str = WORDS["resourceArn"][0]) -> None:
    """Send a request and hold the answer to what every answer must be."""
    body = json.dumps(request).encode()
    path, headers = operation.path, {}
    if operation.service == "logs":
        path, headers = "/", {"X-Amz-Target": f"Logs_20140328.{operation.name}"}
    if operation.member is not None:
        path += quote(arn, safe="")
    status, found, reply = target.send_signed(
        operation.method, path, body, service=operation.service, headers=headers
    )
    assert status in (200, 400, 404, 413), (status, reply, request)
    assert "x-amzn-requestid" in found
    if status != 200:
        assert found["x-amzn-errortype"]
        assert reply["message"]
        assert "Internal error" not in reply["message"]


def state_is_intact(target: Served) -> None:
    """Every invariant holds, and the rows alone give the same world."""

    async def look():
        state = target.loop.state
        state.validate()
        again = restore(target.store.load(), state.catalogue)
        again.validate()
        assert again.jobs.keys() == state.jobs.keys()
        assert again.queues.keys() == state.queues.keys()
        assert again.environments.keys() == state.environments.keys()
        assert {name: len(known) for name, known in again.definitions.items()} == {
            name: len(known) for name, known in state.definitions.items()
        }

    asyncio.run_coroutine_threadsafe(look(), target._loop).result(120)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_shaped_and_misshaped_requests_are_answered(target, operation):
    """Requests in the model's shape, and bent ones, get 200 or an error that says what is wrong."""

    @UNHURRIED
    @given(
        request=st.one_of(nearly_good(operation), shaped(operation), misshaped(operation)),
        arn=st.sampled_from(WORDS["resourceArn"]),
    )
    def bombard(request, arn):
        call(target, operation, request, arn)

    bombard()
    state_is_intact(target)


@pytest.mark.parametrize("route", sorted(PRIVATE))
def test_private_routes_are_as_robust(target, route):
    """The daemon's own routes answer odd bodies with 400."""

    @UNHURRIED
    @given(
        body=st.one_of(
            st.dictionaries(
                st.sampled_from([PRIVATE[route], "cursor", "streams", "x"]), st.sampled_from([1, "x", [], {}])
            ),
            st.recursive(st.one_of(st.none(), st.integers(), st.text()), st.lists, max_leaves=5),
        )
    )
    def bombard(body):
        if isinstance(body, dict):
            body["timeoutMs"] = 1
        status, _, reply = target.send_signed("POST", f"/nbbatch/v1/{route}", json.dumps(body).encode())
        assert status in (200, 400), reply

    if route == "watch":  # a body without a timeout would wait, as it should
        status, _, _ = target.send_signed("POST", "/nbbatch/v1/watch", b'{"timeoutMs": -1}')
        assert status == 400
    bombard()


@settings(UNHURRIED, max_examples=100)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]),
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    body=st.binary(max_size=200),
)
def test_any_path_and_body_without_a_signature_is_refused(target, method, path, body):
    """Nothing is looked at before the signature, whatever the path."""
    status, found, _ = target.send(method, "/" + path, body)
    assert status in (400, 403), path
    assert "x-amzn-requestid" in found or status == 400


@settings(UNHURRIED, max_examples=60)
@given(data=st.data())
def test_a_signature_with_one_character_changed_is_refused(target, data):
    """No part of the Authorization header may be anything else."""
    headers = target.signed_headers("POST", "/v1/describejobs", b'{"jobs":[]}')
    name = next(name for name in headers if name.lower() == "authorization")
    good = headers[name]
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.sampled_from("0aZ/=, ").filter(lambda char: char != good[place]))
    bent = good[:place] + other + good[place + 1 :]
    if re.sub(r"[\s,]+", " ", bent) == re.sub(r"[\s,]+", " ", good):
        return  # the same header in other white space
    status, _, reply = target.send("POST", "/v1/describejobs", b'{"jobs":[]}', headers | {name: bent})
    assert status == 403, reply


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"{", b"\xff\xfe", b'"' + b"x" * 500_000, b"1" * 10_000, b'{"jobs":' + b"[" * 5_000],
    ids=["deep", "open", "no utf-8", "open string", "long number", "deep member"],
)
def test_bodies_that_are_no_json_get_a_400(target, body):
    """However deep or long."""
    status, _, reply = target.send_signed("POST", "/v1/describejobs", body)
    assert status == 400, reply
    state_is_intact(target)


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\0\0\0",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/submitjob HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/submitjob HTTP/1.1\r\nContent-Length: 10\r\nContent-Length: 20\r\n\r\n",
        b"POST /v1/submitjob HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"A" * 100_000,
    ],
    ids=["zeros", "version", "negative length", "two lengths", "bad chunk", "endless line"],
)
def test_what_is_no_http_is_hung_up_on(target, raw):
    """The connection ends, and the next one is served."""
    with socket.create_connection(("127.0.0.1", target.port), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert not answer.startswith(b"HTTP/1.1 5")
    assert target.send_signed("POST", "/v1/describejobs", b'{"jobs":[]}')[0] == 200
