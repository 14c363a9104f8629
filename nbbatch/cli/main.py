"""`nbbatch`: all words of the terminal in one group."""

from __future__ import annotations

from typing import Any

import click

from nbbatch.cli.costs import costs
from nbbatch.cli.doctor import doctor
from nbbatch.cli.events import events
from nbbatch.cli.image import image
from nbbatch.cli.jobs import cancel, jobs, logs, script, submit
from nbbatch.cli.local import local
from nbbatch.cli.notebook import run
from nbbatch.cli.prices import prices
from nbbatch.errors import NbbatchError
from nbbatch.version import __version__


class _Commands(click.Group):
    """Shows nbbatch's errors as a line, not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NbbatchError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nbbatch")
def main() -> None:
    """Notebook cells, functions, scripts and images as AWS Batch jobs."""


for _command in (run, script, submit, jobs, logs, cancel, image, doctor, events, costs, local, prices):
    main.add_command(_command)
