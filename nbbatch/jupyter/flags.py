"""The flags of `%%batch` as one table: parser, help text and completion are all made from it.

What a flag's value means is decided by `nbbatch.client.options`, the same for Python keywords; here
is only what belongs to a cell: what travels, how often it runs, and whether the notebook waits.
"""

from __future__ import annotations

import argparse
import itertools
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NoReturn

from nbbatch.client.options import Options
from nbbatch.errors import OptionError
from nbbatch.jupyter.words import split_line

_NEGATIVE = re.compile(r"-[\d.]")


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag; without `metavar` it takes no value, with `[metavar]` it may do without one.

    `many` flags may be given several times.
    """

    group: str
    name: str
    metavar: str
    help: str
    many: bool = False

    @property
    def word(self) -> str:
        """As it is typed: `--dry-run`."""
        return f"--{self.name}"

    @property
    def key(self) -> str:
        """As Python names it: `dry_run`."""
        return self.name.replace("-", "_")


_TRAVELS, _WHERE, _LIFE, _FLOW = "What travels", "Where it runs", "How it runs", "What the notebook does"

FLAGS = (
    Flag(_TRAVELS, "in", "A,B", "variables the cell needs; left out: the free names of the cell", many=True),
    Flag(_TRAVELS, "out", "A,B", "variables that come back; left out: the names the cell assigns", many=True),
    Flag(
        _TRAVELS,
        "keep-handles",
        "",
        "handles stay handles; left out: a job's handle is its value in the cell, which waits for that job",
    ),
    Flag(
        _TRAVELS, "array", "ITEMS", "run the cell once per item of this Python expression, as one array job"
    ),
    Flag(_TRAVELS, "item", "NAME", "the variable that holds the item in an array cell (default: item)"),
    Flag(_TRAVELS, "value-limit", "SIZE", "size above which a value has to be named by --in (default: 256M)"),
    Flag(_TRAVELS, "lang", "CMD", "the cell is a script for this program, such as bash, not Python"),
    Flag(
        _TRAVELS,
        "files",
        "PATHS",
        "files, folders, patterns the job finds in its working directory",
        many=True,
    ),
    Flag(
        _TRAVELS,
        "workdir",
        "[FOLDER]",
        "send all of the working directory, or of FOLDER, but what its ignore files name",
    ),
    Flag(_TRAVELS, "fetch", "PATHS", "patterns of files that come back from there, such as out/", many=True),
    Flag(_TRAVELS, "fetch-to", "FOLDER", "where they come back to (default: the working directory)"),
    Flag(_WHERE, "backend", "NAME", "local, or another configured backend"),
    Flag(_WHERE, "preset", "NAME", "options that stand together under a name, as in %%NAME"),
    Flag(_WHERE, "like", "JOB", "queue, image, resources and so on of this job; JOB.resized(): right-sized"),
    Flag(_WHERE, "queue", "NAME", "job queue; %batch queues lists them"),
    Flag(_WHERE, "vcpus", "N", "vCPUs: 0.25, 0.5 or a whole number"),
    Flag(_WHERE, "memory", "AMOUNT", "memory, such as 512M or 4G"),
    Flag(_WHERE, "gpus", "N", "GPUs"),
    Flag(_WHERE, "spot", "", "use Spot capacity: cheaper, may be interrupted"),
    Flag(_WHERE, "on-demand", "", "do not use Spot capacity"),
    Flag(_WHERE, "image", "IMAGE", "container image (default: this Python environment)"),
    Flag(_WHERE, "definition", "NAME[:REV]", "a registered job definition instead of an image"),
    Flag(_LIFE, "name", "NAME", "name of the job"),
    Flag(_LIFE, "env", "K=V", "environment variable of the job", many=True),
    Flag(_LIFE, "timeout", "TIME", "stop an attempt after this long: 90s, 10m, 2h"),
    Flag(
        _LIFE, "max-cost", "DOLLARS", "stop the job when it has cost this much, retries and children included"
    ),
    Flag(_LIFE, "retries", "N", "attempts after a failed first one, 0 to 9"),
    Flag(_LIFE, "depends", "JOB", "a job (id or variable of a handle) that must succeed first", many=True),
    Flag(_LIFE, "after", "JOB", "the same as --depends", many=True),
    Flag(_LIFE, "tags", "K=V", "tag of the job", many=True),
    Flag(_LIFE, "priority", "N", "scheduling priority within its share (fair-share queues)"),
    Flag(_LIFE, "share", "NAME", "share identifier (fair-share queues)"),
    Flag(_FLOW, "wait", "", "wait for the job and show its outputs here (default)"),
    Flag(_FLOW, "detach", "", "submit and go on with the next cell"),
    Flag(_FLOW, "as", "NAME", "bind the job's handle to this variable and go on"),
    Flag(_FLOW, "panel", "", "show a live panel in the place of the status line (default of an array)"),
    Flag(_FLOW, "no-panel", "", "keep the status line"),
    Flag(_FLOW, "cache", "", "take the result of an earlier job of the same code, inputs and image"),
    Flag(_FLOW, "no-cache", "", "run it, although a setting says --cache"),
    Flag(_FLOW, "local", "", "run the cell here, in a process of its own, as a job would run it"),
    Flag(_FLOW, "dry-run", "", "show what would be sent and what it may cost; send nothing"),
)

_CELL_KEYS = frozenset(
    (
        "in",
        "out",
        "array",
        "item",
        "lang",
        "wait",
        "detach",
        "as",
        "dry_run",
        "on_demand",
        "no_cache",
        "panel",
        "no_panel",
        "local",
        "keep_handles",
    )
)
_USAGE = """%%batch [options]
<the cell>"""
_ABOUT = "Run this cell as an AWS Batch job and show its outputs here, as if it had run here."
_MORE = """examples:
  %%batch --vcpus 2 --memory 4G
  %%batch --in df,model --out scores --spot
  %%batch --array range(20) --item seed --out score
  %%batch --lang bash --timeout 10m
  %%batch --dry-run --timeout 2h --retries 3

