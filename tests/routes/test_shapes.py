"""What the front end has from Python is up to date, and readable."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from nbbatch.client.colours import KINDS
from nbbatch.jupyter.figures.palette import GROUNDS, Theme

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))


def test_the_generated_files_are_up_to_date() -> None:
    """`scripts/shapes` would change nothing in frontend/."""
    command = [sys.executable, ROOT / "scripts" / "shapes", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_member_is_documented() -> None:
    """Each shape has a docstring that names all of its members, and no other."""
    import msgspec
    from typescript import MODULES, documented, structs_of

    for kind in structs_of(MODULES):
        about, members = documented(inspect.getdoc(kind) or "")
        names = [one.name for one in msgspec.structs.fields(kind)]
        assert (kind.__name__, sorted(members)) == (kind.__name__, sorted(names))
        assert about


@pytest.mark.parametrize("theme", GROUNDS)
def test_texts_in_a_colour_can_be_read(theme: Theme) -> None:
    """The colour of each status's text has WCAG's contrast for text on every ground that it has."""
    from typescript import TEXT_CONTRAST, TEXT_GROUNDS, contrast, text_colour

    for kind, known in KINDS.items():
        for ground in (GROUNDS[theme], TEXT_GROUNDS[theme]):
            assert contrast(text_colour(known.colour, theme), ground) >= TEXT_CONTRAST, kind
