"""Equality that sees what ``==`` does not: types, the sign of zero, nan, the order of keys, offsets of times."""

import math
import struct
from datetime import datetime, time
from decimal import Decimal
from typing import Any


def same(left: Any, right: Any) -> bool:
    """Whether both are the same value of the same types, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return same(list(left), list(right)) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return _same_leaf(left, right)


def difference(left: Any, right: Any, path: str = "value") -> str:
    """Where two values differ first, in words; "" when they do not."""
    if same(left, right):
        return ""
    if type(left) is type(right):
        if isinstance(left, (list, tuple)) and len(left) == len(right):
            pairs = enumerate(zip(left, right, strict=True))
            return next(filter(None, (difference(a, b, f"{path}[{number}]") for number, (a, b) in pairs)))
        if isinstance(left, dict) and same(list(left), list(right)):
            return next(filter(None, (difference(left[key], right[key], f"{path}[{key!r}]") for key in left)))
    return f"{path}: {left!r:.120} ({type(left).__name__}) became {right!r:.120} ({type(right).__name__})"


def _same_leaf(left: Any, right: Any) -> bool:
    """Two values of one type that contain no others."""
    if isinstance(left, float):
        return struct.pack("<d", left) == struct.pack("<d", right) or (math.isnan(left) and math.isnan(right))
    if isinstance(left, (datetime, time)):
        return bool(left == right) and left.utcoffset() == right.utcoffset()
    if isinstance(left, Decimal):
        return str(left) == str(right)
    return bool(left == right)
