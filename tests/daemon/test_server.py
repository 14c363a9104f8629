import http.client
import json
import socket
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from served import submit

from nbbatch.version import __version__


def detail(batch, job_id):
    return batch.describe_jobs(jobs=[job_id])["jobs"][0]


def test_a_job_goes_its_way_seen_through_boto3(served, batch):
    """Submitted, placed, running, failed: each with its own fields."""
    reply = batch.submit_job(jobName="n", jobQueue="q", jobDefinition="true", tags={"a": "b"})
    job_id = reply["jobId"]
    assert reply["jobArn"] == f"arn:aws:batch:eu-central-1:123456789012:job/{job_id}"
    assert detail(batch, job_id)["status"] == "STARTING"
    served.start(job_id)
    assert detail(batch, job_id)["container"]["logStreamName"].startswith("true/default/")
    served.exit(job_id, 3)
    over = detail(batch, job_id)
    assert (over["status"], over["container"]["exitCode"], over["tags"]) == ("FAILED", 3, {"a": "b"})
    assert [one["jobId"] for one in batch.list_jobs(jobQueue="q", jobStatus="FAILED")["jobSummaryList"]] == [
        job_id
    ]


def test_the_region_of_the_signature_is_the_region_of_the_arns(served, batch):
    """China too, with its own partition."""
    reply = served.client(region="cn-north-1").submit_job(jobName="n", jobQueue="q", jobDefinition="true")
    assert reply["jobArn"].startswith("arn:aws-cn:batch:cn-north-1:123456789012:job/")


def test_an_array_shows_parent_and_children(served, batch):
    """Counts at the parent, index at the child, children only in their own list."""
    job_id = submit(batch, arrayProperties={"size": 3})
    served.start(f"{job_id}:0")
    served.exit(f"{job_id}:1", 0)
    parent = detail(batch, job_id)
    assert parent["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 1
    assert parent["status"] == "PENDING"
    assert batch.list_jobs(arrayJobId=job_id)["jobSummaryList"][0]["jobId"] == f"{job_id}:0"
    ended = batch.list_jobs(arrayJobId=job_id, jobStatus="SUCCEEDED")["jobSummaryList"]
    assert [one["arrayProperties"]["index"] for one in ended] == [1]
    assert [one["jobId"] for one in batch.list_jobs(jobQueue="q", jobStatus="PENDING")["jobSummaryList"]] == [
        job_id
    ]
    found = batch.describe_jobs(jobs=[f"{job_id}:{index}" for index in (2, 1, 0, 9)] + [f"{job_id}:01"])[
        "jobs"
    ]
    assert [(one["jobId"][-1], one["status"]) for one in found] == [
        ("2", "STARTING"),
        ("1", "SUCCEEDED"),
        ("0", "RUNNING"),
    ]


def test_every_answer_has_a_request_id_and_is_json(served, batch):
    """Good, bad, unknown and unsigned requests alike."""
    replies = [
        served.send_signed("POST", "/v1/describejobs", b'{"jobs":[]}'),
        served.send_signed("POST", "/v1/describejobs", b"{"),
        served.send_signed("POST", "/v1/nope", b"{}"),
        served.send_signed("PUT", "/v1/submitjob", b"{}"),
        served.send_signed(
            "POST", "/", b"{}", service="logs", headers={"X-Amz-Target": "Logs_20140328.Nope"}
        ),
        served.send("GET", "/"),
        served.send("POST", "/v1/submitjob", b"{}"),
    ]
    assert [status for status, _, _ in replies] == [200, 400, 404, 404, 404, 403, 403]
    for status, headers, body in replies:
        assert headers["content-type"] == "application/json"
        assert len(headers["x-amzn-requestid"]) == 36
        assert ("x-amzn-errortype" in headers) == (status != 200)
        assert status == 200 or body["message"]


def test_wrong_credentials_are_refused(served):
    """Other key, other secret: 403 in AWS's shape."""
    for client, code in (
        (served.client(key="AKIAOTHER"), "UnrecognizedClientException"),
        (served.client(secret="guess"), "InvalidSignatureException"),
    ):
        with pytest.raises(ClientError) as caught:
            client.describe_job_queues()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert caught.value.response["Error"]["Code"] == code


def test_a_foreign_host_header_is_refused(served):
    """DNS rebinding ends before the signature is looked at."""
    status, headers, _ = served.send("POST", "/v1/describejobs", b"{}", {"Host": "evil.example"})
    assert (status, headers["x-amzn-errortype"]) == (403, "AccessDeniedException")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1,",
        b"\xff\xfe",
        b'{"a":NaN}',
        b"[" * 100_000,
        b'{"jobs":' * 50_000,
        b'"\\ud800"',
        b"[]",
        b"5",
    ],
    ids=["cut", "list", "bytes", "nan", "deep", "deeper", "surrogate", "array", "number"],
)
def test_a_body_that_is_no_request_is_the_callers_fault(served, body):
    """Malformed, too deep, or another JSON type: ClientException, and the server goes on."""
    status, headers, reply = served.send_signed("POST", "/v1/describejobs", body)
    assert (status, headers["x-amzn-errortype"]) == (400, "ClientException")
    assert len(reply["message"]) < 300
    assert served.send_signed("POST", "/v1/describejobs", b'{"jobs":[]}')[2] == {"jobs": []}


