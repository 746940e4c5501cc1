"""A message as the text that SQS carries, and back.

Two forms are written: in Celery's namespace the envelope of wire.md 8, elsewhere ``k1.`` and the base64 of the whole
message, every field of it. Both are read everywhere; whatever else a queue holds becomes a message without headers, of
a content type that no codec knows, so that the kernel puts it into quarantine.
"""

import base64
import binascii
from dataclasses import replace
from typing import Final

from kernel.contracts.broker import Outgoing
from kernel.contracts.simple import pack, unpack
from kernel.errors import Code, DriverError
from plugin_broker_sqs.celery_envelope import DEDUP, read_envelope, write_envelope

MARK: Final = "k1."
UNREADABLE: Final = "application/x-unreadable"
"""Content type of what is no message of anybody we know; its body is the text as it was received."""


def encode(item: Outgoing, *, celery: bool) -> str:
    """The message as text.

    Raises:
        DriverError: INVALID for a header that cannot be carried.
    """
    if celery:
        return base64.b64encode(write_envelope(item).encode()).decode()
    return MARK + base64.b64encode(pack(item)).decode()


def encode_again(item: Outgoing, *, celery: bool, most: int) -> str:
    """A received message as text, for its dead letter: whatever was received can be sent, too.

    What could not be read goes as it came. Where the second base64 would make it too large, it is left out: readers
    take both (wire.md 8).
    """
    if item.content_type == UNREADABLE:
        return item.body.decode()
    text = encode(item, celery=celery)
    return write_envelope(item) if celery and len(text) > most else text


def decode(text: str, queue: str, fallback_id: str) -> Outgoing:
    """The message that a text stands for.

    Args:
        text: as received.
        queue: the queue it was received from.
        fallback_id: its id, when it has none of its own.
    """
    try:
        if text.startswith(MARK):
            return _another_time(unpack(base64.b64decode(text[len(MARK) :], validate=True)))
        found = read_envelope(_plain(text), queue, fallback_id)
    except (DriverError, binascii.Error, ValueError, TypeError, RecursionError):
        found = None
    return found or Outgoing(
        queue, text.encode("utf-8", "surrogatepass"), {}, fallback_id, content_type=UNREADABLE, content_encoding="utf-8"
    )


def _another_time(item: Outgoing) -> Outgoing:
    """The message without a deduplication id among its properties, which a retry would carry on, and be dropped for."""
    if DEDUP not in item.properties:
        return item
    return replace(item, properties={key: value for key, value in item.properties.items() if key != DEDUP})


def _plain(text: str) -> str:
    """The text behind base64, or the text itself when it is none."""
    try:
        return base64.b64decode(text.strip(), validate=True).decode()
    except ValueError:
        return text


def too_large(item: Outgoing, size: int, most: int) -> DriverError:
    """The error for a message whose text, headers included, is longer than the server takes."""
    return DriverError(
        Code.TOO_LARGE,
        f"Message {item.id!r} has {size} bytes as SQS carries it; the limit is {most} (option max_message_bytes)",
        cure="Store the data elsewhere and send a reference to it, or compress it.",
    )
