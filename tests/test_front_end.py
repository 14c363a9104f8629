"""The front end and the package are one: their versions, and what the lock file may name."""

from __future__ import annotations

import json
from pathlib import Path

from nbbatch.version import __version__

FRONT_END = Path(__file__).resolve().parent.parent / "frontend"


def test_the_front_end_has_the_version_of_the_package() -> None:
    """JupyterLab shows package.json's version as the extension's."""
    assert json.loads((FRONT_END / "package.json").read_text())["version"] == __version__


def test_the_lock_file_names_no_download_address() -> None:
    """Packages come from whichever registry npm is set to, by name, version and hash."""
    lock = json.loads((FRONT_END / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
