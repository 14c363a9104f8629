"""The design as a test: floors, sizes, and documents that name only what exists."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "nbbatch").rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_MODULE = 500
LONGEST_FUNCTION = 60


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long a function is; what its docstring explains does not make it longer."""
    size = (node.end_lineno or 0) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return size
    docstring = node.body[0]
    return size - ((docstring.end_lineno or 0) - docstring.lineno + 1)


def test_imports_only_point_down_the_floors() -> None:
    """Every contract in pyproject.toml is kept."""
    lint = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [lint, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_and_stays_readable(path: Path) -> None:
    """A module has a docstring and at most 500 lines, a function at most 60 beside its docstring."""
    tree = tree_of(path)
    assert ast.get_docstring(tree), "no module docstring"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
    too_long = {
        node.name: size
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := lines_of(node)) > LONGEST_FUNCTION
    }
    assert not too_long


def test_the_runner_needs_only_the_standard_library() -> None:
    """What the runner imports at its modules' top is Python's own or the runner's."""
    foreign = {
        f"{name_of(path)}: {name}"
        for path in MODULES
        if "runner" in path.relative_to(ROOT).parts
        for name in top_level_imports(tree_of(path))
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("nbbatch.runner")
    }
    assert not foreign


def top_level_imports(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def test_boto3_is_asked_for_clients_in_two_places_only() -> None:
    """An account's clients come from `client/aws/clients.py`, the daemon's from `client/clients.py`."""
    asking = {
        name_of(path)
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import)
        and any(alias.name.partition(".")[0] == "boto3" for alias in node.names)
    }
    assert asking == {"nbbatch/client/aws/clients.py", "nbbatch/client/clients.py"}


@pytest.mark.parametrize("name", import_module("nbbatch").__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    """Each name that `nbbatch` offers leads to something, and it is documented."""
    value = getattr(import_module("nbbatch"), name)
    assert isinstance(value, str) or value.__doc__


def test_generated_pages_are_up_to_date() -> None:
    """The state diagram and the reference of flags and commands are what the code says."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def words_after(pattern: str) -> set[str]:
    """What follows the pattern inside the documents' code, fenced or inline."""
    found = set()
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for code in re.findall(r"```.*?\n(.*?)```|`([^`\n]+)`", text, re.DOTALL):
            found |= set(re.findall(pattern, "\n".join(code), re.MULTILINE))
    return found


def test_documents_name_only_words_of_make_and_scripts() -> None:
    """Every `make WORD` and `scripts/WORD` in the documents exists."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert words_after(r"^(?:\$ )?make ([a-z]+)") <= targets
    assert all((ROOT / "scripts" / word).exists() for word in words_after(r"scripts/([a-z][a-z-]*)"))
    assert targets - {"setup"} <= {path.name for path in (ROOT / "scripts").iterdir()}


def test_documents_name_only_commands_of_the_cli() -> None:
    """Every `nbbatch WORD [WORD]` in the documents is a command."""
    main = import_module("nbbatch.cli.main").main
    for first, second in words_after(r"(?:^|[(\"/] ?)nbbatch ([a-z]+)(?: ([a-z]+))?"):
        assert first in main.commands
        if hasattr(main.commands[first], "commands") and second:
            assert second in main.commands[first].commands


def test_documents_name_only_options_of_the_magics() -> None:
    """Every `%batch WORD` in the documents is a command, every flag behind `%%batch` an option."""
    commands = {command.name for command in import_module("nbbatch.jupyter.commands").COMMANDS}
    assert words_after(r"(?<!%)%batch ([a-z]+)") <= commands
    flags = {flag.name for flag in import_module("nbbatch.jupyter.flags").FLAGS}
    assert {
        flag for line in words_after(r"%%batch (.*)") for flag in re.findall(r"--([a-z-]+)", line)
    } <= flags


def test_every_word_of_the_magics_is_documented() -> None:
    """Each flag, command and switch is in the reference, each setting with its variable in its page."""
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    flags = import_module("nbbatch.jupyter.flags").FLAGS
    commands = import_module("nbbatch.jupyter.commands").COMMANDS
    assert [flag.word for flag in flags if not re.search(rf"^  {flag.word}\b", reference, re.MULTILINE)] == []
    shown = " ".join(reference.split())  # what is long is wrapped there
    assert [one.name for one in commands if f"%batch {one.usage} " not in shown] == []
    config = import_module("nbbatch.client.config")
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [f"| `{name}` | `{config.variable_of(name)}` |" for name in config.default_names()]
    assert [row for row in rows if row not in page] == []
    keys = set(config.BackendConfig.__dataclass_fields__) - {"name"}
    assert [key for key in keys if f"`{key}`" not in page.partition("## Backends")[2]] == []


def test_every_command_of_the_magic_does_something() -> None:
    """No command is without an action, and no action without a command."""
    commands = {command.name for command in import_module("nbbatch.jupyter.commands").COMMANDS}
    assert commands == set(import_module("nbbatch.jupyter.actions").ACTIONS)


def test_documents_name_only_modules_that_exist() -> None:
    """Every `folder/module.py` in the documents is a file of the package or the repository."""
    named = words_after(r"([a-z_]+/[a-z_/0-9]+\.(?:py|sql|json|ipynb))")
    missing = {name for name in named if not ((ROOT / name).exists() or (ROOT / "nbbatch" / name).exists())}
    assert not missing