Values with blanks go in quotes: --env GREETING="hello world". Nothing is expanded: $x stays $x.
Afterwards: %batch jobs, %batch logs ID, %batch attach ID, %batch help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """What stood on the line of a `%%batch` cell.

    Parameters
    ----------
    options : Options
        Where and how the job runs.
    inputs, outputs : tuple of str, or None
        Variables named by `--in` and `--out`; None: to be inferred.
    array : str or None
        Python expression of the items; None for a single job.
    item : str
        Variable that holds the item.
    language : str or None
        Program that runs the cell; None for Python.
    bind : str or None
        Variable that gets the handle.
    panel : bool or None
        A live panel in the place of the status line; None: as the setting says.
    detach, dry_run, local, wants_help : bool
        Do not wait; do not send; run it here; only print the help.
    keep_handles : bool
        Handles among the variables are sent as such, not as the values of their jobs.
    """

    options: Options = field(default_factory=Options)
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    array: str | None = None
    item: str = "item"
    language: str | None = None
    bind: str | None = None
    panel: bool | None = None
    detach: bool = False
    dry_run: bool = False
    local: bool = False
    wants_help: bool = False
    keep_handles: bool = False


def parse_cell_line(line: str, preset: str | None = None) -> CellLine:
    """Read the line of a `%%batch` cell.

    Parameters
    ----------
    line : str
        What stands behind `%%batch`.
    preset : str, optional
        The preset by whose name the cell was called: `gpu` in `%%gpu`.

    Raises
    ------
    OptionError
        For an unknown, malformed or contradictory option; nothing has been sent then.
    """
    given = vars(_parse(split_line(line)))
    if given.pop("help"):
        return CellLine(wants_help=True)
    given["preset"] = given["preset"] or preset
    _check_together(given)
    return CellLine(
        options=_options(given),
        inputs=_names("--in", given["in"]),
        outputs=_names("--out", given["out"]),
        array=given["array"],
        item=_one_name("--item", given["item"] or "item"),
        language=None if given["lang"] in (None, "python") else given["lang"],
        bind=None if given["as"] is None else _one_name("--as", given["as"]),
        panel=True if given["panel"] else False if given["no_panel"] else None,
        detach=bool(given["detach"] or (given["as"] and not given["wait"])),
        dry_run=given["dry_run"],
        local=given["local"],
        keep_handles=given["keep_handles"],
    )


def cell_help() -> str:
    """The help text of `%%batch -h`."""
    return _build_parser().format_help()


