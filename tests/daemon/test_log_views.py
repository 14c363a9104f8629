"""FilterLogEvents, DescribeLogGroups and DescribeLogStreams over real files and HTTP."""

import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

GROUP = "/aws/batch/job"


@pytest.fixture
def logs(served):
    return served.client("logs")


def write(served, stream: str, text: str, *, begin: int, end: int) -> str:
    """A stream whose lines were written between two times (epoch seconds)."""
    path = Path(served.logs.path(stream))
    path.write_text(text)
    path.with_suffix(".times").write_text(f"0 {begin * 1000}\n")
    os.utime(path, (end, end))
    served.logs._notes.pop(stream, None)
    return stream


@pytest.fixture
def streams(served, batch):
    """Two streams of three lines each, at 100, 200, 300 s and 150, 250, 350 s."""
    first = write(served, "true/default/" + "a" * 32, "a100\na200\na300\n", begin=0, end=300)
    second = write(served, "true/default/" + "b" * 32, "b150\nb250\nb350\n", begin=50, end=350)
    return first, second


def messages(reply) -> list[str]:
    return [event["message"] for event in reply["events"]]


def everything(logs, **asked) -> list[str]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, **asked)
    return [message for page in pages for message in messages(page)]


def test_lines_of_several_streams_come_by_time(logs, streams):
    """FilterLogEvents interleaves streams and says which one a line is of."""
    reply = logs.filter_log_events(logGroupName=GROUP)
    assert messages(reply) == ["a100", "b150", "a200", "b250", "a300", "b350"]
    assert [event["timestamp"] for event in reply["events"]] == [
        100_000, 150_000, 200_000, 250_000, 300_000, 350_000,
    ]  # fmt: skip
    assert reply["events"][1]["logStreamName"] == streams[1]
    assert len({event["eventId"] for event in reply["events"]}) == 6
    assert "nextToken" not in reply
    assert reply["searchedLogStreams"] == []


@pytest.mark.parametrize("limit", [1, 2, 4, 6])
def test_pages_of_any_size_hold_every_line_once(logs, streams, limit):
    """Paging loses nothing and repeats nothing."""
    found = everything(logs, PaginationConfig={"PageSize": limit})
    assert found == ["a100", "b150", "a200", "b250", "a300", "b350"]


def test_lines_are_chosen_by_stream_time_and_pattern(logs, streams):
    """logStreamNames, logStreamNamePrefix, startTime, endTime and filterPattern narrow the search."""
    assert everything(logs, logStreamNames=[streams[0]]) == ["a100", "a200", "a300"]
    assert everything(logs, logStreamNamePrefix="true/default/b") == ["b150", "b250", "b350"]
    assert everything(logs, startTime=150_000, endTime=300_000) == ["b150", "a200", "b250"]
    assert everything(logs, filterPattern="?a2 ?b3") == ["a200", "b350"]
    assert everything(logs, filterPattern="50", PaginationConfig={"PageSize": 1}) == ["b150", "b250", "b350"]
    assert everything(logs, filterPattern="none of them") == []


def test_a_page_ends_early_when_much_was_looked_at(logs, served, batch, monkeypatch):
    """A long search comes in pages that may be empty, and goes on behind them."""
    monkeypatch.setattr("nbbatch.daemon.log_search.MOST_LOOKED_AT", 50_000)
    text = "".join(f"line {number}\n" for number in range(200_000))
    write(served, "true/default/" + "c" * 32, text, begin=0, end=1000)
    first = logs.filter_log_events(logGroupName=GROUP, filterPattern='"line 199999"')
    assert (first["events"], "nextToken" in first) == ([], True)
    assert everything(logs, filterPattern='"line 199999"') == ["line 199999"]


def test_a_token_is_good_for_its_own_question(logs, streams):
    """A token of another search is refused in CloudWatch's words."""
    token = logs.filter_log_events(logGroupName=GROUP, limit=1)["nextToken"]
    with pytest.raises(logs.exceptions.InvalidParameterException, match="nextToken is invalid"):
        logs.filter_log_events(logGroupName=GROUP, limit=1, filterPattern="x", nextToken=token)


