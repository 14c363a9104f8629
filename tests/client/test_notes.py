"""Notes of running jobs: read from outside by one stream of calls, and seen in no log."""

# ruff: noqa: T201 - the jobs print

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.logs import tail
from nbbatch.client.notes import Note, notes_of, split_line, without_notes
from nbbatch.runner import notes

DEADLINE = 120


def in_notebook(function):
    """As if it had been defined in a cell: it travels by value, and the job imports nothing of this file."""
    function.__module__ = "__main__"
    return function


@in_notebook
def talks(number=0):
    import nbbatch_runner.notes as inside

    print("before")
    print("half a line", end="", flush=True)
    inside.note("progress", i=number, n=10, text="so far")
    print(", whole")
    for done in range(3):
        print(f"\r{done} of 3", end="")
        inside.note("metric", name="loss", value=done / 2)
    print()
    print("a bar without an end", end="\r")
    inside.note("progress", i=10, n=10)
    return number


SHOWN = "before\nhalf a line, whole\n\r0 of 3\r1 of 3\r2 of 3\na bar without an end\r"


@in_notebook
def talks_from_forks():
    import os

    import nbbatch_runner.notes as inside

    print("one", end="", flush=True)
    for number in range(20):
        if os.fork() == 0:
            inside.note("progress", i=number, n=20)
            os._exit(0)
    for _ in range(20):
        os.wait()
    print(" line")


@pytest.fixture
def told(monkeypatch, capfd):
    """What `note` writes, as lines."""
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "j-1:4")
    monkeypatch.setattr(notes, "_log", [1])

    def lines():
        return capfd.readouterr().out.splitlines()

    return lines


def test_a_note_is_one_line_of_plain_json(told):
    """Kind, job, attempt, time, and what else it says, whatever characters that has."""
    notes.note("progress", i=1, n=3, text='ü\n"@nbbatch {"kind": "x"}')
    [line] = told()
    text, note = split_line(line)
    assert text == ""
    assert (note.kind, note.job_id, note.attempt, note.item) == ("progress", "j-1:4", 1, None)
    assert note.body == {"i": 1, "n": 3, "text": 'ü\n"@nbbatch {"kind": "x"}'}
    assert line.isascii()


def test_a_note_is_never_longer_than_a_pipe_takes_at_once(told):
    """Else another process's line might stand in its middle."""
    with pytest.raises(ValueError, match="at most 4000"):
        notes.note("progress", text="x" * 4000)
    assert told() == []


@pytest.mark.parametrize(
    "line", ["@nbbatch", '@nbbatch {"kind": "x"', '@nbbatch {"kind": "x"}', "see @nbbatch {} for more"]
)
def test_what_only_looks_like_a_note_is_text(line):
    """A job may print what it likes."""
    assert split_line(line) == (line, None)
    assert without_notes([line]) == [line]


def test_a_line_that_a_note_broke_is_whole_again(told):
    """What stood before the mark belongs to the next line; at the end it stands alone."""
    notes.note("progress", i=1)
    notes.note("progress", i=2)
    first, second = told()
    assert without_notes(["a", f"b{first}", f"c{second}", "d", "", first, "e"]) == ["a", "bcd", "", "e"]
    assert without_notes([f"b{first}"]) == ["b"]


@pytest.mark.usefixtures("shared_daemon")
def test_notes_are_read_outside_and_hidden_in_every_log():
    """The log is what the job printed, to the letter: whole, followed, and its tail."""
    job = nbbatch.submit(talks)
    assert list(job.logs(follow=True)) == SHOWN.split("\n")
    assert str(job.logs()) == SHOWN
    assert str(job.logs(tail=2)) == "\n".join(SHOWN.split("\n")[-2:])
    assert tail(job.backend, job.detail(), 50) == SHOWN
    found = notes_of(job.backend, job.id)
    assert [note.kind for note in found] == ["progress", "metric", "metric", "metric", "progress"]
    assert [note.body["value"] for note in found[1:4]] == [0.0, 0.5, 1.0]
    assert {note.job_id for note in found} == {job.id}
    assert notes_of(job.backend, job.id, since=found[-1].time + 1) == []


@pytest.mark.usefixtures("shared_daemon")
def test_a_whole_array_is_asked_at_once():
    """One stream of FilterLogEvents however many children there are; a child can be asked alone."""
    arr = nbbatch.map(talks, range(12))
    other = nbbatch.map(talks, range(2))
    arr.results(DEADLINE)
    other.results(DEADLINE)
    calls = []
    arr.backend.logs.meta.events.register(
        "before-call.*", lambda model, **_: calls.append(model.name), unique_id="c"
    )
    found = notes_of(arr.backend, arr.id)
    arr.backend.logs.meta.events.unregister("before-call.*", unique_id="c")
    assert len(found) == 60
    assert {note.job_id for note in found} == {f"{arr.id}:{index}" for index in range(12)}
    assert calls == ["FilterLogEvents"]
    alone = notes_of(arr.backend, f"{arr.id}:1")
    assert {note.job_id for note in alone} == {f"{arr.id}:1"}
    assert all(isinstance(note, Note) for note in alone)


@pytest.mark.usefixtures("shared_daemon")
def test_forked_processes_tell_as_well():
    """None of their notes is lost, and the line that was begun is whole."""
    job = nbbatch.submit(talks_from_forks)
    job.result(DEADLINE)
    assert sorted(note.body["i"] for note in notes_of(job.backend, job.id)) == list(range(20))
    assert str(job.logs()) == "one line"


@pytest.mark.docker
def test_notes_of_a_container_are_hidden_as_well(daemon, executor):
    """Wherever it runs, the log reads the same; an engine may keep standard error apart."""
    job = nbbatch.submit(talks)
    job.result(DEADLINE)
    assert str(job.logs()) == SHOWN
    assert len(notes_of(daemon, job.id)) == 5