def test_a_huge_body_is_refused(served):
    """One that is merely too large gets an answer in AWS's shape."""
    status, headers, _ = served.send("POST", "/v1/submitjob", b"x" * (2 << 20))
    assert (status, headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")


def test_a_payload_above_the_quota_is_refused(batch):
    """SubmitJob takes 30 KiB."""
    with pytest.raises(ClientError, match="may have at most 30720"):
        submit(batch, parameters={"x": "y" * 31_000})


def test_an_operation_that_is_not_there_says_so(served):
    """Modelled, routed, not implemented."""
    with pytest.raises(
        ClientError, match=f"DescribeQueries is not there yet in nbbatch {__version__}"
    ) as caught:
        served.client("logs").describe_queries()
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_a_bug_is_told_to_the_log_and_not_to_the_client(served, batch, caplog, monkeypatch):
    """An unexpected exception: ServerException 500, no details, found by its request id."""

    def broken(*_args):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(served.store, "list_jobs", lambda **_more: broken())
    with pytest.raises(ClientError) as caught:
        batch.list_jobs(jobQueue="q")
    told = caught.value.response
    assert (told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]) == ("ServerException", 500)
    assert "secret detail" not in str(told)
    assert told["ResponseMetadata"]["RequestId"] in caplog.text
    assert "secret detail" in caplog.text


def test_validation_names_the_member(batch):
    """boto3 passes enums through; the server does not."""
    requirements = [{"type": "CPU", "value": "1"}]
    with pytest.raises(ClientError, match=r"resourceRequirements\[0\].type: 'CPU' is not one of"):
        submit(batch, containerOverrides={"resourceRequirements": requirements})


def test_cancel_and_terminate_of_unknown_jobs_succeed(served, batch):
    """And of a live one they do what they say."""
    batch.cancel_job(jobId="nope", reason="r")
    batch.terminate_job(jobId="nope", reason="r")
    job_id = submit(batch)
    batch.terminate_job(jobId=job_id, reason="enough")
    assert detail(batch, job_id)["isTerminated"] is True
    assert served.stops() == [job_id]
    served.exit(job_id, 143)
    assert detail(batch, job_id)["statusReason"] == "enough"
    with pytest.raises(ClientError, match="may have at most 1024"):
        batch.terminate_job(jobId=job_id, reason="x" * 1025)


def test_more_than_a_hundred_ids_are_refused(batch):
    """AWS's text, two spaces included."""
    with pytest.raises(ClientError, match="Maximum number of jobs supported is  100"):
        batch.describe_jobs(jobs=[str(number) for number in range(101)])


def test_odd_ids_are_simply_unknown(batch):
    """Paths, quotes, megabytes and huge indexes find nothing and harm nothing."""
    odd = [
        "../../etc/passwd",
        "'; drop table jobs;--",
        "x" * 100_000,
        "a:" + "9" * 5000,
        "a:-1",
        "%",
        "",
        "\u0000",
    ]
    assert batch.describe_jobs(jobs=odd)["jobs"] == []
    for job_id in filter(None, odd):
        batch.cancel_job(jobId=job_id, reason="r")
        batch.terminate_job(jobId=job_id, reason="r")


@pytest.mark.parametrize(
    "stream", ["../../endpoint.json", "/etc/passwd", "a/../../b", "a//b", "..", "a\x00b", "true/default/none"]
)
def test_log_streams_do_not_leave_their_folder(served, stream):
    """A path trick is an invalid or unknown stream."""
    with pytest.raises(ClientError) as caught:
        served.client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)
    assert caught.value.response["Error"]["Code"] in (
        "InvalidParameterException",
        "ResourceNotFoundException",
    )


