r"""A message's envelope as the compact JSON of the column ``meta``, and back.

The text is ``[id, headers]`` or ``[id, headers, {field: value}]`` with the fields that differ from their defaults.
Bytes in headers are tagged: ``{"\u0000b": base64}``; a mapping with a key that begins with NUL is written as
``{"\u0000d": [[key, value] ...]}``, so that nothing a caller sends can look like a tag.
"""

import base64
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from kernel.builtins import envelope
from kernel.contracts.broker import HeaderValue, Outgoing
from kernel.contracts.json_quick import json_reader, json_writer

_PLAIN = frozenset({str, int, float, bool, type(None)})
_TAG_BYTES = "\x00b"
_TAG_PAIRS = "\x00d"
_ESCAPED_NUL = "\\u0000"
_DEFAULTS = {
    field.name: field.default
    for field in fields(Outgoing)
    if field.name not in {"queue", "body", "headers", "id", "properties", "exchange", "routing_key"}
}
_decode = json_reader()
_dumps = json_writer(compact=True)


def pack(item: Outgoing) -> str:
    """The envelope of a message as text.

    Raises:
        TypeError: for headers or properties that hold what no header can.
        ValueError: for a number JSON cannot write.
        RecursionError: for headers nested without end.
    """
    rest: dict[str, Any] = {name: value for name, default in _ITEMS if (value := getattr(item, name)) != default}
    if item.exchange:
        rest["exchange"] = item.exchange
    if item.routing_key:
        rest["routing_key"] = item.routing_key
    if item.properties:
        rest["properties"] = _tagged(item.properties)
    headers = item.headers if _is_plain(item.headers) else _tagged(item.headers)
    return _dumps([item.id, headers, rest] if rest else [item.id, headers])


def unpack(meta: str, queue: str, body: bytes) -> Outgoing:
    """The message again, as received from ``queue``."""
    parts = _decode(meta)
    if _ESCAPED_NUL in meta:
        parts[1:] = [_untagged(part) for part in parts[1:]]
    if len(parts) == 2:  # noqa: PLR2004 - no field differs from its default
        return Outgoing(queue, body, parts[1], parts[0])
    return Outgoing(queue, body, parts[1], parts[0], **parts[2])


_ITEMS = tuple(_DEFAULTS.items())


def _is_plain(headers: Mapping[str, HeaderValue]) -> bool:
    """Whether JSON writes these headers exactly: dicts of text keys, without NUL, to scalars and lists of scalars."""
    if type(headers) is not dict:
        return False
    for key, value in headers.items():
        if type(key) is not str or key[:1] == "\x00":
            return False
        kind = type(value)
        if kind in _PLAIN:
            continue
        if kind is list:
            if not _PLAIN.issuperset(map(type, value)):
                return False
        elif kind is not dict or not _is_plain(value):
            return False
    return True


def _tagged(value: HeaderValue) -> Any:
    copied = envelope.copied(value)
    return _tag(copied)


def _tag(value: Any) -> Any:
    if isinstance(value, bytes):
        return {_TAG_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_tag(part) for part in value]
    if not isinstance(value, dict):
        return value
    if any(key[:1] == "\x00" for key in value):
        return {_TAG_PAIRS: [[key, _tag(part)] for key, part in value.items()]}
    return {key: _tag(part) for key, part in value.items()}


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(part) for part in value]
    if not isinstance(value, dict):
        return value
    if _TAG_BYTES in value:
        return base64.b64decode(value[_TAG_BYTES])
    if _TAG_PAIRS in value:
        return {key: _untagged(part) for key, part in value[_TAG_PAIRS]}
    return {key: _untagged(part) for key, part in value.items()}
