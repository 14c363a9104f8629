"""`nbbatch script`, `submit`, `jobs`, `logs`, `cancel`: scripts and programs as jobs, from a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.files.scripts import command as run_command
from nbbatch.client.files.scripts import script as run_script
from nbbatch.client.jobs import Job
from nbbatch.client.jobs import job as find_job
from nbbatch.client.listing import jobs as list_jobs
from nbbatch.jupyter.flags import FLAGS

_OF_CELLS = frozenset(("in", "out", "array", "item", "value-limit", "lang", "as"))
"""Flags of a cell that take a value and mean nothing here, or something else."""


def cell_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of a cell that say where and how a job runs."""
    known = [flag for flag in FLAGS if flag.metavar and flag.name not in _OF_CELLS]
    for flag in reversed(known):
        may_lack = flag.metavar.startswith("[")
        words: dict[str, Any] = {"is_flag": False, "flag_value": "."} if may_lack else {}
        metavar = flag.metavar.strip("[]") if may_lack else flag.metavar
        function = click.option(flag.word, metavar=metavar, multiple=flag.many, help=flag.help, **words)(
            function
        )
    function = click.option(
        "--cache/--no-cache", default=None, help="Take the result of an earlier job that did the same."
    )(function)
    return click.option("--spot/--on-demand", default=None, help="Use Spot capacity, or do not.")(function)


def _job_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and whether to wait for it."""
    return click.option(
        "--follow", "-f", is_flag=True, help="Show its log, wait, and leave with its exit code."
    )(cell_options(function))


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--lang", metavar="CMD", help="What runs it. [default: by its first line or its ending]")
@_job_options
def script(file: Path, lang: str | None, follow: bool, **options: Any) -> None:  # noqa: FBT001 - click passes flags so
    """Run a script as a job; prints its id."""
    _tell(run_script(file, lang=lang, **given(options)), follow=follow)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="-- PROGRAM [ARGUMENT]...")
@_job_options
def submit(words: tuple[str, ...], follow: bool, **options: Any) -> None:  # noqa: FBT001 - click passes flags so
    """Run a program as a job; prints its id."""
    _tell(run_command(words, **given(options)), follow=follow)


@click.command()
@click.option("--queue", help="Only of this job queue.")
@click.option("--status", help="Only in this state.")
@click.option("--limit", default=20, show_default=True, help="How many at most.")
@click.option("--backend", help="A configured backend.")
def jobs(queue: str | None, status: str | None, limit: int, backend: str | None) -> None:
    """List the newest jobs."""
    click.echo(repr(list_jobs(queue=queue, status=status, limit=limit, backend=backend)))


@click.command()
@click.argument("job")
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@click.option("--backend", help="A configured backend.")
def logs(job: str, follow: bool, backend: str | None) -> None:  # noqa: FBT001 - click passes flags so
    """Show the log of JOB: its id, the first letters of that, or its name."""
    with suppress(KeyboardInterrupt):
        _show_log(find_job(job, backend=backend), follow=follow)


@click.command()
@click.argument("job")
@click.option("--backend", help="A configured backend.")
def cancel(job: str, backend: str | None) -> None:
    """Stop JOB, whether it waits or runs."""
    handle = find_job(job, backend=backend)
    handle.terminate()
    click.echo(f"{handle.id} is being stopped.")


def given(options: dict[str, Any]) -> dict[str, Any]:
    """What was said, by option name; several values as one list."""
    said = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value not in (None, ())
    }
    for name in ("files", "fetch", "depends"):
        if name in said:
            said[name] = [part.strip() for text in said[name] for part in text.split(",")]
    return said


def _tell(job: Job | ArrayJob, *, follow: bool) -> None:
    click.echo(job.id)
    if not follow:
        return
    try:
        _show_log(job, follow=True)
    except KeyboardInterrupt:
        click.echo(f"The job goes on: nbbatch logs -f {job.id}", err=True)
        sys.exit(130)
    failure = job.exception()
    fetched = job.bring_files()
    for line in fetched.lines() if fetched is not None else ():
        click.echo(line, err=True)
    if failure is not None:
        click.echo(getattr(failure, "message", str(failure)), err=True)
        sys.exit(getattr(failure, "exit_code", None) or 1)


def _show_log(job: Job | ArrayJob, *, follow: bool) -> None:
    if isinstance(job, ArrayJob):
        raise click.ClickException(f"An array has a log for each child: nbbatch logs {job.id}:0.")
    if follow:
        for line in job.logs(follow=True):
            click.echo(line)
    else:
        click.echo(str(job.logs()))
