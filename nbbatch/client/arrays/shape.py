"""How an array's items lie over its children, and its bundle's own word on both.

Everything here can be read from the bundle alone, so an array found again by its id knows its items
as well as the handle that submitted it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from nbbatch.client.handles.references import know_references
from nbbatch.client.store import Store
from nbbatch.errors import ResultLostError
from nbbatch.runner.items import ItemFile, as_rows, read_item

MOST_CHILDREN = 10_000
"""AWS Batch's largest array."""

_RESULT = re.compile(r"(?:.*/)?(\d+)\.(\d+)\.(json|items)")


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """So many items, `chunk` of them to a child; the last child may have fewer."""

    items: int
    chunk: int

    @property
    def children(self) -> int:
        """Number of children."""
        return -(-self.items // self.chunk)

    def child_of(self, position: int) -> int:
        """Which child runs an item."""
        return position // self.chunk

    def positions(self, index: int) -> range:
        """Which items a child runs."""
        return range(index * self.chunk, min((index + 1) * self.chunk, self.items))


def chunk_for(items: int) -> int:
    """The smallest number of items per child with which an array is not too large."""
    return max(1, -(-items // MOST_CHILDREN))


@dataclass(frozen=True, slots=True)
class ArrayBundle:
    """The bundle of an array: what can be known of its items without its job.

    Parameters
    ----------
    store, bundle_id : Store, str
        Where it is.
    shape : ArrayShape
        How its items lie over the children.
    blob : str
        The blob with all items, each readable by itself.
    is_call : bool
        Whether an item is a call's arguments.
    rows : int
        Rows in each block where the items are a table's; 0 where they are not.
    measured_as : str
        By what its items' durations are remembered; empty where they are not.
    """

    store: Store
    bundle_id: str
    shape: ArrayShape
    blob: str
    is_call: bool
    rows: int = 0
    measured_as: str = ""

    def input(self, position: int) -> Any:
        """One item as it was given: a call's keyword arguments as a dict, its only argument by itself."""
        know_references()
        with self._open() as file:
            if self.rows:
                return as_rows(read_item(file, position // self.rows)).iloc[position % self.rows]
            item = read_item(file, position)
        return input_of_call(*item) if self.is_call else item

    def inputs(self) -> Iterator[Any]:
        """All items in order, the rows of a table as DataFrames of some rows each."""
        with self._open() as file:
            items = ItemFile(file)
            for number in range(-(-self.shape.items // (self.rows or 1))):
                item = items.read(number)
                yield input_of_call(*item) if self.is_call and not self.rows else item

    def _open(self) -> BinaryIO:
        return self.store.open(self.bundle_id, f"blobs/{self.blob}")

    def newest_attempts(self) -> dict[int, int]:
        """Children that have left a result, of whatever kind, and the last attempt that did.

        One listing at any size; a retry's attempts count on from those of the job it repeats.
        """
        return self.left()[0]

    def left(self) -> tuple[dict[int, int], dict[int, int]]:
        """Attempts by child: the newest that left a result, and the newest that left items and no result."""
        newest: dict[str, dict[int, int]] = {"json": {}, "items": {}}
        for path in self.store.list(self.bundle_id, "results"):
            match = _RESULT.fullmatch(path)
            if match:
                index, attempt = int(match[1]), int(match[2])
                found = newest[match[3]]
                found[index] = max(attempt, found.get(index, 0))
        return newest["json"], newest["items"]


def read_array(store: Store, bundle_id: str) -> ArrayBundle | None:
    """The array in a bundle, None where it holds a single job.

    Raises
    ------
    ResultLostError
        The bundle is gone.
    """
    try:
        with store.open(bundle_id, "manifest.json") as file:
            manifest = json.load(file)
    except (FileNotFoundError, ValueError) as error:
        raise ResultLostError(
            f"The bundle {bundle_id} of the array is gone or damaged: {error}.", cure="Submit it again."
        ) from error
    entry = manifest.get("items")
    if entry is None:
        return None
    shape = ArrayShape(entry["count"], manifest["chunk"])
    return ArrayBundle(
        store,
        bundle_id,
        shape,
        entry["blob"],
        manifest["kind"] in ("call", "notebook"),
        rows=entry.get("rows", 0),
        measured_as=manifest.get("measured_as", ""),
    )


def input_of_call(args: Any, kwargs: Any) -> Any:
    """What people call the input of a call."""
    if kwargs and not args:
        return dict(kwargs)
    return args[0] if len(args) == 1 and not kwargs else (args, kwargs)