def test_logs_are_paged(served, batch):
    """Lines of a running job; the same forward token at the end."""
    job_id = submit(batch)
    served.start(job_id)
    stream = detail(batch, job_id)["container"]["logStreamName"]
    with Path(served.logs.path(stream)).open("wb") as file:
        file.write(b"one\ntwo\nthree")
        file.flush()
        logs = served.client("logs")
        page = logs.get_log_events(
            logGroupName="/aws/batch/job", logStreamName=stream, startFromHead=True, limit=1
        )
        assert [event["message"] for event in page["events"]] == ["one"]
        ask = {"logGroupName": "/aws/batch/job", "logStreamName": stream}
        page = logs.get_log_events(**ask, nextToken=page["nextForwardToken"])
        assert [event["message"] for event in page["events"]] == ["two"], "half a line is held back"
        served.exit(job_id)
        page = logs.get_log_events(**ask, nextToken=page["nextForwardToken"])
        assert [event["message"] for event in page["events"]] == ["three"]
        again = logs.get_log_events(**ask, nextToken=page["nextForwardToken"])
        assert (again["events"], again["nextForwardToken"]) == ([], page["nextForwardToken"])
    with pytest.raises(ClientError, match="log group does not exist"):
        logs.get_log_events(logGroupName="other", logStreamName=stream)


def test_definitions_are_registered_listed_and_deregistered(served, batch):
    """Newest revision first; INACTIVE ones stay."""
    served.register(batch, "b")
    served.register(batch, "b")
    batch.deregister_job_definition(jobDefinition="b:2")
    every = batch.describe_job_definitions()["jobDefinitions"]
    assert [(one["jobDefinitionName"], one["revision"], one["status"]) for one in every] == [
        ("b", 2, "INACTIVE"),
        ("b", 1, "ACTIVE"),
        ("true", 1, "ACTIVE"),
    ]
    active = batch.describe_job_definitions(jobDefinitionName="b", status="ACTIVE")["jobDefinitions"]
    assert [one["revision"] for one in active] == [1]
    named = batch.describe_job_definitions(jobDefinitions=[every[0]["jobDefinitionArn"], "b:7"])[
        "jobDefinitions"
    ]
    assert [one["revision"] for one in named] == [2]
    pages = batch.get_paginator("describe_job_definitions").paginate(PaginationConfig={"PageSize": 1})
    assert [page["jobDefinitions"][0]["jobDefinitionArn"] for page in pages] == [
        one["jobDefinitionArn"] for one in every
    ]


def test_queues_and_environments_are_described(batch):
    """By name or ARN, the environment through the queue's order."""
    batch.create_job_queue(
        jobQueueName="a", priority=2, computeEnvironmentOrder=[{"order": 7, "computeEnvironment": "ce"}]
    )
    queue = batch.describe_job_queues(jobQueues=["a"])["jobQueues"][0]
    assert (queue["status"], queue["state"], queue["computeEnvironmentOrder"][0]["order"]) == (
        "VALID",
        "ENABLED",
        7,
    )
    arn = queue["computeEnvironmentOrder"][0]["computeEnvironment"]
    known = batch.describe_compute_environments(computeEnvironments=[arn, "nope"])["computeEnvironments"]
    assert [one["computeResources"]["type"] for one in known] == ["EC2"]
    pages = batch.get_paginator("describe_job_queues").paginate(PaginationConfig={"PageSize": 1})
    assert [page["jobQueues"][0]["jobQueueName"] for page in pages] == ["a", "q"]


def test_jobs_are_listed_in_pages_newest_first(batch):
    """All of them, each once, and by name."""
    ids = [submit(batch) for _ in range(5)]
    pages = batch.get_paginator("list_jobs").paginate(
        jobQueue="q", filters=[{"name": "JOB_NAME", "values": ["N*"]}], PaginationConfig={"PageSize": 2}
    )
    listed = [one["jobId"] for page in pages for one in page["jobSummaryList"]]
    assert listed == ids[::-1]
    assert batch.list_jobs(jobQueue="q")["jobSummaryList"] == []


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({}, "Exactly one of"),
        ({"jobQueue": "q", "arrayJobId": "x"}, "Exactly one of"),
        ({"jobQueue": "nope"}, "does not exist"),
        ({"jobQueue": "q", "jobStatus": "DONE"}, "jobStatus: 'DONE' is not one of"),
        ({"jobQueue": "q", "maxResults": 0}, "maxResults"),
        ({"jobQueue": "q", "nextToken": "x"}, "nextToken"),
        ({"jobQueue": "q", "nextToken": "AAAAAAAAAAAAAAAAAAAAAAAA"}, "nextToken"),
        ({"jobQueue": "q", "filters": [{"name": "job_name", "values": ["x"]}]}, "is not one of JOB_NAME"),
        ({"jobQueue": "q", "filters": [{"name": "JOB_NAME", "values": ["x"]}] * 2}, "at most 1"),
        (
            {"jobQueue": "q", "filters": [{"name": "BEFORE_CREATED_AT", "values": ["now"]}]},
            "epoch milliseconds",
        ),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(batch, request_, text):
    """ListJobs' rules, each with what is wrong."""
    with pytest.raises(ClientError, match=text) as caught:
        batch.list_jobs(**request_)
    assert caught.value.response["Error"]["Code"] == "ClientException"


