"""Values of earlier jobs: where an argument was a job's handle, the job's value arrives instead.

The notebook writes a reference into the pickle, never the value: it is read here from what the earlier
job left in its own bundle, when the argument is unpickled. Batch starts this job only after that one
has succeeded, so the value is there. What the value's pickle refers to of the notebook, such as its
classes, and this job was not sent, is taken from the earlier bundle, too.
"""

from __future__ import annotations

import binascii
import io
import json
import os
import pickle
import sys

from .payload import PayloadError
from .place import place_of

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, BinaryIO

    from .payload import Payload
    from .python import Main

MOST_ATTEMPTS = 10
"""AWS Batch's limit; see `report`."""


class UpstreamError(PayloadError):
    """The value of an earlier job cannot be had."""


class _Here:
    """What this job offers to pickles of others: set before the first of them is read."""

    offer_cloudpickle: Callable[[], object] = int
    add: Callable[[str, Any], object] | None = None


def settle(payload: Payload, main: Main) -> None:
    """Read values for this payload and this `__main__` from here on."""
    _Here.offer_cloudpickle = payload.offer_cloudpickle
    _Here.add = main.add


def result_of(reference: Mapping[str, Any]) -> Any:
    """The value that a reference stands for.

    Parameters
    ----------
    reference : mapping
        `url` of the earlier bundle, `indexes` of its children, `bases` of the attempts that may have
        left the result, `place` of the item in its child (None: a list of all items of all children),
        `variable` that a cell assigned (None: the value), `job` as people call it.

    Raises
    ------
    UpstreamError
        The earlier job left no such value.
    """
    bundle = _Bundle(reference["url"], reference["job"])
    values = [
        bundle.value(stem, item, reference["variable"])
        for index in reference["indexes"]
        for stem, items in [bundle.result(index, reference["bases"])]
        for item in (items if reference["place"] is None else [items[reference["place"]]])
    ]
    return values if reference["place"] is None else values[0]


class _Bundle:
    """The bundle of an earlier job."""

    def __init__(self, url: str, job: str) -> None:
        self._place = place_of(url)
        self._job = job
        self._manifest: dict[str, Any] | None = None

    def result(self, index: int, bases: list[int]) -> tuple[str, list[Any]]:
        """Where a child's result is, and its items."""
        for number in (base + attempt for base in bases for attempt in range(1, MOST_ATTEMPTS + 1)):
            stem = f"results/{index}.{number}"
            file = self._open(f"{stem}.json")
            if file is None:
                continue
            with file:
                content = json.load(file)
            if content["status"] == "succeeded":
                return stem, content["items"]
        raise UpstreamError(f"Job {self._job}, whose value is an argument, has left no result.")

    def value(self, stem: str, item: Mapping[str, Any], variable: str | None) -> Any:
        """A value of an item; never a silent None for one that could not travel."""
        entry = item.get("value") if variable is None else item.get("variables", {}).get(variable)
        name = "its value" if variable is None else variable
        left = item.get("left_behind", {}).get("the last value" if variable is None else variable)
        if entry is not None and "same_as" in entry:
            entry = item["variables"][entry["same_as"]]
        if left is not None or (entry is None and variable is not None):
            raise UpstreamError(f"Job {self._job} has not left {name}: {left or 'it did not assign it'}.")
        return None if entry is None else self._load(entry, f"{stem}.data")

    def bring(self, name: str) -> None:
        """Make a name of the notebook known here that the earlier job was sent and this one was not."""
        manifest = self._read_manifest()
        entry = manifest.get("inputs", {}).get(name)
        if entry is not None and _Here.add is not None:
            _Here.add(name, self._load(entry, f"blobs/{entry.get('blob')}"))

    def _load(self, entry: Mapping[str, Any], path: str) -> Any:
        if "module" in entry:
            import importlib

            return importlib.import_module(entry["module"])
        if entry.get("is_cloud"):
            _Here.offer_cloudpickle()
        if "data" in entry:
            return _Unpickler(io.BytesIO(binascii.a2b_base64(entry["data"])), self).load()
        file = self._open(path)
        if file is None:
            raise UpstreamError(f"{path} of job {self._job} is gone.")
        with file:
            file.seek(entry.get("at", [0])[0])
            return _Unpickler(file, self).load()

    def _read_manifest(self) -> dict[str, Any]:
        if self._manifest is None:
            self._place.gather()
            file = self._open("manifest.json")
            if file is None:
                raise UpstreamError(f"The bundle of job {self._job} is gone.")
            with file:
                self._manifest = json.load(file)
        return self._manifest

    def _open(self, path: str) -> BinaryIO | None:
        """A file of the bundle; None where there is none."""
        is_here = os.path.exists(os.path.join(self._place.folder, path))
        return self._place.open(path) if is_here or self._place.recall(path) else None


class _Unpickler(pickle.Unpickler):
    """Finds what the earlier job's `__main__` had."""

    def __init__(self, file: Any, bundle: _Bundle) -> None:
        super().__init__(file)
        self._bundle = bundle

    def find_class(self, module: str, name: str) -> Any:
        """Pickle's hook for everything that is referred to by name."""
        first = name.partition(".")[0]
        if module == "__main__" and not hasattr(sys.modules["__main__"], first):
            self._bundle.bring(first)
        return super().find_class(module, name)
