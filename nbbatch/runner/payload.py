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
    folder : str
        The bundle.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        with open(os.path.join(folder, "manifest.json"), "rb") as file:
            self.manifest: dict[str, Any] = json.load(file)

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
        """Load one item of the array."""
        entry = self.manifest["items"]
        if entry.get("is_cloud"):
            self.offer_cloudpickle()
        with self._open(entry) as file:
            return items.read_item(file, position)

    def offer_cloudpickle(self) -> None:
        """Make the client's own version of cloudpickle importable: its pickles call its functions."""
        carried = self.manifest.get("cloudpickle")
        if carried is None or "cloudpickle" in sys.modules:
            return
        sys.path.insert(0, self.blob(carried))
        import cloudpickle  # noqa: F401 - imported for those who follow

        sys.path.remove(self.blob(carried))

    def _open(self, entry: Mapping[str, Any]) -> BinaryIO:
        return open(self.blob(entry["blob"]), "rb")


def use_paths(payload: Payload) -> None:
    """Make importable what was importable in the notebook: local modules sent along, and its `sys.path`."""
    manifest = payload.manifest
    found = [folder for folder in manifest.get("path", ()) if os.path.exists(folder)]
    rest = [folder for folder in sys.path[1:] if folder not in found]
    sys.path[:] = _local_modules(payload) + found + rest


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