def test_a_token_of_another_question_is_refused(batch):
    """Tokens go with operation and filters."""
    for _ in range(2):
        submit(batch)
    token = batch.list_jobs(jobQueue="q", jobStatus="STARTING", maxResults=1)["nextToken"]
    assert batch.list_jobs(jobQueue="q", jobStatus="STARTING", maxResults=5, nextToken=token)[
        "jobSummaryList"
    ]
    for call in (
        lambda: batch.list_jobs(jobQueue="q", jobStatus="RUNNING", nextToken=token),
        lambda: batch.describe_job_queues(nextToken=token),
    ):
        with pytest.raises(ClientError, match="nextToken"):
            call()


def test_one_connection_serves_many_requests(served):
    """Keep-alive: errors do not end it."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        for _ in range(3):
            connection.request("POST", "/v1/submitjob", b"{}")
            reply = connection.getresponse()
            reply.read()
            assert reply.status == 403
            assert connection.sock is not None
        connection.request("HEAD", "/")
        assert connection.getresponse().read() == b""
    finally:
        connection.close()


def test_a_caller_who_hangs_up_leaves_nothing_behind(served, batch):
    """A long poll that nobody waits for any more ends, and half a request harms nothing."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as caller:
        caller.sendall(b"POST /v1/submitjob HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{")
    cursor = served.private("watch", {})["cursor"]
    body = json.dumps({"cursor": cursor, "jobIds": ["x"], "timeoutMs": 30_000}).encode()
    headers = served.signed_headers("POST", "/nbbatch/v1/watch", body)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("POST", "/nbbatch/v1/watch", body, headers)
    until(lambda: served.server._tasks)
    connection.close()
    until(lambda: not served.server._tasks)
    assert submit(batch)


def until(condition) -> None:
    """Wait for the server's thread, with a deadline."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_it_listens_on_loopback_only(served):
    """No other address of this machine answers."""
    bound = [known.getsockname()[0] for known in served.server._http._sockets.values()]
    assert bound == ["127.0.0.1"]


def test_a_port_that_is_taken_is_an_os_error(served):
    """The caller decides what to do about it."""
    with pytest.raises(OSError, match="in use"):
        served.server.listen(served.port)


def test_private_routes_tell_about_the_daemon(served, batch):
    """Status, why and accounts."""
    job_id = submit(batch)
    assert served.private("status", {})["jobs"]["STARTING"] == 1
    assert served.private("why", {"jobId": job_id})["status"] == "STARTING"
    served.start(job_id)
    served.exit(job_id, 2, reason="OutOfMemoryError: x")
    why = served.private("why", {"jobId": job_id})
    assert why["reasons"][1:] == ["OutOfMemoryError: x", "Its last attempt (1) ended with exit code 2."]
    account = served.private("accounts", {"jobIds": [job_id, "nope"]})["jobs"]
    assert [(one["jobId"], one["instanceType"]) for one in account] == [(job_id, "m6i.large")]
    assert served.private("stop", {}) == {}
    assert served.stopped


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("why", {}),
        ("why", {"jobId": "nope"}),
        ("why", {"jobId": 5}),
        ("watch", {"jobIds": "x"}),
        ("watch", {"timeoutMs": -1}),
        ("watch", {"streams": {"../x": 0}}),
        ("accounts", {"jobIds": ["x"] * 101}),
        ("accounts", []),
    ],
)
def test_private_routes_check_their_input(served, route, body):
    """The same error as everywhere."""
    status, headers, _ = served.send_signed("POST", f"/nbbatch/v1/{route}", json.dumps(body).encode())
    assert (status, headers["x-amzn-errortype"]) == (400, "ClientException")


def test_private_routes_need_a_signature_too(served):
    """Unsigned, or signed for logs: no."""
    assert served.send("POST", "/nbbatch/v1/stop", b"{}")[0] == 403
    assert served.send_signed("POST", "/nbbatch/v1/stop", b"{}", service="logs")[0] == 404
    assert served.send_signed("POST", "/nbbatch/v1/nope", b"{}")[0] == 404
    assert not served.stopped
