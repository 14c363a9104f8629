"""The documents lead somewhere: the site builds without a dead link, and every page is found from its contents."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]


def listed(entry: object) -> Iterator[str]:
    """Pages of a navigation."""
    match entry:
        case str():
            yield entry
        case list():
            for one in entry:
                yield from listed(one)
        case dict():
            for one in entry.values():
                yield from listed(one)


def test_the_site_builds_without_a_dead_link(tmp_path: Path) -> None:
    """Every link and anchor between the pages of docs/ leads somewhere."""
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    zensical = Path(sysconfig.get_path("scripts")) / "zensical"
    done = subprocess.run(
        [zensical, "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "What if" in (tmp_path / "build" / "site" / "index.html").read_text(encoding="utf-8")


def test_every_page_is_in_the_contents() -> None:
    """The site's navigation names each page of docs/ once, and no other."""
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    assert sorted(listed(settings["project"]["nav"])) == sorted(
        path.name for path in (ROOT / "docs").glob("*.md")
    )


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path.name)
def test_links_of_the_other_documents_lead_somewhere(path: Path) -> None:
    """A relative link of README, CONTRIBUTING or CHANGELOG is a file of the repository."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    here = [link for link in links if "://" not in link]
    assert not [link for link in here if not (ROOT / link).exists()]


def test_every_picture_is_shown_small_and_told_in_words() -> None:
    """Pictures of pages and README exist, have a text in their place, and none lies unused or is large."""
    shown: set[Path] = set()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for words, link in re.findall(r"!\[(.*?)\]\((.+?)\)", page.read_text(encoding="utf-8")):
            assert words, f"{page.name}: {link}"
            shown.add(page.parent / link)
    kept = set((ROOT / "docs" / "pictures").iterdir())
    assert {path.name for path in shown} == {path.name for path in kept}
    assert [path.name for path in kept if path.stat().st_size > 100_000] == []
