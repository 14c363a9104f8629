"""Rows of delivery rules: what goes where, and the place in the feed behind which each goes on."""

from __future__ import annotations

from typing import Any, TypeVar

from nbbatch.daemon.database import Database
from nbbatch.daemon.feed_rows import Place
from nbbatch.daemon.rowcodec import decode, encode

T = TypeVar("T")


class DeliveryRows:
    """The rules of one database; each write is durable when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, kind: type[T]) -> list[tuple[T, Place]]:
        """All rules by name, with their places."""
        rows = self._database.read("read_deliveries")
        return [(decode(kind, rule), Place(tick, number)) for rule, tick, number in rows]

    def write(self, name: str, rule: Any, place: Place) -> None:
        """Keep a rule, new or changed."""
        self._write("write_delivery", (name, encode(rule), *place))

    def move(self, name: str, place: Place) -> None:
        """Everything up to this place is delivered."""
        self._write("move_delivery", (*place, name))

    def delete(self, name: str) -> None:
        """Forget a rule."""
        self._write("delete_delivery", (name,))

    def _write(self, query: str, row: tuple[Any, ...]) -> None:
        with self._database.transaction():
            self._database.write(query, [row])
