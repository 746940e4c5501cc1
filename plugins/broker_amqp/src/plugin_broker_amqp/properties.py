"""The basic properties of a message, and the content header frame that carries them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from struct import Struct, error
from typing import Any, Final

from plugin_broker_amqp.table_reader import unpack_table
from plugin_broker_amqp.tables import BadTable, pack_table, short_text

BASIC: Final = 60
_HEAD: Final = Struct(">HHQH")
_TEXT, _TABLE, _OCTET, _LONGLONG = "text", "table", "octet", "longlong"
_KINDS: Final = {"headers": _TABLE, "delivery_mode": _OCTET, "priority": _OCTET, "timestamp": _LONGLONG}
_STAMP: Final = Struct(">Q")
_SHORTS: Final[dict[str, bytes]] = {}
_MOST_SHORTS: Final = 100
_BRIEF: Final = 10
_HEADERS: Final = 0x2000
_REST: Final = 0x007C
_MODES: Final[dict[tuple[int | None, int | None], tuple[int, bytes]]] = {}


@dataclass(slots=True)
class Properties:
    """In the order of the wire; None is absent. ``expiration`` is text of milliseconds.

    ``headers`` is None, too, when what another client wrote there is no table; ``broken`` says why then. ``rest`` says
    that there may be something from ``timestamp`` on.
    """

    content_type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, Any] | None = None
    delivery_mode: int | None = None
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    message_id: str | None = None
    timestamp: int | None = None
    type: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    cluster_id: str | None = None
    broken: str = ""
    rest: bool = False


_LAYOUT: Final = tuple(
    (one.name, _KINDS.get(one.name, _TEXT), 1 << (15 - index)) for index, one in enumerate(fields(Properties)[:14])
)


ReadTable = Callable[[bytes, int], tuple[dict[str, Any], int]]
"""Reads the table at an offset, and tells where it ends."""
_PRESENT: Final[dict[int, tuple[tuple[str, str], ...]]] = {}
"""Flags → what they say is there. Messages of one kind have the same."""


def _present(flags: int) -> tuple[tuple[str, str], ...]:
    found = _PRESENT[flags] = tuple((name, kind) for name, kind, flag in _LAYOUT if flags & flag)
    return found


def pack_header(properties: Properties, body_size: int) -> bytes:
    """The payload of a content header frame.

    Raises:
        BadTable: for a value that does not fit.
    """
    flags = 0
    parts = [b""]
    for text, flag in ((properties.content_type, 0x8000), (properties.content_encoding, 0x4000)):
        if text is not None:
            flags |= flag
            parts.append(_SHORTS.get(text) or _short(text))
    if properties.headers is not None:
        flags |= _HEADERS
        parts.append(pack_table(properties.headers))
    mode = (properties.delivery_mode, properties.priority)
    more, octets = _MODES.get(mode) or _mode(*mode)
    parts.append(octets)
    flags |= more
    for text, flag in (
        (properties.correlation_id, 0x0400),
        (properties.reply_to, 0x0200),
        (properties.expiration, 0x0100),
        (properties.message_id, 0x0080),
    ):
        if text is not None:
            flags |= flag
            parts.append(_SHORTS.get(text) or _short(text))
    flags |= _pack_rest(properties, parts)
    parts[0] = _HEAD.pack(BASIC, 0, body_size, flags)
    return b"".join(parts)


def _mode(delivery_mode: int | None, priority: int | None) -> tuple[int, bytes]:
    """Flags and bytes of both, remembered: there are few of them."""
    flags, data = 0, b""
    for value, flag in ((delivery_mode, 0x1000), (priority, 0x0800)):
        if value is not None:
            flags |= flag
            data += _packed(_OCTET, value, "priority")
    _MODES[delivery_mode, priority] = flags, data
    return flags, data


def _pack_rest(properties: Properties, parts: list[bytes]) -> int:
    """What hardly any message has; their flags."""
    flags = 0
    if properties.rest:
        for name, kind, flag in _LAYOUT[9:]:
            value = getattr(properties, name)
            if value is not None:
                flags |= flag
                parts.append(_packed(kind, value, name))
    return flags


def body_size(payload: bytes) -> int:
    """How many bytes of body follow a content header."""
    return int(_HEAD.unpack_from(payload)[2])


def unpack_header(payload: bytes, read_table: ReadTable = unpack_table) -> Properties:
    """What a content header says; never an error, whatever another client has written."""
    found = Properties()
    try:
        flags, offset = _HEAD.unpack_from(payload)[3], _HEAD.size
        found.rest = flags & _REST != 0
        for name, kind in _PRESENT.get(flags) or _present(flags):
            if kind == _TEXT:
                start = offset + 1
                offset = start + payload[offset]
                value: Any = payload[start:offset].decode(errors="backslashreplace")
            elif kind == _TABLE:
                value, offset = read_table(payload, offset)
            else:
                value, offset = _unpacked(kind, payload, offset)
            setattr(found, name, value)
    except (BadTable, error, IndexError) as problem:
        found.broken = str(problem)
    return found


def identity_of(properties: Properties) -> str:
    """The id of a message: its own property, or the task's header, or what replies to it would say."""
    if properties.message_id is not None:
        return properties.message_id
    found = (properties.headers or {}).get("id")
    return found if isinstance(found, str) else properties.correlation_id or ""


def _packed(kind: str, value: Any, name: str) -> bytes:
    if kind == _TEXT:
        return _SHORTS.get(value) or _short(value)
    if kind == _TABLE:
        return pack_table(value)
    try:
        return bytes((value,)) if kind == _OCTET else _STAMP.pack(value)
    except (ValueError, TypeError, error) as problem:
        raise BadTable(f"{name}={value!r} is outside its range") from problem


def _short(text: str) -> bytes:
    """As it is written; content types and reply queues come again and again, ids do not."""
    data = short_text(text)
    if ("/" in text or len(text) < _BRIEF) and len(_SHORTS) < _MOST_SHORTS:
        _SHORTS[text] = data
    return data


def _unpacked(kind: str, payload: bytes, offset: int) -> tuple[Any, int]:
    if kind == _OCTET:
        return payload[offset], offset + 1
    return _STAMP.unpack_from(payload, offset)[0], offset + 8
