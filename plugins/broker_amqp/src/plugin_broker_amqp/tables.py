"""Field tables of AMQP 0-9-1: what headers and arguments are on the wire.

Written are the types RabbitMQ itself uses: text as long strings, bytes as byte arrays, so that bytes stay bytes.
Read is whatever another client may have written; nothing in a table can do more than be refused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from struct import Struct, error
from typing import Any, Final

SHORT: Final = 255
"""Bytes of the longest short string."""
MAX_DEPTH: Final = 64
"""How deep a table may nest; RabbitMQ itself has no bound, Python's stack has."""

ODD_FLOAT: Final = "x-kernel-float"
"""The one key of a table that stands for infinity or no number: those crash a channel of RabbitMQ's."""

_LONG: Final = Struct(">I")
_INT32: Final = Struct(">ci")
_INT64: Final = Struct(">cq")
_DOUBLE: Final = Struct(">cd")
_SHORTEST: Final = -(2**31)
_LONGEST: Final = 2**31
_NUMBERS: Final = {
    ord("b"): Struct(">b"),
    ord("B"): Struct(">B"),
    ord("s"): Struct(">h"),
    ord("U"): Struct(">h"),
    ord("u"): Struct(">H"),
    ord("I"): Struct(">i"),
    ord("i"): Struct(">I"),
    ord("l"): Struct(">q"),
    ord("L"): Struct(">q"),
    ord("T"): Struct(">Q"),
    ord("f"): Struct(">f"),
    ord("d"): Struct(">d"),
}
"""Type letter → how the number is laid out. ``s`` is a short integer, as RabbitMQ reads it."""


class BadTable(ValueError):
    """A value no table can hold, or bytes that are no table."""


def short_text(text: str) -> bytes:
    """A short string: one byte of length, then UTF-8.

    Raises:
        BadTable: for more than 255 bytes, or text that is not Unicode.
    """
    data = _encoded(text)
    if len(data) > SHORT:
        raise BadTable(f"{text[:20]!r}... has {len(data)} bytes, and {SHORT} are possible there")
    return bytes((len(data),)) + data


def pack_table(table: Mapping[str, Any], depth: int = 0) -> bytes:
    """A mapping as a field table, its length first.

    Raises:
        BadTable: for a name that is not text, or a value that is not JSON-like or bytes, or too deep.
    """
    parts = []
    for name, value in table.items():
        if not isinstance(name, str):
            raise BadTable(f"the name {name!r} is not text")
        parts.append(short_text(name))
        parts.append(pack_value(value, depth))
    data = b"".join(parts)
    return _LONG.pack(len(data)) + data


def pack_value(value: Any, depth: int = 0) -> bytes:
    """One value with its type letter.

    Raises:
        BadTable: see :func:`pack_table`.
    """
    packer = _PACKERS.get(type(value))
    if packer is None:
        packer = next((found for kind, found in _PACKERS.items() if isinstance(value, kind)), _no_type)
    return packer(value, depth)


def unpack_table(data: bytes, offset: int = 0) -> tuple[dict[str, Any], int]:
    """Read a table at ``offset``; the table, and where it ends.

    Raises:
        BadTable: for anything that is no table.
    """
    try:
        return _table(data, offset, 0)
    except (error, IndexError, ArithmeticError) as problem:
        raise BadTable(f"it ends in the middle: {problem}") from problem


def _packed_text(value: str, _: int) -> bytes:
    data = _encoded(value)
    return b"S" + _LONG.pack(len(data)) + data


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
    return b"F" + pack_table(value, _deeper(depth))


def _packed_sequence(value: Sequence[Any], depth: int) -> bytes:
    inside = _deeper(depth)
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


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise BadTable(f"it nests deeper than {MAX_DEPTH} levels")
    return depth + 1


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as problem:
        raise BadTable(f"{text!r} is not Unicode text") from problem


def _table(data: bytes, offset: int, depth: int) -> tuple[dict[str, Any], int]:
    end = _end(data, offset)
    offset += 4
    table = {}
    while offset < end:
        start = offset + 1
        offset = start + data[offset]
        name = data[start:offset].decode(errors="backslashreplace")
        table[name], offset = _value(data, offset, depth)
    if offset != end:
        raise BadTable("a table's last value reaches beyond it")
    return table, end


def _array(data: bytes, offset: int, depth: int) -> tuple[list[Any], int]:
    end = _end(data, offset)
    offset += 4
    found = []
    while offset < end:
        value, offset = _value(data, offset, depth)
        found.append(value)
    if offset != end:
        raise BadTable("an array's last value reaches beyond it")
    return found, end


def _value(data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    kind = data[offset]
    number = _NUMBERS.get(kind)
    if number is not None:
        return number.unpack_from(data, offset + 1)[0], offset + 1 + number.size
    reader = _READERS.get(kind)
    if reader is None:
        raise BadTable(f"a value has the unknown type {kind:#04x}")
    return reader(data, offset + 1, depth)


def _read_text(data: bytes, offset: int, _: int) -> tuple[Any, int]:
    """A long string; other clients write bytes as one, too."""
    end = _end(data, offset)
    raw = data[offset + 4 : end]
    try:
        return raw.decode(), end
    except UnicodeDecodeError:
        return raw, end


def _read_bytes(data: bytes, offset: int, _: int) -> tuple[Any, int]:
    end = _end(data, offset)
    return data[offset + 4 : end], end


def _read_nothing(_: bytes, offset: int, __: int) -> tuple[Any, int]:
    return None, offset


def _read_bool(data: bytes, offset: int, _: int) -> tuple[Any, int]:
    return bool(data[offset]), offset + 1


def _read_table(data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    table, end = _table(data, offset, _deeper(depth))
    return _plain(table), end


def _read_array(data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    return _array(data, offset, _deeper(depth))


def _read_decimal(data: bytes, offset: int, _: int) -> tuple[Any, int]:
    digits = _NUMBERS[ord("I")].unpack_from(data, offset + 1)[0]
    return str(Decimal(digits).scaleb(-data[offset])), offset + 5


_READERS: Final[Mapping[int, Callable[[bytes, int, int], tuple[Any, int]]]] = {
    ord("S"): _read_text,
    ord("x"): _read_bytes,
    ord("V"): _read_nothing,
    ord("t"): _read_bool,
    ord("F"): _read_table,
    ord("A"): _read_array,
    ord("D"): _read_decimal,
}
"""Type letter → how what follows is read."""


def _plain(table: dict[str, Any]) -> Any:
    odd = table.get(ODD_FLOAT) if len(table) == 1 else None
    return float(odd) if odd in {"inf", "-inf", "nan"} else table


def _end(data: bytes, offset: int) -> int:
    """Where something ends that begins with its length."""
    end = offset + 4 + int(_LONG.unpack_from(data, offset)[0])
    if end > len(data):
        raise BadTable("a length reaches beyond the message")
    return end
