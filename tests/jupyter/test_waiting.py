from __future__ import annotations

import io

from nbbatch.jupyter.console import TextConsole
from nbbatch.jupyter.waiting import LogText

TRACEBACK = ["Traceback (most recent call last):", '  File "In [2]", line 2', "ValueError: x"]


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


def log_text():
    stream, clock = io.StringIO(), Clock()
    return LogText(TextConsole(stream), clock), stream, clock


def test_the_last_traceback_is_left_to_the_error():
    """A traceback at the log's end is held back, because the error that follows shows it."""
    log, stream, _ = log_text()
    log.add(["one", *TRACEBACK])
    assert stream.getvalue() == "one\n"
    assert log.held == "\n".join(TRACEBACK) + "\n"
    assert log.shown == "one\n"


def test_a_traceback_that_was_not_the_end_is_shown():
    """A job that prints a traceback and goes on has it in its log."""
    log, stream, clock = log_text()
    log.add(TRACEBACK)
    clock.time = 5.0
    log.add(["going on"])
    assert stream.getvalue() == "\n".join([*TRACEBACK, "going on"]) + "\n"
    assert log.held == ""


def test_lines_that_come_together_are_passed_on_as_one_text():
    """A kernel that is told of each line by itself would lose some of thousands."""
    console = Told()
    log = LogText(console)
    log.add([f"line {number}" for number in range(3000)])
    assert len(console.texts) == 1
    assert log.shown.endswith("line 2999\n")


class Told:
    """Keeps what a console is told of the log."""

    def __init__(self):
        self.texts = []

    def log(self, text):
        self.texts.append(text)
