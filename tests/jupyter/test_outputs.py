from __future__ import annotations

import io

import pytest

from nbbatch.client.results import ItemResult, Result, Usage
from nbbatch.jupyter.console import TextConsole
from nbbatch.jupyter.outputs import needs_replay, show_result, with_log

FIGURE = {"output_type": "display_data", "data": {"text/plain": "<figure>"}, "metadata": {}}
VALUE = {
    "output_type": "execute_result",
    "data": {"text/plain": "42", "text/html": "<b>42</b>"},
    "metadata": {},
}


def said(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def result(*outputs, value=None):
    return Result(
        status="succeeded",
        exit_code=0,
        attempt=1,
        items=(ItemResult(position=0, value=value),),
        outputs=outputs,
        usage=Usage(cpu_seconds=0, peak_memory=0, seconds=0),
        files={},
        python="3.11",
    )


@pytest.mark.parametrize(
    ("outputs", "log", "expected"),
    [
        ([said("a\n"), FIGURE], "a\n", False),
        ([said("a\n"), FIGURE, said("b\n")], "a\nb\n", True),
        ([said("a\n", "stderr")], "a\n", True),
        ([FIGURE], "", False),
        ([said("no end")], "no end\n", True),
        ([said("a\n"), FIGURE, said("b\n")], "b" * 2_000_000, False),
    ],
)
def test_the_true_order_replaces_the_live_text(outputs, log, expected):
    """Interleaved displays and standard error are replayed, unless there is more than the record holds."""
    assert needs_replay(outputs, log) is expected


def test_text_of_child_processes_keeps_its_place():
    """What only the log has is put between the recorded texts around it, above a display of that moment."""
    outputs = [said("a\n"), FIGURE, said("b\n"), said("c\n", "stderr"), VALUE]
    merged = with_log(outputs, "a\nchild\nb\nc\nlast\n")
    assert merged == [said("a\nchild\n"), FIGURE, said("b\n"), said("c\n", "stderr"), said("last\n"), VALUE]


def test_nothing_is_lost_where_the_log_is_in_another_order():
    """Of a log that does not keep the order, only what is not recorded is added, below all text."""
    outputs = [said("a\n"), said("b\n", "stderr"), said("c\n"), VALUE]
    assert with_log(outputs, "a\nc\nb\n") == outputs
    assert with_log(outputs, "a\nc\nchild\nb\n") == [*outputs[:2], said("c\nchild\n"), VALUE]


def test_a_record_longer_than_the_log_is_shown_as_it_is():
    """A log that has not arrived yet takes nothing away."""
    assert with_log([said("a\nb\n")], "") == [said("a\nb\n")]


def test_the_last_value_becomes_the_cell_s_result(shell, capsys):
    """The job's representation is shown as Out, and `_` and Out[n] hold the value."""
    show_result(shell, TextConsole(io.StringIO()), result(VALUE, value=42), "")
    assert "42" in capsys.readouterr().out
    assert shell.user_ns["_"] == 42
    assert list(shell.user_ns["Out"].values()) == [42]
