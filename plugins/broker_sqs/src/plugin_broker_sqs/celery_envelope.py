"""The JSON envelope of Celery's SQS transport (wire.md 7.2 and 8)."""

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from kernel.contracts.broker import Outgoing
from kernel.errors import Code, DriverError

PERSISTENT: Final = 2
TRANSIENT: Final = 1
GROUP: Final = "MessageGroupId"
DEDUP: Final = "MessageDeduplicationId"
"""Properties by which Celery's callers give group and deduplication id. What is received keeps the group as a property,
so that a retry has it, too; not the other, for which a retry would be dropped."""
_OURS: Final = frozenset(
    {"correlation_id", "reply_to", "delivery_mode", "delivery_info", "priority", "body_encoding", "delivery_tag", DEDUP}
)


def write_envelope(item: Outgoing) -> str:
    """The envelope of a message, its body as base64; ASCII only.

    Raises:
        DriverError: INVALID for a header that JSON cannot carry.
    """
    properties = {
        **item.properties,
        **{name: value for name, value in ((GROUP, item.group), (DEDUP, item.dedup_id)) if value is not None},
        "correlation_id": item.correlation_id,
        "reply_to": item.reply_to,
        "delivery_mode": PERSISTENT if item.persistent else TRANSIENT,
        "delivery_info": {"exchange": item.exchange, "routing_key": item.routing_key or item.queue},
        "priority": item.priority or 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    envelope = {
        "body": base64.b64encode(item.body).decode(),
        "content-encoding": item.content_encoding,
        "content-type": item.content_type,
        "headers": dict(item.headers),
        "properties": {key: value for key, value in properties.items() if value is not None},
    }
    try:
        return json.dumps(envelope)
    except (TypeError, ValueError, RecursionError) as error:
        cure = "Correct its headers."
        raise DriverError(Code.INVALID, f"Message {item.id!r} cannot be sent: {error}", cure=cure) from error


def read_envelope(text: str, queue: str, fallback_id: str) -> Outgoing | None:
    """The message of an envelope; None for a text that is none.

    Raises:
        ValueError: for a body that is not what its encoding says.
    """
    envelope = json.loads(text)
    if not isinstance(envelope, dict) or not isinstance(envelope.get("properties"), dict):
        return None
    properties, headers = envelope["properties"], _mapping(envelope.get("headers"))
    route = _mapping(properties.get("delivery_info"))
    correlation_id = _text(properties.get("correlation_id"))
    return Outgoing(
        queue=queue,
        body=_body(envelope.get("body"), properties.get("body_encoding")),
        headers=headers,
        id=_text(headers.get("id")) or correlation_id or fallback_id,
        content_type=_text(envelope.get("content-type")) or "",
        content_encoding=_text(envelope.get("content-encoding")) or "utf-8",
        exchange=_text(route.get("exchange")) or "",
        routing_key=_text(route.get("routing_key")) or queue,
        correlation_id=correlation_id,
        reply_to=_text(properties.get("reply_to")),
        persistent=properties.get("delivery_mode", PERSISTENT) != TRANSIENT,
        properties={key: value for key, value in properties.items() if key not in _OURS},
    )


def _body(body: Any, encoding: Any) -> bytes:
    if not isinstance(body, str):
        raise TypeError(f"the body is {type(body).__name__}, not text")
    return base64.b64decode(body, validate=True) if encoding == "base64" else body.encode()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
