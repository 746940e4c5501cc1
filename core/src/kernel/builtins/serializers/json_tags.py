"""The tagged objects by which kombu's JSON carries more than JSON (wire.md 14.1)."""

import base64
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from kernel.errors import DecodeError

TYPE_KEY = "__type__"
VALUE_KEY = "__value__"
TAG_KEYS = frozenset({TYPE_KEY, VALUE_KEY})
TAGGED_TYPES = frozenset({datetime, date, time, Decimal, UUID, bytes})


def to_tag(value: object) -> dict[str, object]:
    """The tagged object for a value of one of :data:`TAGGED_TYPES`, or of a subclass.

    Raises:
        TypeError: for any other value.
    """
    for kind, name, write in _WRITERS:
        if isinstance(value, kind):
            return {TYPE_KEY: name, VALUE_KEY: write(value)}
    if isinstance(value, bytes):
        return _bytes_to_tag(value)
    raise TypeError(f"No tag for {type(value).__name__}")


def from_tag(found: Mapping[str, object]) -> object:
    """The value of a tagged object.

    Raises:
        DecodeError: for an unknown tag, or a value its tag does not allow.
    """
    name, text = found[TYPE_KEY], found[VALUE_KEY]
    read = _READERS.get(name) if isinstance(name, str) else None
    if read is None:
        raise DecodeError(
            f"Unknown JSON tag {name!r:.80}",
            cure=f"Known are {', '.join(sorted(_READERS))}; the sender's register_type() is not known here.",
        )
    try:
        return read(text)
    except (ValueError, TypeError, ArithmeticError, AttributeError) as exc:
        raise DecodeError(f"{text!r:.80} is no value of the JSON tag {name!r}: {exc}") from exc


def _bytes_to_tag(value: bytes) -> dict[str, object]:
    try:
        return {TYPE_KEY: "bytes", VALUE_KEY: value.decode("utf-8")}
    except UnicodeDecodeError:
        return {TYPE_KEY: "base64", VALUE_KEY: base64.b64encode(value).decode("ascii")}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"it must be a str, not {type(value).__name__}")
    return value


def _date(value: object) -> date:
    return datetime.fromisoformat(_text(value)).date()


def _uuid(value: object) -> UUID:
    if not isinstance(value, dict) or value.keys() != {"hex"}:
        raise TypeError('it must be {"hex": …}')
    return UUID(hex=_text(value["hex"]))


# A datetime is a date, so it comes first. The base classes' methods write what kombu writes, also for subclasses.
_WRITERS: tuple[tuple[type, str, Callable[[Any], object]], ...] = (
    (datetime, "datetime", datetime.isoformat),
    (date, "date", date.isoformat),
    (time, "time", time.isoformat),
    (Decimal, "decimal", Decimal.__str__),
    (UUID, "uuid", lambda value: {"hex": value.hex}),
)

_READERS: Mapping[str, Callable[[object], object]] = {
    "datetime": lambda value: datetime.fromisoformat(_text(value)),
    "date": _date,
    "time": lambda value: time.fromisoformat(_text(value)),
    "decimal": lambda value: Decimal(_text(value)),
    "uuid": _uuid,
    "bytes": lambda value: _text(value).encode("utf-8"),
    "base64": lambda value: base64.b64decode(_text(value).encode("ascii"), validate=True),
}