def test_wrong_questions_are_refused(logs, streams):
    """Unknown groups and streams are not found; contradictions and odd patterns are invalid."""
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log group does not exist"):
        logs.filter_log_events(logGroupName="other")
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log stream does not exist"):
        logs.filter_log_events(logGroupName=GROUP, logStreamNames=["true/default/none"])
    for wrong in (
        {"logStreamNames": ["x"], "logStreamNamePrefix": "x"},
        {"filterPattern": "%(x)%"},
        {"startFromHead": False},
    ):
        with pytest.raises(logs.exceptions.InvalidParameterException):
            logs.filter_log_events(logGroupName=GROUP, **wrong)
    with pytest.raises(logs.exceptions.InvalidParameterException, match="Cannot order by LastEventTime"):
        logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="x")


def test_the_unfinished_line_of_a_running_job_is_held_back(logs, served, batch):
    """A search does not show half a line either."""
    job_id = batch.submit_job(jobName="x", jobQueue="q", jobDefinition="true")["jobId"]
    served.start(job_id)
    stream = batch.describe_jobs(jobs=[job_id])["jobs"][0]["container"]["logStreamName"]
    Path(served.logs.path(stream)).write_text("one\ntw")
    assert everything(logs) == ["one"]
    served.exit(job_id)
    assert everything(logs) == ["one", "tw"]


def test_streams_are_described_by_name_and_by_time(logs, served, streams):
    """DescribeLogStreams pages in either order and direction."""
    late = write(served, "true/default/" + "0" * 32, "x\n", begin=400, end=500)
    by_name = [late, *streams]

    def names(**asked):
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP, PaginationConfig={"PageSize": 2}, **asked
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    assert names() == by_name
    assert names(descending=True) == by_name[::-1]
    assert names(orderBy="LastEventTime") == [*streams, late]
    assert names(orderBy="LastEventTime", descending=True) == [late, *streams[::-1]]
    assert names(logStreamNamePrefix="true/default/a") == [streams[0]]
    assert names(logStreamNamePrefix="false") == []
    (shown,) = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=late)["logStreams"]
    assert (shown["firstEventTimestamp"], shown["lastEventTimestamp"]) == (400_000, 500_000)
    assert shown["arn"].endswith(f":log-group:{GROUP}:log-stream:{late}")


def test_a_new_stream_is_seen_at_once(logs, served, streams):
    """The listing of a folder is not kept beyond its next change."""
    os.utime(served.logs.folder / "true/default", (1, 1))
    assert len(logs.describe_log_streams(logGroupName=GROUP)["logStreams"]) == 2
    write(served, "true/default/" + "d" * 32, "x\n", begin=0, end=1)
    assert len(logs.describe_log_streams(logGroupName=GROUP)["logStreams"]) == 3


def test_groups_are_those_that_definitions_name(logs, served, batch, streams):
    """awslogs-group makes a group that has its definition's streams."""
    options = {"awslogs-group": "/mine", "awslogs-stream-prefix": "pre/fix"}
    served.register(batch, "other", logConfiguration={"logDriver": "awslogs", "options": options})
    names = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert names == [GROUP, "/mine"]
    assert [group["arn"] for group in logs.describe_log_groups(logGroupNamePrefix="/m")["logGroups"]] == [
        "arn:aws:logs:eu-central-1:123456789012:log-group:/mine:*"
    ]
    assert logs.describe_log_groups(logGroupNamePattern="nothing")["logGroups"] == []
    stream = write(served, "pre/fix/default/" + "e" * 32, "mine\n", begin=0, end=1)
    reply = logs.filter_log_events(logGroupName="/mine")
    assert [(event["logStreamName"], event["message"]) for event in reply["events"]] == [(stream, "mine")]
    assert len(logs.describe_log_streams(logGroupName=GROUP)["logStreams"]) == 2


def test_a_prefix_does_not_lead_out_of_the_folder(logs, served, batch):
    """A definition's stream prefix is no way to list other folders."""
    (served.home / "secrets" / "default").mkdir(parents=True)
    (served.home / "secrets" / "default" / "key.log").write_text("secret\n")
    options = {"awslogs-stream-prefix": "../secrets"}
    try:
        served.register(batch, "bad", logConfiguration={"logDriver": "awslogs", "options": options})
    except ClientError:
        return
    assert logs.describe_log_streams(logGroupName=GROUP)["logStreams"] == []
    assert logs.filter_log_events(logGroupName=GROUP)["events"] == []
