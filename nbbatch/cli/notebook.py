"""`nbbatch run`: a notebook as a job, from a terminal, a crontab or CI; its cells are told as they go."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import click

from nbbatch.cli.jobs import cell_options, given
from nbbatch.client.handles.outcome import duration_in_words, short_id
from nbbatch.client.logs import LogReader
from nbbatch.client.notebooks.handles import NotebookJob
from nbbatch.client.notebooks.runs import run_notebook
from nbbatch.client.notes import Note
from nbbatch.errors import JobError
from nbbatch.runner.notebook import COMPLETED, FAILED

_INTERRUPTED = 130
_A_WHILE = 1.0
"""Seconds from which on it is told how long a cell took."""
_LONGEST = 60
_WORDS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
_Pairs = tuple[tuple[str, str], ...]


@click.command()
@click.argument("notebook")
@click.option("-p", "--parameter", "typed", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter: a number, True, False, None, else text; several times.")  # fmt: skip
@click.option("-r", "--raw", nargs=2, multiple=True, metavar="NAME VALUE", help="The same, as text whatever it looks like.")  # fmt: skip
@click.option("-o", "--output", default="", metavar="OUT", help="Where the executed notebook goes: a path or an address, {name} and {PARAMETER} filled in.")  # fmt: skip
@click.option("--kernel", metavar="NAME", help="Instead of the notebook's own.")
@click.option("--cell-timeout", type=int, metavar="SECONDS", help="How long one cell may run.")
@click.option("--detach", is_flag=True, help="Do not wait: print the job's id, and leave.")
@cell_options
def run(
    notebook: str,
    typed: _Pairs,
    raw: _Pairs,
    output: str,
    kernel: str | None,
    cell_timeout: int | None,
    detach: bool,  # noqa: FBT001 - click passes flags so
    **options: Any,
) -> None:
    """Run NOTEBOOK as a job, and tell its cells as they run; leaves with 1 where a cell failed.

    NOTEBOOK is a file, or an address that papermill reads.
    """
    parameters = {**{name: _value(text) for name, text in typed}, **dict(raw)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        job = run_notebook(
            notebook, parameters, output=output, kernel=kernel, cell_timeout=cell_timeout, **given(options)
        )
    for one in caught:
        click.echo(str(one.message), err=True)
    click.echo(job.id)
    if not detach:
        _follow(job)


def _value(text: str) -> Any:
    """What papermill makes of a parameter on its command line."""
    if text in _WORDS:
        return _WORDS[text]
    for read in (int, float):
        with suppress(ValueError):
            return read(text)
    return text


def _follow(job: NotebookJob) -> None:
    try:
        for line in _told(job):
            click.echo(line)
        failure = job.error()
    except KeyboardInterrupt:
        click.echo(f"The job goes on: nbbatch logs -f {job.id}", err=True)
        sys.exit(_INTERRUPTED)
    fetched = job.bring_files()
    for line in fetched.lines() if fetched is not None else ():
        click.echo(line, err=True)
    if failure is not None:
        _tell_failure(failure)
        sys.exit(1)
    for name, value in job.values.items():
        click.echo(f"{name} = {value!r}")
    place = job.keep_output()
    click.echo(place or f"Not saved (-o OUT): nbbatch.job('{short_id(job.id)}').save(PATH) does.", err=True)


def _tell_failure(failure: JobError) -> None:
    """Which cell, its source and its traceback, as far as there are any."""
    for text in (*getattr(failure, "__notes__", ()), str(failure)):
        click.echo(text.rstrip(), err=True)


def _told(job: NotebookJob) -> Iterator[str]:
    """A line for each cell with code that begins; one more when it has failed, or took a while."""
    code = [cell for cell in job.executed().cells if cell.kind == "code" and cell.source.strip()]
    prompts = {cell.index: f"In [{count}] of {len(code)}" for count, cell in enumerate(code, 1)}
    sources = {cell.index: _first_line(cell.source) for cell in code}
    began: dict[tuple[int, int], int] = {}
    with LogReader(job) as reader:
        is_last = False
        while not is_last:
            is_last = reader.is_over
            reader.read()
            for note in reader.take_notes():
                if note.kind == "cell" and note.body["index"] in prompts:
                    yield from _of_cell(note, prompts[note.body["index"]], sources, began)
            if not is_last:
                reader.wait()


def _of_cell(
    note: Note, prompt: str, sources: Mapping[int, str], began: dict[tuple[int, int], int]
) -> Iterator[str]:
    """`began` is when a cell did in an attempt, in epoch ms; that it still runs is told, too."""
    index, status = note.body["index"], note.body["status"]
    key = note.attempt, index
    if key not in began:
        began[key] = note.time
        again = f" (attempt {note.attempt})" if note.attempt > 1 else ""
        yield f"{prompt}{again}: {sources[index]}"
    took = (note.time - began[key]) / 1000
    if status == FAILED or (status == COMPLETED and took >= _A_WHILE):
        yield f"{prompt} {status} after {duration_in_words(took)}"


def _first_line(source: str) -> str:
    line = source.strip().partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
