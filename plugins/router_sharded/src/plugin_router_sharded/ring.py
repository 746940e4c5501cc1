"""A ring of points: each queue owns the arcs that end in its points."""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from hashlib import blake2b

from plugin_router_sharded.keys import key_hash

POINTS = 4096
"""Points of the heaviest queue: its share is true to about 1 part in 64 (1/√points), a lighter one's to less."""

_BLOCK = struct.Struct(">8Q")
_POINTS_PER_BLOCK = 8
_BITS = 32
_LOW = (1 << _BITS) - 1
_USE = b"ring"


class Ring:
    """Consistent hashing: adding a queue takes keys from the others, and moves none between them.

    Args:
        weights: queue → share of the keys, relative to the others. A queue has points in proportion to the heaviest
            one's weight, so that adding a queue that is not heavier leaves every other point where it is.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._queues = sorted(weights)
        heaviest = max(weights.values())
        marked: list[int] = []  # a point with its queue's number in the low bits: sorting whole numbers is fast
        for number, queue in enumerate(self._queues):
            count = max(1, round(POINTS * weights[queue] / heaviest))
            marked += [point << _BITS | number for point in _points(queue, count)]
        marked.sort()
        self._points = array("Q", (mark >> _BITS for mark in marked))
        self._owners = array("L", (mark & _LOW for mark in marked))

    def queue_of(self, key: bytes) -> str:
        """The queue of a key."""
        place = bisect_left(self._points, key_hash(key, _USE))
        return self._queues[self._owners[place if place < len(self._points) else 0]]


def _points(queue: str, count: int) -> list[int]:
    found: list[int] = []
    name = queue.encode("utf-8", "surrogatepass")
    for block in range(-(-count // _POINTS_PER_BLOCK)):
        found += _BLOCK.unpack(blake2b(b"%d:%s" % (block, name), person=b"point").digest())
    return found[:count]
