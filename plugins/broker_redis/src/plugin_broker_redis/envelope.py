"""One message as JSON text, the envelope of Celery's virtual transports (wire.md 7.2).

What that envelope has no place for stands under ``properties.kernel``, and only when it is needed: a plain call of a
task is written as Celery writes it.

| kernel.… | meaning |
|---|---|
| id | the message's id, when the headers do not tell |
| priority | null, when none was given: Celery writes 0 then |
| ttl, until | seconds to live, and the Unix time they end |
| delay, dedup, routing_key | as published, where they cannot be inferred |
| attempts | deliveries so far that count |
| dead | reason and queue of a message in a dead letter |
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from kernel.contracts import Outgoing
from kernel.contracts.json_quick import json_reader, json_writer
from kernel.errors import Code, DriverError

_EXTRA: Final = "kernel"
_PLAIN: Final = (str, int, float, bytes)
_dumps = json_writer(compact=True)
_loads = json_reader()
_KNOWN: Final = frozenset(
    {
        "correlation_id",
        "reply_to",
        "delivery_mode",
        "expiration",
        "delivery_info",
        "priority",
        "body_encoding",
        "delivery_tag",
        _EXTRA,
    }
)


class Letter(NamedTuple):
    """An envelope that was read.

    Attributes:
        message: the message.
        attempts: deliveries before this one that count.
        redelivered: whether it was delivered before.
        until: Unix time at which it expires; None never.
        dead: reason and origin, for a message in a dead letter.
        readable: False when what was in the list is no envelope.
    """

    message: Outgoing
    attempts: int
    redelivered: bool
    until: float | None
    dead: tuple[str, str] | None
    readable: bool = True


def write(item: Outgoing, queue: str, until: float | None) -> str:
    """The envelope of a message for one queue.

    Raises:
        DriverError: INVALID for a header that JSON cannot carry.
    """
    properties: dict[str, Any] = {}
    if item.correlation_id is not None:
        properties["correlation_id"] = item.correlation_id
    if item.reply_to is not None:
        properties["reply_to"] = item.reply_to
    properties["delivery_mode"] = 2 if item.persistent else 1
    if item.ttl_s is not None:
        properties["expiration"] = str(int(min(item.ttl_s, 1e12) * 1000))
    properties.update(item.properties)
    routing_key = item.routing_key or queue
    properties["delivery_info"] = {"exchange": item.exchange, "routing_key": routing_key}
    properties["priority"] = item.priority or 0
    properties["body_encoding"] = "base64"
    properties["delivery_tag"] = _tag()
    extra = _extra(item, queue, until)
    if extra:
        properties[_EXTRA] = extra
    try:
        _check_names(item.headers)
        _check_names(item.properties)
        return _dumps(
            {
                "body": base64.b64encode(item.body).decode(),
                "content-encoding": item.content_encoding,
                "content-type": item.content_type,
                "headers": dict(item.headers),
                "properties": properties,
            }
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise DriverError(
            Code.INVALID, f"Message {item.id!r} cannot be sent: {error}", cure="Correct its headers."
        ) from error


def read(raw: bytes, queue: str) -> Letter:
    """What was taken from a list. Anything at all can be read: what is no envelope becomes a body without headers."""
    try:
        found = _loads(raw.decode())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return Letter(Outgoing(queue, raw, {}, "", content_type=""), 0, False, None, None, readable=False)
    return read_parsed(found, queue)


def read_parsed(found: Mapping[str, Any], queue: str) -> Letter:
    """The same for an envelope that is parsed already."""
    properties, headers = _mapping(found.get("properties")), _mapping(found.get("headers"))
    info, extra = _mapping(properties.get("delivery_info")), _mapping(properties.get(_EXTRA))
    redelivered = info.get("redelivered") is True
    if redelivered:
        headers.pop("redelivered", None)
    attempts = _whole(extra.get("attempts"))
    if redelivered and "attempts" not in extra:
        attempts = 1  # another client gave it back: it was delivered before, though nobody counted
    message = Outgoing(
        queue=queue,
        body=_body(found.get("body"), properties.get("body_encoding")),
        headers=headers,
        id=_text(extra.get("id")) or _text(headers.get("id")) or _text(properties.get("correlation_id")) or "",
        content_type=_text(found.get("content-type")) or "",
        content_encoding=_text(found.get("content-encoding")) or "",
        priority=_priority(properties, extra),
        delay_s=_number(extra.get("delay")),
        ttl_s=_number(extra.get("ttl")),
        dedup_id=_text(extra.get("dedup")),
        exchange=_text(info.get("exchange")) or "",
        routing_key=_text(extra.get("routing_key", info.get("routing_key"))) or "",
        correlation_id=_text(properties.get("correlation_id")),
        reply_to=_text(properties.get("reply_to")),
        persistent=properties.get("delivery_mode") != 1,
        properties={} if properties.keys() <= _KNOWN else _others(properties),
    )
    dead = extra.get("dead")
    said = (str(dead[0]), str(dead[1])) if isinstance(dead, list) and len(dead) == 2 else None  # noqa: PLR2004 - a pair
    return Letter(message, attempts, redelivered or attempts > 0, _number(extra.get("until")), said)


def parsed(raw: bytes, queue: str) -> dict[str, Any]:
    """An envelope to be changed; what is none is put into one."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        found = json.loads(write(Outgoing(queue, raw, {}, "", content_type=""), queue, None))
    return dict(found)


