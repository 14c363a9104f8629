"""The words of `%batch`: one table from which parsing, help and completion are made."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from nbbatch.errors import OptionError
from nbbatch.jupyter.words import split_line

_USAGE_WIDTH, _HELP_WIDTH = 24, 92
"""Columns of the help: for what is typed, and for all of a line."""


@dataclass(frozen=True, slots=True)
class Switch:
    """An option of a command; `metavar` is empty where it takes no value."""

    words: tuple[str, ...]
    metavar: str = ""

    @property
    def key(self) -> str:
        """As Python names it."""
        return self.words[-1].lstrip("-").replace("-", "_")


@dataclass(frozen=True, slots=True)
class Command:
    """One word of `%batch`; `takes_job` tells that it needs a job's id or name, `may_take` what it may have.

    `rest` names what the rest of its line is, where that is not read here.
    """

    name: str
    help: str
    takes_job: bool = False
    switches: tuple[Switch, ...] = ()
    may_take: str = ""
    rest: str = ""

    @property
    def usage(self) -> str:
        """How it is typed: `logs ID [-f] [--tail N]`."""
        options = [
            f"[{switch.words[0]}{' ' + switch.metavar if switch.metavar else ''}]" for switch in self.switches
        ]
        word = ["ID"] if self.takes_job else [f"[{self.may_take}]"] if self.may_take else []
        return " ".join([self.name, *word, *options, *([f"[{self.rest}]"] if self.rest else [])])


_WHICH_JOBS = (
    Switch(("--queue",), "NAME"),
    Switch(("--status",), "STATUS"),
    Switch(("--name",), "NAME"),
    Switch(("--since",), "TIME"),
    Switch(("--tag",), "KEY[=VALUE]"),
    Switch(("--limit",), "N"),
)

COMMANDS = (
    Command("jobs", "the newest jobs (20 unless --limit says more)", switches=_WHICH_JOBS),
    Command("job", "how a job stands; gives its handle", takes_job=True),
    Command(
        "logs",
        "what a job printed",
        takes_job=True,
        switches=(Switch(("-f", "--follow")), Switch(("--tail",), "N")),
    ),
    Command("why", "why a job waits, or why it failed", takes_job=True),
    Command("resize", "what the next run of a job should ask for, by what it used", takes_job=True),
    Command("events", "what happened to a job, oldest first", takes_job=True),
    Command("timeline", "when a job was in which state, and for how long", takes_job=True),
    Command(
        "attach",
        "wait for a job and bring its outputs and variables here",
        takes_job=True,
        switches=(Switch(("--out",), "A,B"),),
    ),
    Command(
        "panel",
        "a live panel of a job, else of the newest; also queue, fleet, cost",
        may_take="ID",
        switches=(Switch(("--name",), "NAME"), Switch(("--since",), "TIME")),
    ),
    Command("cancel", "take a job back before it starts", takes_job=True),
    Command("terminate", "stop a job, also a running one", takes_job=True),
    Command("retry", "submit an ended job again; of an array, its failed items", takes_job=True),
    Command(
        "interrupt",
        "take the host of a job back, as Spot does: on this machine, to rehearse it",
        takes_job=True,
        switches=(Switch(("--notice",), "N"),),
    ),
    Command("queues", "the job queues and what waits in them; with NAME the panel of one", may_take="NAME"),
    Command("fleet", "the hosts, what runs on them and what is idle"),
    Command("launch", "a form that chooses what a job gets and writes its line", rest="OPTIONS"),
    Command(
        "cost",
        "what a job has cost; without ID what the last days cost, by queue",
        may_take="ID",
        switches=(Switch(("--days",), "N"),),
    ),
    Command(
        "backend", "the backends and which one is used; with NAME use that one from here on", may_take="NAME"
    ),
    Command(
        "config",
        "every setting, its value and where it comes from",
        switches=(Switch(("--preset",), "NAME"), Switch(("--backend",), "NAME")),
    ),
    Command("doctor", "what is in order and what is not, here and on a backend", may_take="NAME"),
    Command("help", "this list"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A line of `%batch`, read: the command, the job (or other word) it is about, its options by key.

    `rest` is the rest of the line as it stands, of a command that reads it itself.
    """

    command: Command
    job: str
    options: dict[str, Any]
    rest: str = ""


