"""Which files of a folder are left out when it goes along: the rules of `.gitignore` files.

A folder's `.nbbatchignore` counts more than its `.gitignore`, a deeper folder's more than an upper
one's, and all of them more than `DEFAULTS`, so `!data/` in `.nbbatchignore` sends what git leaves out.
Within a repository the `.gitignore` files above the folder count, too. As in git, nothing inside an
ignored folder can be brought back. The patterns themselves are read by `pathspec`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

GIT_FILE, OWN_FILE = ".gitignore", ".nbbatchignore"
DEFAULTS = (
    ".git/",
    ".hg/",
    ".svn/",
    "__pycache__/",
    "*.py[cod]",
    ".ipynb_checkpoints/",
    ".*_cache/",
    ".cache/",
    ".tox/",
    ".nox/",
    ".venv/",
    "venv/",
    ".virtual_documents/",
    "node_modules/",
    ".DS_Store",
    ".env",
    ".netrc",
    ".aws/",
    ".ssh/",
)
"""Caches, environments, repositories, and the usual places of credentials."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The patterns of one file, named by `source`.

    Its folder is `inside` the one that goes along (`""` for that one itself), or the other way round:
    `above` is the way from its folder to that one.
    """

    source: str
    spec: GitIgnoreSpec
    inside: str = ""
    above: str = ""

    def verdict(self, path: str) -> bool | None:
        """Whether the path stays, None where no pattern says."""
        return self.spec.check_file(self.above + path.removeprefix(self.inside)).include


class Rules:
    """The rules that hold in one folder: those of its parents, then its own, later ones first.

    Parameters
    ----------
    rules : tuple of Rule
        Weakest first.
    reads_files : bool
        Whether folders inside may have rules of their own.
    """

    def __init__(self, rules: tuple[Rule, ...], *, reads_files: bool = True) -> None:
        self._rules = rules
        self._reads_files = reads_files

    @classmethod
    def defaults(cls) -> Rules:
        """Those of a folder that somebody named: whatever its own files say, it shall go."""
        return cls((_defaults(),), reads_files=False)

    @classmethod
    def of(cls, root: Path) -> Rules:
        """The rules of a working directory."""
        return cls((_defaults(), *_above(root))).within(root, "")

    def within(self, folder: Path, name: str) -> Rules:
        """The same with those of a folder inside, whose path from the root is `name`."""
        if not self._reads_files:
            return self
        own = tuple(
            Rule(file, _read(folder / file), inside=f"{name}/" if name else "")
            for file in (GIT_FILE, OWN_FILE)
            if (folder / file).is_file()
        )
        return Rules(self._rules + own) if own else self

    def why(self, name: str, *, is_folder: bool) -> str:
        """Which file says that this path stays here; empty where it goes."""
        path = f"{name}/" if is_folder else name
        for rule in reversed(self._rules):
            if (verdict := rule.verdict(path)) is not None:
                return rule.source if verdict else ""
        return ""


def _defaults() -> Rule:
    return Rule("nbbatch's own rules", GitIgnoreSpec.from_lines(DEFAULTS))


def _above(root: Path) -> Iterator[Rule]:
    """The `.gitignore` files between the repository's root and a folder inside it."""
    parents = list(root.parents)
    top = next((place for place, folder in enumerate(parents) if (folder / ".git").exists()), None)
    if top is None or (root / ".git").exists():
        return
    for folder in reversed(parents[: top + 1]):
        if (folder / GIT_FILE).is_file():
            way = f"{root.relative_to(folder).as_posix()}/"
            yield Rule(GIT_FILE, _read(folder / GIT_FILE), above=way)


def _read(path: Path) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(path.read_text(encoding="utf-8", errors="replace").splitlines())
