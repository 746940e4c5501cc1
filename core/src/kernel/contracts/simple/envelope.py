r"""A whole message as bytes, for stores that keep bytes and nothing else: every field, exactly.

One line of JSON, then the body as it is. Bytes in headers are written as ``{"\u0000b": base64}``; a mapping with a key
that begins with NUL becomes ``{"\u0000d": [[key, value], ...]}``, so that nothing a caller sends can look like that.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from kernel.contracts.broker import Outgoing
from kernel.errors import Code, DriverError

_BYTES: Final = "\x00b"
_PAIRS: Final = "\x00d"
_FACTS: Final = tuple(field.name for field in fields(Outgoing) if field.name != "body")


def pack(item: Outgoing) -> bytes:
    """The message as bytes.

    Raises:
        DriverError: INVALID for a header that is no JSON-like value.
    """
    try:
        head = json.dumps({name: _tagged(getattr(item, name)) for name in _FACTS}, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise DriverError(
            Code.INVALID, f"Message {item.id!r} cannot be sent: {error}", cure="Correct its headers."
        ) from error
    return b"%s\n%s" % (head.encode(), item.body)


def unpack(data: bytes) -> Outgoing:
    """The message again.

    Raises:
        DriverError: CORRUPT for anything ``pack`` did not write.
    """
    head, newline, body = data.partition(b"\n")
    try:
        facts = {name: _untagged(value) for name, value in json.loads(head if newline else b"").items()}
        return Outgoing(body=body, **facts)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DriverError(Code.CORRUPT, f"A stored message cannot be read: {error}", cure="Remove it.") from error


def _tagged(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes() | bytearray() | memoryview():
            return {_BYTES: base64.b64encode(value).decode()}
        case Mapping():
            return _tagged_mapping(value)
        case Sequence():
            return [_tagged(part) for part in value]
    raise TypeError(f"a header cannot hold {type(value).__name__}")


def _tagged_mapping(value: Mapping[Any, Any]) -> Any:
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"a header's name is {key!r}, not text")
    if any(key[:1] == "\x00" for key in value):
        return {_PAIRS: [[key, _tagged(part)] for key, part in value.items()]}
    return {key: _tagged(part) for key, part in value.items()}


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(part) for part in value]
    if not isinstance(value, dict):
        return value
    if _BYTES in value:
        return base64.b64decode(value[_BYTES])
    if _PAIRS in value:
        return {key: _untagged(part) for key, part in value[_PAIRS]}
    return {key: _untagged(part) for key, part in value.items()}