def priority_of(envelope: Mapping[str, Any]) -> int:
    """The priority on the wire."""
    return _whole(_mapping(envelope.get("properties")).get("priority"))


def given_back(envelope: dict[str, Any], *, counted: bool) -> str:
    """The envelope of a message that is delivered again; ``counted`` when its last delivery counts."""
    extra = _changeable(envelope)
    extra["attempts"] = _whole(extra.get("attempts")) + counted
    properties = envelope["properties"]
    properties["delivery_info"] = {**_mapping(properties.get("delivery_info")), "redelivered": True}
    envelope["headers"] = {**_mapping(envelope.get("headers")), "redelivered": True}
    return _finished(envelope, extra)


def buried(envelope: dict[str, Any], reason: str, queue: str, until: float | None) -> str:
    """The envelope of a message for the dead letter of ``queue``; deliveries are counted anew there."""
    extra = _changeable(envelope)
    for name in ("attempts", "until"):
        extra.pop(name, None)
    extra["dead"] = [reason, queue]
    if until is not None:
        extra["until"] = until
    properties = envelope["properties"]
    info = _mapping(properties.get("delivery_info"))
    if info.pop("redelivered", None):
        headers = _mapping(envelope.get("headers"))
        headers.pop("redelivered", None)
        envelope["headers"] = headers
    properties["delivery_info"] = info
    return _finished(envelope, extra)


def kept(text: str, queue: str) -> str:
    """The value in ``unacked`` for an envelope of that queue."""
    return f"[{text}{ending(queue)}"


def ending(queue: str) -> str:
    """What follows the envelope there: the default exchange, and the queue as routing key."""
    return f',"",{_dumps(queue)}]'


def _extra(item: Outgoing, queue: str, until: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if item.id != (_text(item.headers.get("id")) or item.correlation_id or ""):
        found["id"] = item.id
    if item.priority is None:
        found["priority"] = None
    if until is not None:
        found["until"] = until
    if item.routing_key != (item.routing_key or queue):
        found["routing_key"] = item.routing_key
    given = {"ttl": item.ttl_s, "delay": item.delay_s, "dedup": item.dedup_id}
    return found | {name: value for name, value in given.items() if value is not None}


def _changeable(envelope: dict[str, Any]) -> dict[str, Any]:
    """What is ours in an envelope, to be put back by :func:`_finished`."""
    envelope["properties"] = _mapping(envelope.get("properties"))
    return _mapping(envelope["properties"].get(_EXTRA))


def _finished(envelope: dict[str, Any], extra: dict[str, Any]) -> str:
    envelope["properties"].pop(_EXTRA, None)
    if extra:
        envelope["properties"][_EXTRA] = extra
    return _dumps(envelope)


def _priority(properties: Mapping[str, Any], extra: Mapping[str, Any]) -> int | None:
    if "priority" in extra or "priority" not in properties:
        return None
    return _whole(properties["priority"])


def _body(body: Any, encoding: Any) -> bytes:
    if not isinstance(body, str):
        return b"" if body is None else _dumps(body).encode()
    if encoding == "base64":
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            pass  # whoever decodes the body will say what is wrong with it
    return body.encode(errors="surrogatepass")


def _check_names(value: Mapping[Any, Any]) -> None:
    """JSON would quietly turn a number that names something into text."""
    for name, part in value.items():
        if type(name) is not str and not isinstance(name, str):
            raise TypeError(f"a header's name is {name!r}, not text")
        if part and not isinstance(part, _PLAIN):
            _check_part(part)


def _check_part(part: Any) -> None:
    if isinstance(part, Mapping):
        _check_names(part)
    elif isinstance(part, Sequence):
        for one in part:
            if one and not isinstance(one, _PLAIN):
                _check_part(one)


def _tag() -> str:
    """A random UUID as text; quicker than by way of the class."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _others(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that a caller gave."""
    return {key: value for key, value in properties.items() if key not in _KNOWN}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
