"""What the built-in brokers accept: checks of an outgoing message that need no queue, and copies of its headers."""

import sys
from collections.abc import Mapping, Sequence

from kernel.contracts.broker import HeaderValue, Outgoing
from kernel.contracts.capabilities import BrokerCaps
from kernel.errors import Code, DriverError

SCALARS = (str, int, float, type(None))
TOP_PRIORITY = 255
"""The highest priority of a queue that was declared without one."""


def refusal(item: Outgoing, caps: BrokerCaps) -> DriverError | None:
    """Why this message cannot be taken by any queue of a broker with these capabilities; None when it can."""
    limit = caps.limits.max_body
    if type(item.body) is not bytes:
        return invalid(item, f"its body is {type(item.body).__name__}, not bytes")
    if limit is not None and len(item.body) > limit:
        return DriverError(
            Code.TOO_LARGE,
            f"Message {item.id!r} has a body of {len(item.body)} bytes; the limit is max_body={limit}",
            cure="Store the data elsewhere and send a reference to it, or compress it.",
        )
    if item.group is not None and not caps.fifo_group:
        return DriverError(
            Code.UNSUPPORTED,
            f"Message {item.id!r} asks for the ordering group {item.group!r}, which this broker does not have",
            cure="Send it without 'group', or use a broker with capability 'fifo_group'.",
        )
    return _bad_time(item, caps.limits.max_delay_s or sys.float_info.max)


def _bad_time(item: Outgoing, longest: float) -> DriverError | None:
    if item.delay_s is not None and not 0 <= item.delay_s <= longest:
        return invalid(item, f"delay_s={item.delay_s!r} is not a number of seconds from 0 to {longest:g}")
    if item.ttl_s is not None and not item.ttl_s >= 0:
        return invalid(item, f"ttl_s={item.ttl_s!r} is not a number of seconds from 0")
    return None


def bad_priority(item: Outgoing, top: int | None) -> DriverError | None:
    """Why its priority does not suit a queue with that ``max_priority``; None when it does."""
    if item.priority is None:
        return None
    top = TOP_PRIORITY if top is None else top
    if type(item.priority) is int and 0 <= item.priority <= top:
        return None
    return invalid(item, f"priority={item.priority!r} is outside 0 to {top} of queue {item.queue!r}")


def invalid(item: Outgoing, why: str) -> DriverError:
    """The error for a message that nobody can take as it is."""
    return DriverError(Code.INVALID, f"Message {item.id!r} cannot be sent: {why}", cure="Correct the call.")


def unknown_queue(name: str) -> DriverError:
    """The error for a queue that was never declared."""
    return DriverError(
        Code.NOT_FOUND, f"There is no queue {name!r}", cure="Declare it first, for example in task_queues."
    )


def bad_receipt(receipt: object) -> DriverError:
    """The error for a receipt that this broker never gave."""
    return DriverError(
        Code.INVALID, f"{receipt!r} is no receipt of this broker", cure="Settle the delivery as received."
    )


def bad_seconds(seconds: float) -> DriverError:
    """The error for a settlement with an impossible time."""
    return DriverError(Code.INVALID, f"seconds={seconds!r} is not a number of seconds from 0", cure="Correct the call.")


def lease_lost(message_id: str) -> DriverError:
    """The error for a receipt that is outdated: settled, expired, released or purged with its queue."""
    return DriverError(
        Code.LEASE_LOST,
        f"The delivery of message {message_id!r} is no longer held by this receipt",
        cure="Do nothing: it was settled, or somebody else has it now.",
    )


def copied(value: HeaderValue) -> HeaderValue:
    """A copy that shares no mutable part with ``value``; tuples become lists, as on every wire.

    Raises:
        TypeError: for a value that headers cannot carry.
    """
    if isinstance(value, (*SCALARS, bytes)):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, Mapping):
        return copied_headers(value)
    if isinstance(value, Sequence):
        return [copied(part) for part in value]
    raise TypeError(f"a header cannot hold {type(value).__name__}")


def copied_headers(headers: Mapping[str, HeaderValue]) -> dict[str, HeaderValue]:
    """The same for a mapping, whose keys must be text.

    Raises:
        TypeError: for a key that is not text or a value that headers cannot carry.
    """
    for key in headers:
        if not isinstance(key, str):
            raise TypeError(f"a header's name is {key!r}, not text")
    return {key: copied(value) for key, value in headers.items()}
