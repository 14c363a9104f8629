from __future__ import annotations

import pickle

import pytest

from nbbatch.errors import (
    JobFailedError,
    JobOutOfMemoryError,
    NbbatchBugError,
    OptionError,
    RemoteError,
    UserError,
)
from nbbatch.jupyter.errors import in_magic_words, message_lines, tell, told


def test_an_error_leaves_a_magic_as_an_error():
    """Errors are raised on, never printed, and show their message and cure instead of frames."""

    @told
    def fail():
        raise OptionError("This is wrong.", cure="Do that.")

    with pytest.raises(OptionError) as caught:
        fail()
    assert caught.value._render_traceback_() == ["OptionError: This is wrong.\nnbbatch › Do that."]


def test_a_remote_error_shows_the_remote_traceback():
    """The job's traceback stands above the message, once."""
    error = RemoteError("ValueError: x", remote_traceback="Traceback\n  line 1\nValueError: x", cure="Look.")
    lines = message_lines(error)
    assert lines == [
        "Traceback",
        "  line 1",
        "ValueError: x",
        "",
        "RemoteError: ValueError: x",
        "nbbatch › Look.",
    ]


def test_a_log_tail_that_was_shown_is_not_repeated():
    """The tail of the log stands in the error only where the log was not shown above it."""
    error = JobFailedError("exit code 3", log_tail="a\nb")
    assert "  b" in message_lines(error)
    vars(error)["_is_log_shown"] = True
    assert message_lines(error) == ["JobFailedError: exit code 3"]


def test_a_bug_keeps_its_frames():
    """An error of nbbatch's own making is shown with its traceback."""
    error = NbbatchBugError("impossible")
    tell(error)
    assert not hasattr(error, "_render_traceback_")


def test_a_told_error_still_pickles():
    """How an error is shown does not travel with it."""
    error = JobOutOfMemoryError("too much", job_id="x", cure="More.")
    tell(error)
    assert pickle.loads(pickle.dumps(error)).cure == "More."


@pytest.mark.parametrize(
    ("cure", "words"),
    [
        ('Ask for more, e.g. memory="256M".', "Ask for more, e.g. --memory 256M."),
        (
            "Submit it again with retries=3, or without Spot.",
            "Submit it again with --retries 3, or without Spot.",
        ),
        (
            "nbbatch.job('3f2a91c0-0000-4000-8000-000000000000:7').logs() has its whole log.",
            "%batch logs 3f2a91c0:7 has its whole log.",
        ),
        ("nbbatch.jobs() lists the newest.", "%batch jobs lists the newest."),
    ],
)
def test_cures_are_in_the_words_of_the_line(cure, words):
    """What to do next is told as it would be typed in a cell."""
    assert in_magic_words(cure) == words


@pytest.mark.parametrize(
    "call", ["submit(len, vcpus='many')", "job('nope')", "submit(hash, lock)", "run_notebook('gone.ipynb')"]
)
def test_a_mistake_in_a_call_shows_the_notebook_s_own_lines(batch_shell, capsys, call):
    """The line of the cell and the message, none of nbbatch's frames."""
    result = batch_shell.run_cell(
        f"import nbbatch; lock = __import__('threading').Lock()\ndef mine():\n    nbbatch.{call}\nmine()"
    )
    assert isinstance(result.error_in_exec, UserError)
    said = capsys.readouterr().out
    assert "----> 4 mine()" in said
    assert f"----> 3     nbbatch.{call}" in said
    assert "client/" not in said
    assert said.count("Traceback") == 1
    assert str(result.error_in_exec) in said
