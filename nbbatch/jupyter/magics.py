"""`%%batch` runs a cell as a job; `%batch` looks after jobs. The extension's entry and exit.

Here is only what IPython needs to see: the magics, their settings (`c.BatchMagics.queue = "..."`),
and what loading and unloading the extension changes. The way of a cell is in `cells`, the words of
`%batch` in `actions`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from IPython.core.completer import CompletionContext, SimpleMatcherResult
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Float, Unicode

from nbbatch.jupyter import actions
from nbbatch.jupyter.cells import run_cell
from nbbatch.jupyter.commands import command_help, parse_command
from nbbatch.jupyter.completion import make_matcher
from nbbatch.jupyter.console import console_for
from nbbatch.jupyter.errors import told
from nbbatch.jupyter.flags import cell_help, parse_cell_line
from nbbatch.jupyter.live import live_values

DEFAULTS = ("backend", "queue", "vcpus", "memory", "image")
"""Options that `c.BatchMagics` can set for every cell."""


@magics_class
class BatchMagics(Magics):
    """The `batch` magics of one shell."""

    backend = Unicode("", help="Backend of cells that name none.").tag(config=True)
    queue = Unicode("", help="Job queue of cells that name none.").tag(config=True)
    vcpus = Float(0.0, help="vCPUs of cells that do not say; 0 leaves it to the backend.").tag(config=True)
    memory = Unicode("", help="Memory of cells that do not say, such as 4G.").tag(config=True)
    image = Unicode("", help="Container image of cells that name none.").tag(config=True)

    @no_var_expand
    @line_cell_magic
    @told
    def batch(self, line: str, cell: str | None = None) -> Any:
        """Run a cell as an AWS Batch job (`%%batch`), or look after jobs (`%batch jobs`).

        `%%batch -h` shows the options of a cell, `%batch help` the commands.
        """
        return self._command(line) if cell is None else self._cell(line, cell)

    @cached_property
    def matcher(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        """Tab completion over this shell's variables and the running daemon's jobs."""
        return make_matcher(live_values(self.shell))

    def defaults(self) -> dict[str, Any]:
        """Options that were configured."""
        return {name: value for name in DEFAULTS if (value := getattr(self, name))}

    def _command(self, line: str) -> Any:
        call = parse_command(line)
        return actions.ACTIONS[call.command.name](self.shell, call, self.backend or None)

    def _cell(self, line: str, cell: str) -> Any:
        read = parse_cell_line(line, self.defaults())
        if read.wants_help:
            print(cell_help())  # noqa: T201 - help is what was asked for
            return None
        return run_cell(self.shell, read, cell, console_for(self.shell))


BatchMagics.batch.__doc__ = f"{cell_help()}\n{command_help()}"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics and their completion; loading twice changes nothing."""
    if "BatchMagics" in shell.magics_manager.registry:
        return
    magics = BatchMagics(shell=shell)
    shell.register_magics(magics)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(magics.matcher)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics and their completion out again; running jobs go on."""
    magics = shell.magics_manager.registry.pop("BatchMagics", None)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("batch", None)
    if magics is not None and shell.Completer is not None:
        shell.Completer.custom_matchers.remove(magics.matcher)
