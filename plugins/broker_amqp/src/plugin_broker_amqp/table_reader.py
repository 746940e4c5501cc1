"""Reading field tables, whatever another client may have written; nothing in one can do more than be refused."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from struct import Struct, error
from typing import Any, Final

from plugin_broker_amqp.tables import MOST_NAMES, ODD_FLOAT, BadTable, deeper

_read_long: Final = Struct(">I").unpack_from
_TEXT: Final = ord("S")
_NOTHING: Final = ord("V")
_NAMES: Final[dict[bytes, str]] = {}
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


def unpack_table(data: bytes, offset: int = 0) -> tuple[dict[str, Any], int]:
    """Read a table at ``offset``; the table, and where it ends.

    Raises:
        BadTable: for anything that is no table.
    """
    try:
        return _table(data, offset, 0)
    except (error, IndexError, ArithmeticError) as problem:
        raise BadTable(f"it ends in the middle: {problem}") from problem


def _table(data: bytes, offset: int, depth: int) -> tuple[dict[str, Any], int]:
    """The three kinds of values that most headers have are read on the spot: calls are what costs here."""
    end = _end(data, offset)
    offset += 4
    table: dict[str, Any] = {}
    while offset < end:
        stop = offset + 1 + data[offset]
        raw = data[offset + 1 : stop]
        name = _NAMES.get(raw) or _name(raw)
        kind = data[stop]
        offset = stop + 1
        if kind == _TEXT:
            start = offset + 4
            offset = start + _read_long(data, offset)[0]
            table[name] = _decoded(data[start:offset])
        elif kind == _NOTHING:
            table[name] = None
        else:
            table[name], offset = _value(data, stop, depth)
    if offset != end:
        raise BadTable("a table's last value reaches beyond it")
    return table, end


def _name(raw: bytes) -> str:
    """A header's name; the same few come again and again."""
    name = raw.decode(errors="backslashreplace")
    if len(_NAMES) < MOST_NAMES:
        _NAMES[raw] = name
    return name


def _decoded(raw: bytes) -> str | bytes:
    """A long string; other clients write bytes as one, too."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


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
    end = _end(data, offset)
    return _decoded(data[offset + 4 : end]), end


def _read_bytes(data: bytes, offset: int, _: int) -> tuple[Any, int]:
    end = _end(data, offset)
    return data[offset + 4 : end], end


def _read_nothing(_: bytes, offset: int, __: int) -> tuple[Any, int]:
    return None, offset


def _read_bool(data: bytes, offset: int, _: int) -> tuple[Any, int]:
    return bool(data[offset]), offset + 1


def _read_table(data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    table, end = _table(data, offset, deeper(depth))
    return _plain(table), end


def _read_array(data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    return _array(data, offset, deeper(depth))


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
    end = offset + 4 + int(_read_long(data, offset)[0])
    if end > len(data):
        raise BadTable("a length reaches beyond the message")
    return end