def nearest_flag(word: str) -> str:
    """A sentence that names the known flag nearest to a mistyped one."""
    name = word.partition("=")[0]
    near = get_close_matches(name, [flag.word for flag in FLAGS], n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"{hint}%%batch -h shows all options."


class _Parser(argparse.ArgumentParser):
    """Argparse that raises our error; it neither prints nor exits."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"%%batch: {message}.", cure="%%batch -h shows all options.")


def _build_parser() -> _Parser:
    parser = _Parser(
        prog="%%batch",
        usage=_USAGE.replace("%", "%%"),
        description=_ABOUT,
        epilog=_MORE,
        add_help=False,
        allow_abbrev=False,
        formatter_class=lambda prog: _Help(prog, max_help_position=24, width=100),
    )
    groups = {name: parser.add_argument_group(name) for name in (_TRAVELS, _WHERE, _LIFE, _FLOW)}
    for flag in FLAGS:
        groups[flag.group].add_argument(flag.word, dest=flag.key, **_form(flag))
    groups[_FLOW].add_argument("-h", "--help", action="store_true", help="show this text")
    return parser


def _form(flag: Flag) -> dict[str, Any]:
    text = flag.help.replace("%", "%%")
    if not flag.metavar:
        return {"action": "store_true", "help": text}
    if flag.metavar.startswith("["):
        return {"nargs": "?", "const": ".", "metavar": flag.metavar.strip("[]"), "help": text}
    return {"action": "append" if flag.many else "store", "metavar": flag.metavar, "help": text}


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' line ends."""


def _parse(words: Sequence[str]) -> argparse.Namespace:
    namespace, unknown = _build_parser().parse_known_args(list(_with_negatives(words)))
    flags = [word for word in unknown if word.startswith("-")]
    if flags:
        raise OptionError(f"%%batch has no option {flags[0].partition('=')[0]}.", cure=nearest_flag(flags[0]))
    if unknown:
        raise OptionError(
            f"%%batch does not know what to do with {unknown[0]!r}.",
            cure="Options start with --, and a value with blanks goes in quotes. %%batch -h shows all options.",
        )
    return namespace


def _with_negatives(words: Sequence[str]) -> Iterator[str]:
    """The words, with `-4G` as the value of the flag before it: no flag begins with a digit."""
    takes_value = {flag.word for flag in FLAGS if flag.metavar}
    is_taken = False
    for word, after in itertools.zip_longest(words, words[1:], fillvalue=""):
        if not is_taken:
            is_taken = word in takes_value and bool(_NEGATIVE.match(after))
            yield f"{word}={after}" if is_taken else word
        else:
            is_taken = False


def _check_together(given: Mapping[str, Any]) -> None:
    excluding = (
        ("spot", "on_demand"),
        ("wait", "detach"),
        ("image", "definition"),
        ("spot", "queue"),
        ("local", "detach"),
        ("local", "as"),
        ("local", "cache"),
        ("cache", "no_cache"),
        ("panel", "no_panel"),
        ("local", "depends"),
        ("local", "after"),
        ("local", "dry_run"),
    )
    for one, other in excluding:
        if given[one] and given[other]:
            raise OptionError(
                f"{_word(one)} and {_word(other)} exclude each other.", cure="Give one of them."
            )
    if given["item"] and not given["array"]:
        raise OptionError(
            "--item names the item of an array, and there is no --array.", cure="Add --array ITEMS."
        )


def _word(key: str) -> str:
    return "--" + key.replace("_", "-")


def _options(given: Mapping[str, Any]) -> Options:
    named = {key: value for key, value in given.items() if key not in _CELL_KEYS}
    named |= {key: _paths(given[key]) for key in ("files", "fetch")}
    named["cache"] = True if given["cache"] else False if given["no_cache"] else None
    named["spot"] = True if given["spot"] else False if given["on_demand"] else None
    jobs = [*(given["depends"] or ()), *(named.pop("after") or ())]
    named["depends"] = [job for text in jobs for job in text.split(",")] or None
    return Options.parse(named)


def _paths(given: Sequence[str] | None) -> list[str] | None:
    """Paths, separated by commas or given one by one."""
    return None if given is None else [path.strip() for text in given for path in text.split(",")]


def _names(word: str, given: Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = [name.strip() for text in given for name in text.split(",")]
    return tuple(dict.fromkeys(_one_name(word, name) for name in names if name))


def _one_name(word: str, name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise OptionError(
            f"{word} takes names of variables, and {name!r} is none.", cure="Use names like df or x1."
        )
    return name
