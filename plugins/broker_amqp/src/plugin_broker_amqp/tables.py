"""Writing field tables of AMQP 0-9-1: what headers and arguments are on the wire.

Written are the types RabbitMQ itself uses: text as long strings, bytes as byte arrays, so that bytes stay bytes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from struct import Struct, error
from typing import Any, Final

SHORT: Final = 255
"""Bytes of the longest short string."""
MAX_DEPTH: Final = 64
"""How deep a table may nest; RabbitMQ itself has no bound, Python's stack has."""

ODD_FLOAT: Final = "x-kernel-float"
"""The one key of a table that stands for infinity or no number: those crash a channel of RabbitMQ's."""

_LENGTHS: Final = tuple(bytes((size,)) for size in range(SHORT + 1))
_LONG: Final = Struct(">I")
_WRITTEN: Final[dict[str, bytes]] = {}
_KEPT: Final[dict[str, tuple[Any, bytes]]] = {}
"""Name → the value it last had, and both as they are written. Only values that nobody can change are kept."""
_LASTING: Final = frozenset({str, int, float, bool, bytes, type(None)})
MOST_NAMES: Final = 1000
_SIZED: Final = Struct(">cI")
_INT32: Final = Struct(">ci")
_INT64: Final = Struct(">cq")
_DOUBLE: Final = Struct(">cd")
_SHORTEST: Final = -(2**31)
_LONGEST: Final = 2**31


class BadTable(ValueError):
    """A value no table can hold, or bytes that are no table."""


def short_text(text: str) -> bytes:
    """A short string: one byte of length, then UTF-8.

    Raises:
        BadTable: for more than 255 bytes, or text that is not Unicode.
    """
    data = text.encode() if text.isascii() else _encoded(text)
    if len(data) > SHORT:
        raise BadTable(f"{text[:20]!r}... has {len(data)} bytes, and {SHORT} are possible there")
    return _LENGTHS[len(data)] + data


def pack_table(table: Mapping[str, Any], depth: int = 0) -> bytes:
    """A mapping as a field table, its length first.

    Raises:
        BadTable: for a name that is not text, or a value that is not JSON-like or bytes, or too deep.
    """
    parts = [b""]
    for name, value in table.items():
        kept = _KEPT.get(name)
        if kept is not None and (kept[0] is value or (type(value) is str and kept[0] == value)):
            parts.append(kept[1])  # most headers of a task are what they were in its last message
            continue
        piece = (_WRITTEN.get(name) or _written(name)) + pack_value(value, depth)
        parts.append(piece)
        if type(value) in _LASTING and len(_KEPT) < MOST_NAMES:
            _KEPT[name] = (value, piece)
    data = b"".join(parts)
    return _LONG.pack(len(data)) + data


def _written(name: object) -> bytes:
    """A header's name as it is written; the same few come again and again."""
    if not isinstance(name, str):
        raise BadTable(f"the name {name!r} is not text")
    data = short_text(name)
    if len(_WRITTEN) < MOST_NAMES:
        _WRITTEN[name] = data
    return data


def pack_value(value: Any, depth: int = 0) -> bytes:
    """One value with its type letter.

    Raises:
        BadTable: see :func:`pack_table`.
    """
    packer = _PACKERS.get(type(value))
    if packer is None:
        packer = next((found for kind, found in _PACKERS.items() if isinstance(value, kind)), _no_type)
    return packer(value, depth)


def _packed_text(value: str, _: int) -> bytes:
    data = value.encode() if value.isascii() else _encoded(value)
    return _SIZED.pack(b"S", len(data)) + data


def _packed_bytes(value: bytes | bytearray | memoryview, _: int) -> bytes:
    return b"x" + _LONG.pack(len(value)) + value


def _packed_bool(value: bool, _: int) -> bytes:
    return b"t\x01" if value else b"t\x00"


def _packed_int(value: int, _: int) -> bytes:
    if _SHORTEST <= value < _LONGEST:
        return _INT32.pack(b"I", value)
    try:
        return _INT64.pack(b"l", value)
    except error as problem:
        raise BadTable(f"the number {value} does not fit into 64 bits") from problem


def _packed_float(value: float, depth: int) -> bytes:
    if math.isfinite(value):
        return _DOUBLE.pack(b"d", value)
    return _packed_mapping({ODD_FLOAT: str(value)}, depth)


def _packed_nothing(value: None, _: int) -> bytes:
    del value
    return b"V"


def _packed_mapping(value: Mapping[str, Any], depth: int) -> bytes:
    return b"F" + pack_table(value, deeper(depth))


def _packed_sequence(value: Sequence[Any], depth: int) -> bytes:
    inside = deeper(depth)
    data = b"".join([pack_value(one, inside) for one in value])
    return b"A" + _LONG.pack(len(data)) + data


def _no_type(value: object, _: int) -> bytes:
    raise BadTable(f"{value!r} is {type(value).__name__}, which a header cannot hold")


_PACKERS: Final[Mapping[type, Callable[[Any, int], bytes]]] = {
    str: _packed_text,
    type(None): _packed_nothing,
    bool: _packed_bool,
    int: _packed_int,
    float: _packed_float,
    bytes: _packed_bytes,
    bytearray: _packed_bytes,
    memoryview: _packed_bytes,
    dict: _packed_mapping,
    list: _packed_sequence,
    tuple: _packed_sequence,
    Mapping: _packed_mapping,
}
"""Type of a value → how it is written. ``bool`` comes before ``int``, whose subclass it is."""


def deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise BadTable(f"it nests deeper than {MAX_DEPTH} levels")
    return depth + 1


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as problem:
        raise BadTable(f"{text!r} is not Unicode text") from problem


def _end(data: bytes, offset: int) -> int:
    """Where something ends that begins with its length."""
    end = offset + 4 + int(_LONG.unpack_from(data, offset)[0])
    if end > len(data):
        raise BadTable("a length reaches beyond the message")
    return end
