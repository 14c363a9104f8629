"""A request as the answers see it: query, body, whose backend, and paths below the server's root."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nbbatch.errors import OptionError
from nbbatch.jupyter.routes.lanes import Lane, Lanes
from nbbatch.jupyter.routes.problems import NotFoundError, at, number

_WHOLE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}([:#](0|[1-9]\d{0,5}))?")
"""Here nobody acts on a name, or on the first letters of an id."""


class Contents(Protocol):
    """Paths below the server's root, as its contents manager reaches them."""

    @property
    def root(self) -> Path:
        """The root itself."""

    def place(self, path: str) -> Path:
        """The file behind a path.

        Raises
        ------
        NotFoundError
            It leads out of the root, or is hidden.
        """

    def path(self, place: Path) -> str | None:
        """The path of a file; None outside of the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request.

    Parameters
    ----------
    query : mapping of str to str
        The last value of each query parameter.
    body : Any
        The request's shape; None for GET.
    lane : Lane
        The backend's.
    lanes : Lanes
        Of all backends.
    contents : Contents
        Of the server.
    folder : Path
        Whose settings hold.
    job_id, index : str
        From the path; empty where it has none.
    """

    query: Mapping[str, str]
    body: Any
    lane: Lane
    lanes: Lanes
    contents: Contents
    folder: Path
    job_id: str = ""
    index: str = ""

    def number(self, name: str, default: float, *, lowest: float, highest: float) -> float:
        """A number of the query."""
        text = self.query.get(name, "")
        return number(name, text, lowest=lowest, highest=highest) if text else default

    def flag(self, name: str) -> bool:
        """Whether a flag of the query is set."""
        text = self.query.get(name, "")
        with at(name):
            if text not in ("", "0", "1", "false", "true"):
                raise OptionError(f"{name} does not understand {text[:40]!r}.", cure="It takes 0 or 1.")
        return text in ("1", "true")

    @property
    def target(self) -> str:
        """The id of the job or of the array's child that is meant."""
        target = f"{self.job_id}:{self.index}" if self.index else self.job_id
        if not _WHOLE_ID.fullmatch(target):
            raise NotFoundError(f"{target[:60]!r} is no job's whole id.", cure="The list has them.")
        return target
