from __future__ import annotations

import io

import pytest

from nbbatch.client.results import ItemResult, Result, Usage
from nbbatch.jupyter.console import TextConsole
from nbbatch.jupyter.outputs import needs_replay, show_result

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
        ([FIGURE, said("b\n")], "b\nfrom a child process\n", False),
        ([FIGURE], "", False),
    ],
)
def test_the_true_order_replaces_the_live_text_where_nothing_is_lost(outputs, log, expected):
    """Interleaved displays and standard error are replayed, unless the log says more."""
    assert needs_replay(outputs, log) is expected


def test_the_last_value_becomes_the_cell_s_result(shell, capsys):
    """The job's representation is shown as Out, and `_` and Out[n] hold the value."""
    show_result(shell, TextConsole(io.StringIO()), result(VALUE, value=42), "")
    assert "42" in capsys.readouterr().out
    assert shell.user_ns["_"] == 42
    assert list(shell.user_ns["Out"].values()) == [42]
