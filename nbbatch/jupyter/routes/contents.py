"""Paths below the server's root, through its contents manager: what that hides or refuses is not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_core.paths import is_hidden
from tornado.web import HTTPError

from nbbatch.errors import ConfigurationError
from nbbatch.jupyter.routes.problems import NotFoundError

_LONGEST = 4096


class ServerContents:
    """The files of one server.

    Parameters
    ----------
    manager : ContentsManager
        The server's; one that keeps no files refuses each path.
    """

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    @property
    def root(self) -> Path:
        """The root; the working folder where the contents are no files."""
        return _absolute(getattr(self._manager, "root_dir", "") or ".")

    def place(self, path: str) -> Path:
        """The file behind a path; see `Contents`."""
        reach = getattr(self._manager, "get_os_path", None) or getattr(self._manager, "_get_os_path", None)
        if reach is None:
            raise ConfigurationError(
                "This server keeps its notebooks somewhere else than in files.",
                cure="Submit from the notebook.",
            )
        refused = NotFoundError(
            f"There is no {path[:200]!r} below the server's root.", cure="Check the path."
        )
        if len(path) > _LONGEST or "\0" in path:
            raise refused
        try:
            place = _absolute(reach(path.strip("/")))
            hides = not self._manager.allow_hidden and is_hidden(str(place), str(self.root))
        except (HTTPError, OSError, ValueError):
            raise refused from None
        if hides:
            raise refused
        return place

    def path(self, place: Path) -> str | None:
        """The path of a file; see `Contents`."""
        try:
            return _absolute(place).relative_to(self.root).as_posix()
        except ValueError:
            return None


def _absolute(place: str | Path) -> Path:
    """As the contents manager compares paths: a link stays the link that it is."""
    return Path(os.path.abspath(place))  # noqa: PTH100 - resolve() follows links
