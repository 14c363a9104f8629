"""The bundle as the job sees it: a folder with a manifest and blobs."""

from __future__ import annotations

import json
import os
import sys

from . import items, pickling

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    from .place import Folder

MANIFEST_VERSION = 1


class PayloadError(Exception):
    """The payload cannot run here; the text says why and what to do."""


class EnvironmentMismatchError(PayloadError):
    """The image's Python or packages do not fit; named as in the client's error tree."""


class StoreError(PayloadError, OSError):
    """The result cannot be written; named as in the client's error tree."""


class UnpicklableError(PayloadError):
    """A value cannot travel; named as in the client's error tree."""


class Payload:
    """A bundle's manifest, and its blobs on demand.

    Parameters
    ----------
    place : Folder
        The bundle.
    """

    def __init__(self, place: Folder) -> None:
        self.folder = place.folder
        self._place = place
        with place.open("manifest.json") as file:
            self.manifest: dict[str, Any] = json.load(file)
        self._items: items.ItemFile | None = None
        self._block: tuple[int, Any] = (-1, None)

    def check(self) -> None:
        """Refuse what this interpreter cannot run.

        Raises
        ------
        PayloadError
            The manifest is of another version, or the code of another Python.
        """
        if self.manifest["version"] != MANIFEST_VERSION:
            raise PayloadError(
                f"The bundle is of version {self.manifest['version']}, the runner of {MANIFEST_VERSION}. Submit the job again."
            )
        here = "{}.{}".format(*sys.version_info[:2])
        wanted = self.manifest.get("python", here)
        if here != wanted:
            raise EnvironmentMismatchError(
                f"The notebook runs Python {wanted}, the job's image has Python {here}: code and pickles do not "
                f"fit. Use an image with Python {wanted}, such as python:{wanted}-slim."
            )

    def blob(self, name: str) -> str:
        """Path of a blob."""
        return os.path.join(self.folder, "blobs", name)

    def load(self, entry: Mapping[str, Any], name: str) -> Any:
        """Load the value of an entry; `name` is for the error.

        Raises
        ------
        PayloadError
            The image lacks a package the value is made of, or the value's own code refuses.
        """
        if entry.get("is_cloud"):
            self.offer_cloudpickle()
        try:
            return pickling.decode(entry, self._open)
        except ImportError as error:
            raise EnvironmentMismatchError(
                f"{name} needs the package {error.name or '?'}, which the job's image does not have ({error})."
                " Use an image that has it."
            ) from error
        except PayloadError:
            raise
        except Exception as error:
            raise UnpicklableError(
                f"{name} cannot be unpickled in the job: {type(error).__name__}: {error}"
            ) from error

    def item(self, position: int) -> Any:
        """Load one item of the array: a call's arguments, a cell's variable."""
        entry = self.manifest["items"]
        if entry.get("is_cloud"):
            self.offer_cloudpickle()
        if self._items is None:
            self._items = items.ItemFile(self._open(entry))
        if not entry.get("rows"):
            return self._items.read(position)
        row = self._row(self._items, position, entry["rows"])
        return ((row,), {}) if self.manifest["kind"] == "call" else row

    def _row(self, blocks: items.ItemFile, position: int, rows: int) -> Any:
        """A row of a table, which lies there in blocks of so many rows."""
        number = position // rows
        if self._block[0] != number:
            self._block = number, items.as_rows(blocks.read(number))
        return self._block[1].iloc[position % rows]

    def offer_cloudpickle(self) -> None:
        """Make the client's own version of cloudpickle importable: its pickles call its functions."""
        carried = self.manifest.get("cloudpickle")
        if carried is None or "cloudpickle" in sys.modules:
            return
        sys.path.insert(0, self.blob(carried))
        import cloudpickle  # noqa: F401 - imported for those who follow

        sys.path.remove(self.blob(carried))

    def _open(self, entry: Mapping[str, Any]) -> BinaryIO:
        return self._place.open(f"blobs/{entry['blob']}")


def use_paths(payload: Payload) -> None:
    """Make importable what was importable in the notebook: local modules sent along, and its `sys.path`.

    Behind all that comes the runner's own archive, which has a little `nbbatch` for images without one.
    """
    manifest = payload.manifest
    found = [folder for folder in manifest.get("path", ()) if os.path.exists(folder)]
    rest = [folder for folder in sys.path[1:] if folder not in found]
    sent = [os.getcwd()] if manifest.get("files") else []  # modules among them, as in the notebook's folder
    sys.path[:] = [*_local_modules(payload), *sent, *found, *rest, sys.path[0]]


def _local_modules(payload: Payload) -> list[str]:
    if not payload.manifest.get("local_modules"):
        return []
    blob = payload.blob(payload.manifest["local_modules"])
    if not payload.manifest["unpacks_modules"]:
        return [blob]
    import tempfile
    import zipfile

    folder = tempfile.mkdtemp(prefix="nbbatch-modules-")
    with zipfile.ZipFile(blob) as archive:
        archive.extractall(folder)
    return [folder]
