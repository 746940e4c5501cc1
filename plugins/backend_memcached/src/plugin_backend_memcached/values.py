"""Values of any size: what is too large for one item is cut into pieces, and the item says where they are.

Pieces have names that nobody used before, so that no reader ever sees those of two versions. They are written before
the item and live as long. When the server evicts one of them, the value is gone as if the item had been.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from kernel.contracts.deadline import Deadline
from plugin_backend_memcached.fleet import Fleet
from plugin_backend_memcached.keys import Keys

MARK = b"\x00kernel-parts\x00"
"""Begins an item whose value is elsewhere; JSON follows. No document begins so."""
_ROOM = 1024
"""Bytes of an item that are its key and the server's bookkeeping."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the pieces of a value are. ``label`` is what must be known of it without reading them."""

    nonce: str
    count: int
    size: int
    label: str

    def item(self) -> bytes:
        """What the item says."""
        return MARK + json.dumps([self.nonce, self.count, self.size, self.label]).encode()


def parts_of(item: bytes) -> Parts | None:
    """Where the pieces are; None when the item is the value itself."""
    return Parts(*json.loads(item[len(MARK) :])) if item.startswith(MARK) else None


class Values:
    """Cuts values, and puts them together.

    Args:
        fleet: the servers.
        keys: of the namespace.
        item_size: bytes the servers take per item.
    """

    def __init__(self, fleet: Fleet, keys: Keys, item_size: int) -> None:
        self._fleet = fleet
        self._keys = keys
        self._piece = item_size - _ROOM

    def cut(self, value: bytes, label: str, expire: int, deadline: Deadline) -> bytes:
        """The item for a value; its pieces, if it needs any, are stored."""
        if len(value) <= self._piece:
            return value
        pieces = [value[start : start + self._piece] for start in range(0, len(value), self._piece)]
        parts = Parts(uuid.uuid4().hex, len(pieces), len(value), label)
        for key, piece in zip(self._names(parts), pieces, strict=True):
            with self._fleet.at(self._fleet.home(key), "storing a part of a large value", deadline) as connection:
                connection.send([connection.write("set", key, piece, expire)])
        return parts.item()

    def whole(self, items: Mapping[str, bytes], deadline: Deadline) -> dict[str, bytes]:
        """The values of items by their keys, without those of which a piece is gone."""
        cut = {key: parts for key, item in items.items() if (parts := parts_of(item)) is not None}
        if not cut:
            return dict(items)
        names = [name for parts in cut.values() for name in self._names(parts)]
        pieces = self._fleet.values(names, "reading the parts of large values", deadline)
        found = {key: item for key, item in items.items() if key not in cut}
        for key, parts in cut.items():
            value = b"".join([pieces.get(name, b"") for name in self._names(parts)])
            if len(value) == parts.size:
                found[key] = value
        return found

    def drop(self, item: bytes, deadline: Deadline) -> None:
        """Remove the pieces of an item that was replaced, removed or never stored."""
        parts = parts_of(item)
        if parts is not None:
            self._fleet.remove(self._names(parts), "removing the parts of a large value", deadline)

    def _names(self, parts: Parts) -> list[str]:
        return [self._keys.part(parts.nonce, number) for number in range(parts.count)]
