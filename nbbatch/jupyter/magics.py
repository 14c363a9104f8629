"""`%%batch` runs a cell as a job; `%batch` looks after jobs. The extension's entry and exit.

Here is only what IPython needs to see: the magics, their settings (`c.BatchMagics.queue = "..."`),
and what loading and unloading the extension changes. The way of a cell is in `cells`, the words of
`%batch` in `actions`, the magics of presets in `presets`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from IPython.core.completer import CompletionContext, SimpleMatcherResult
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, TraitError, TraitType, observe

from nbbatch.client import session
from nbbatch.client.config import default_names
from nbbatch.client.options import read_option
from nbbatch.errors import OptionError
from nbbatch.jupyter import actions, presets
from nbbatch.jupyter.cells import run_cell
from nbbatch.jupyter.commands import command_help, parse_command
from nbbatch.jupyter.completion import make_matcher
from nbbatch.jupyter.console import console_for
from nbbatch.jupyter.errors import tell, told
from nbbatch.jupyter.flags import FLAGS, cell_help, parse_cell_line
from nbbatch.jupyter.live import live_values
from nbbatch.jupyter.unseen import show_unseen

_LONE_LINE = re.compile(r"%%\w+[^\n]*")


class SettingError(OptionError, TraitError):
    """A setting of the magics that is not right, told as our own errors are."""


class Default(TraitType[Any, Any]):
    """A trait that takes what the option of its name takes; None or an empty text is no default."""

    default_value = None
    allow_none = True

    def validate(self, _obj: Any, value: Any) -> Any:
        """The value as it was given, if the option can read it."""
        if value == "":
            return None
        try:
            read_option(str(self.name), value)
        except OptionError as error:
            wrong = SettingError(f"BatchMagics.{self.name}: {error.message}", cure=error.cure)
            tell(wrong)
            raise wrong from None
        return value


def _defaults() -> dict[str, Default]:
    """A trait for every option that may be set ahead of a line."""
    helps = {flag.key: flag.help for flag in FLAGS}
    return {
        name: Default(help=f"What cells and calls get that do not say: {helps[name]}.").tag(config=True)
        for name in default_names()
    }


@magics_class
class BatchMagics(Magics):
    """The `batch` magics of one shell; its settings are defaults of every cell and call."""

    vars().update(_defaults())
    panel = Bool(
        default_value=None,
        allow_none=True,
        help="Whether a cell that waits shows a live panel instead of its status line; unset: an array does.",
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell=shell)
        self.preset_names: set[str] = set()
        self._remember()

    @no_var_expand
    @line_cell_magic
    @told
    def batch(self, line: str, cell: str | None = None) -> Any:
        """Run a cell as an AWS Batch job (`%%batch`), or look after jobs (`%batch jobs`).

        `%%batch -h` shows the options of a cell, `%batch help` the commands.
        """
        return self._command(line) if cell is None else self.run(line, cell)

    def run(self, line: str, cell: str, preset: str | None = None) -> Any:
        """Run a cell as a job, perhaps under a preset's name."""
        read = parse_cell_line(line, preset)
        if read.wants_help:
            print(presets.help_of(preset) if preset else cell_help())  # noqa: T201 - help is what was asked for
            return None
        return run_cell(self.shell, read, cell, console_for(self.shell), has_panel=self.panel)

    @cached_property
    def matcher(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        """Tab completion over this shell's variables and the running daemon's jobs."""
        return make_matcher(live_values(self.shell))

    @observe(*default_names())
    def _remember(self, _change: Any = None) -> None:
        """What is set here holds for every cell and call of this process."""
        session.set_defaults({name: getattr(self, name) for name in default_names()})

    def _command(self, line: str) -> Any:
        call = parse_command(line)
        value = actions.ACTIONS[call.command.name](self.shell, call, getattr(self, "backend", None))
        show_unseen(value)
        return value


BatchMagics.batch.__doc__ = f"{cell_help()}\n{command_help()}"


def with_body(lines: list[str]) -> list[str]:
    """An input transformer: `%%batch -h` alone is no error of IPython's for its missing body."""
    if len(lines) == 1 and _LONE_LINE.fullmatch(lines[0].strip()) and _asks_for_help(lines[0]):
        return [lines[0].rstrip("\n") + "\n", "#\n"]
    return lines


def _asks_for_help(line: str) -> bool:
    name, *words = line.strip().removeprefix("%%").split()
    return words in (["-h"], ["--help"]) and presets.is_ours(name)


@told
def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics, those of the presets, and their completion; twice changes nothing."""
    magics = shell.magics_manager.registry.get("BatchMagics")
    if magics is None:
        magics = BatchMagics(shell)
        shell.register_magics(magics)
        shell.input_transformers_cleanup.append(with_body)
        if shell.Completer is not None:
            shell.Completer.custom_matchers.append(magics.matcher)
    presets.register_all(magics)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics, presets and completion out again; running jobs go on."""
    magics = shell.magics_manager.registry.pop("BatchMagics", None)
    if magics is None:
        return
    for name in ("batch", *magics.preset_names):
        for kind in ("line", "cell"):
            shell.magics_manager.magics[kind].pop(name, None)
    shell.input_transformers_cleanup.remove(with_body)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.remove(magics.matcher)
    session.forget()
