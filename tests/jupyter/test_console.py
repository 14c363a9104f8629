from __future__ import annotations

import io
from types import SimpleNamespace

from nbbatch.jupyter.console import DisplayConsole, TextConsole, has_live_display, story_bundle


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def test_text_lines_follow_what_happens_and_not_the_clock():
    """A new phase is a new line; an unchanged one is repeated ever more rarely."""
    stream, clock = io.StringIO(), Clock()
    console = TextConsole(stream, clock)
    for second in range(3600):
        clock.time = float(second)
        console.status(f"RUNNING {second}", "RUNNING")
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["nbbatch › RUNNING 0", "nbbatch › RUNNING 15"]
    assert 10 < len(lines) < 20


def test_progress_reaches_the_end_without_a_display():
    """In papermill's output the progress does not stay at 0: its last line is the last state."""
    stream, clock = io.StringIO(), Clock()
    console = TextConsole(stream, clock)
    for done in range(21):
        console.status(f"{done} of 20 done", done // 2)
    assert stream.getvalue().splitlines()[-1] == "nbbatch › 20 of 20 done"


def test_a_line_never_continues_what_the_job_printed():
    """Story lines start on a line of their own."""
    stream = io.StringIO()
    console = TextConsole(stream)
    console.log("no newline")
    console.line("SUCCEEDED")
    assert stream.getvalue() == "no newline\nnbbatch › SUCCEEDED\n"


def test_a_display_is_updated_in_place():
    """Receipt and status share one display; what comes after the status is a new one below."""
    shown = {}

    def publish(data, *, transient, update):
        assert update == (transient["display_id"] in shown)
        shown[transient["display_id"]] = data

    console = DisplayConsole(publish)
    console.line("sends x")
    for second in range(5):
        console.status(f"RUNNING {second} <b>", "RUNNING")
    console.line("SUCCEEDED")
    first, last = shown.values()
    assert first["text/plain"] == "nbbatch › sends x\nnbbatch › RUNNING 4 <b>"
    assert "RUNNING 4 &lt;b&gt;" in first["text/html"]
    assert last["text/plain"] == "nbbatch › SUCCEEDED"


def test_only_a_live_front_end_gets_displays():
    """Plain IPython, nbclient, CI and NO_COLOR get text."""
    kernel, terminal = SimpleNamespace(kernel=object()), SimpleNamespace()
    lab = {"JPY_SESSION_NAME": "a.ipynb"}
    assert has_live_display(kernel, lab)
    assert not has_live_display(kernel, {})
    assert not has_live_display(terminal, lab)
    assert not has_live_display(kernel, lab | {"CI": "1"})
    assert not has_live_display(kernel, lab | {"NO_COLOR": "1"})
    assert has_live_display(kernel, {"NBBATCH_DISPLAY": "1"})


def test_prices_are_not_taken_for_formulas():
    """Two dollar signs in a line would be typeset as TeX, except in a `pre` (MathJax, skipHtmlTags)."""
    page = story_bundle("nbbatch › $0.04/h ($0.02/h spot)")["text/html"]
    assert page.startswith("<pre ")
    assert page.endswith("$0.04/h ($0.02/h spot)</pre>")