def parse_command(line: str) -> Call:
    """Read the line of a `%batch` magic; an empty one asks for help.

    Raises
    ------
    OptionError
        For an unknown command or option, or a missing or surplus word.
    """
    words = split_line(line) or ["help"]
    command = _command("help" if words[0] in ("-h", "--help") else words[0])
    if command.rest:
        return Call(command, "", {}, line.strip().removeprefix(words[0]).strip())
    options, rest = _read_switches(command, words[1:])
    wanted = 1 if command.takes_job else 0
    if len(rest) < wanted:
        raise OptionError(f"%batch {command.name} needs a job's id or name.", cure="%batch jobs lists them.")
    allowed = 1 if command.may_take else wanted
    if len(rest) > allowed:
        raise OptionError(
            f"%batch {command.name} does not know what to do with {rest[allowed]!r}.",
            cure=f"It is written %batch {command.usage}.",
        )
    return Call(command, rest[0].rstrip("…") if rest else "", options)


def command_help() -> str:
    """The text of `%batch help`."""
    lines = [line for command in COMMANDS for line in _help_lines(command)]
    return "\n".join(
        [
            "Commands (ID: a job's id or its beginning, its name, or the variable of its handle):",
            *lines,
            "",
            "%%batch -h shows the options of a cell.",
        ]
    )


def _help_lines(command: Command) -> list[str]:
    """One line, or where it is written long two: a notebook is not wide."""
    if len(command.usage) <= _USAGE_WIDTH:
        return [f"  %batch {command.usage:<{_USAGE_WIDTH}}  {command.help}"]
    usage = re.sub(
        r"(\[-[^ ]+) ", "\\1\N{NO-BREAK SPACE}", f"%batch {command.usage}"
    )  # a switch stays together
    lines = textwrap.wrap(usage, _HELP_WIDTH, subsequent_indent=" " * 4)
    return [
        *(f"  {line}".replace("\N{NO-BREAK SPACE}", " ") for line in lines),
        f"  {'':<{_USAGE_WIDTH + 7}}  {command.help}",
    ]


def _command(word: str) -> Command:
    for command in COMMANDS:
        if command.name == word:
            return command
    names = [command.name for command in COMMANDS]
    near = get_close_matches(word, names, n=1)
    hint = f"Did you mean %batch {near[0]}?" if near else f"It has {', '.join(names)}."
    raise OptionError(f"%batch has no command {word!r}.", cure=hint)


def _read_switches(command: Command, words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    options: dict[str, Any] = {}
    rest: list[str] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if not word.startswith("-"):
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        switch = _switch(command, name)
        options[switch.key] = _value(command, switch, value if equals else None, pending)
    return options, rest


def _switch(command: Command, word: str) -> Switch:
    for switch in command.switches:
        if word in switch.words:
            return switch
    raise OptionError(
        f"%batch {command.name} has no option {word}.", cure=f"It is written %batch {command.usage}."
    )


def _value(command: Command, switch: Switch, given: str | None, pending: list[str]) -> Any:
    if not switch.metavar:
        return True
    if given is None and not pending:
        raise OptionError(f"{switch.words[0]} needs a value.", cure=f"It is written %batch {command.usage}.")
    text = pending.pop(0) if given is None else given
    return _number(switch, text) if switch.metavar == "N" else text


def _number(switch: Switch, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise OptionError(f"{switch.words[0]} takes a whole number, not {text!r}.", cure="Write it like 20.")
    return int(text)
