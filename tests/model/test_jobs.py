import re

from nbbatch.model.jobs import JobId, JobStatus, child_id, log_stream_name, split_child_id, task_id


def test_child_ids_are_made_and_taken_apart():
    """`<id>:<index>`, and a plain id has no index."""
    assert split_child_id(child_id(JobId("ab"), 7)) == ("ab", 7)
    assert split_child_id("ab") == ("ab", None)
    assert split_child_id("ab:x") == ("ab:x", None)


def test_the_name_of_an_attempt_is_derived_and_stable():
    """Same job and attempt, same task id; another attempt, another id."""
    assert task_id("job", 1) == task_id("job", 1)
    assert task_id("job", 1) != task_id("job", 2)
    assert re.fullmatch(r"[0-9a-f]{32}", task_id("job", 1))


def test_log_streams_are_named_as_aws_names_them():
    """`<definition name>/default/<task id>`, without the revision; a prefix replaces the name."""
    assert log_stream_name("def:3", "job", 1) == f"def/default/{task_id('job', 1)}"
    assert log_stream_name("d" * 300, "job", 1).startswith("d" * 200 + "/")
    assert log_stream_name("def:3", "job", 1, "mine").startswith("mine/default/")


def test_two_statuses_are_terminal():
    """Nothing follows SUCCEEDED and FAILED."""
    assert [status for status in JobStatus if status.is_terminal] == [JobStatus.SUCCEEDED, JobStatus.FAILED]
