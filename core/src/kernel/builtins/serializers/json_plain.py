"""The quick look that lets almost every value go straight to the C encoder."""

from collections.abc import Iterable

from kernel.builtins.serializers.json_tags import TAGGED_TYPES, TYPE_KEY
from kernel.contracts.serializer import DecodeLimits

_ATOMS = frozenset({str, int, bool, float, type(None)})
_CONTAINERS = frozenset({dict, list, tuple})
_LIMITS = DecodeLimits()
_DEPTH = _LIMITS.max_depth - 2  # a tagged UUID writes two containers more around itself


def is_plain(value: object) -> bool:
    """Whether the C encoder, with tags, writes ``value`` exactly; about 1.5 µs for a small task body.

    Level by level, without recursion: a value that holds itself ends at one of the two bounds. False only means that
    the thorough walk has to look.
    """
    level: list[object] = []
    if not _are_plain((value,), level):
        return False
    nodes = 0
    for _ in range(_DEPTH):
        if not level:
            return True
        below: list[object] = []
        for box in level:
            nodes += len(box)  # type: ignore[arg-type] # a dict, list or tuple
            if nodes > _LIMITS.max_nodes or not _is_plain_box(box, below):
                return False
        level = below
    return False


def _is_plain_box(box: object, below: list[object]) -> bool:
    if type(box) is not dict:
        return _are_plain(box, below)  # type: ignore[arg-type] # a list or tuple
    for key in box:
        if type(key) is not str:
            return False
    return TYPE_KEY not in box and _are_plain(box.values(), below)


def _are_plain(values: Iterable[object], boxes: list[object]) -> bool:
    for value in values:
        kind = type(value)
        if kind in _ATOMS:
            continue
        if kind in _CONTAINERS:
            boxes.append(value)
        elif kind not in TAGGED_TYPES:
            return False
    return True
