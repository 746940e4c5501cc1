"""What a broker refuses before it talks to its server, from what it claims and the limits it declares."""

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from kernel.contracts.broker import Outgoing, Settle, SettleKind
from kernel.contracts.capabilities import BrokerCaps
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec

TOP_PRIORITY: Final = 255
"""The highest priority where the broker declares none."""

TINY_S: Final = 0.001
LONG_S: Final = 1e10
"""Times outside these are mistakes, and no clock keeps them."""

_NEEDS: Final = (
    ("priority", "priority"),
    ("delay_s", "delay"),
    ("ttl_s", "ttl"),
    ("group", "fifo_group"),
    ("dedup_id", "dedup"),
)
_SPEC_NEEDS: Final = (
    ("max_priority", "priority"),
    ("ttl_s", "ttl"),
    ("lease_s", "lease"),
    ("delivery_limit", "dlq"),
)


def refused_item(item: Outgoing, caps: BrokerCaps) -> DriverError | None:
    """Why a message cannot be taken; None when it can."""
    return next(_of_item(item, caps), None)


def refused_spec(spec: QueueSpec, caps: BrokerCaps) -> DriverError | None:
    """Why a queue cannot be declared; None when it can."""
    return next(_of_spec(spec, caps), None)


def refused_action(action: Settle, caps: BrokerCaps) -> DriverError | None:
    """Why a settlement cannot be made; None when it can."""
    if not 0 <= action.seconds < math.inf:
        return _invalid(f"seconds={action.seconds!r} is not a number of seconds from 0")
    if action.kind is SettleKind.EXTEND:
        longest = caps.limits.max_lease_s
        if not caps.lease:
            return unsupported("lease", "EXTEND")
        if longest is not None and action.seconds > longest:
            return _invalid(f"seconds={action.seconds!r} is above max_lease_s={longest:g}")
    if action.kind is SettleKind.RELEASE and action.seconds and not caps.nack_delay:
        return unsupported("nack_delay", f"RELEASE after {action.seconds:g} s")
    return None


def refused_name(name: object, caps: BrokerCaps) -> DriverError | None:
    """Why a name cannot be a queue's; None when it can."""
    if isinstance(name, str) and re.fullmatch(caps.limits.name_pattern, name) and _storable(name):
        return None
    return DriverError(
        Code.INVALID, f"The name {name!r} is not possible", cure=f"Names match {caps.limits.name_pattern!r}."
    )


def unsupported(capability: str, what: str) -> DriverError:
    """The error for the use of a capability that is not claimed."""
    return DriverError(
        Code.UNSUPPORTED,
        f"{what} needs capability {capability!r}, which this broker does not have",
        cure="Leave it out, or use a broker that has the capability.",
    )


def _of_item(item: Outgoing, caps: BrokerCaps) -> Iterator[DriverError]:
    yield from _bad_size(item, caps)
    what = f"Message {item.id!r} with"
    yield from _unclaimed(item, _NEEDS, caps, what)
    if item.exchange and not item.queue and not caps.exchanges:
        yield unsupported("exchanges", f"{what} exchange={item.exchange!r}")
    if not caps.binary_headers and _has_bytes([item.headers, item.properties]):
        yield unsupported("binary_headers", f"{what} bytes in its headers")
    yield from _bad_numbers(item, caps)
    refused = refused_name(item.queue, caps) if item.queue or not item.exchange else None
    if refused is not None:
        yield refused


def _bad_size(item: Outgoing, caps: BrokerCaps) -> Iterator[DriverError]:
    limits = caps.limits
    if type(item.body) is not bytes:
        yield _invalid(f"the body of message {item.id!r} is {type(item.body).__name__}, not bytes")
    elif limits.max_body is not None and len(item.body) > limits.max_body:
        yield _too_large(item, f"a body of {len(item.body)} bytes; the limit is max_body={limits.max_body}")
    if limits.max_headers is not None and len(item.headers) > limits.max_headers:
        yield _too_large(item, f"{len(item.headers)} headers; the limit is max_headers={limits.max_headers}")


def _bad_numbers(item: Outgoing, caps: BrokerCaps) -> Iterator[DriverError]:
    top = caps.limits.max_priority or TOP_PRIORITY
    if item.priority is not None and not (type(item.priority) is int and 0 <= item.priority <= top):
        yield _invalid(f"priority={item.priority!r} of message {item.id!r} is outside 0 to {top}")
    longest = caps.limits.max_delay_s
    if item.delay_s is not None and not 0 <= item.delay_s < math.inf:
        yield _invalid(f"delay_s={item.delay_s!r} of message {item.id!r} is no number of seconds from 0")
    elif item.delay_s is not None and longest is not None and item.delay_s > longest:
        yield _invalid(f"delay_s={item.delay_s!r} of message {item.id!r} is above max_delay_s={longest:g}")
    if item.ttl_s is not None and not item.ttl_s >= 0:
        yield _invalid(f"ttl_s={item.ttl_s!r} of message {item.id!r} is no number of seconds from 0")


def _of_spec(spec: QueueSpec, caps: BrokerCaps) -> Iterator[DriverError]:
    names = [spec.name] if spec.dead_letter is None else [spec.name, spec.dead_letter]
    yield from filter(None, (refused_name(name, caps) for name in names))
    if spec.dead_letter == spec.name:
        yield _invalid(f"queue {spec.name!r} is its own dead letter")
    if spec.temporary and not caps.fanout:
        yield unsupported("fanout", f"Temporary queue {spec.name!r}")
    kinds = [spec.exchange.type, *(binding.exchange.type for binding in spec.bindings)]
    if "headers" in kinds and not caps.exchanges:
        yield unsupported("exchanges", f"Queue {spec.name!r} on a headers exchange")
    yield from _unclaimed(spec, _SPEC_NEEDS, caps, f"Queue {spec.name!r} with")
    yield from _out_of_bounds(spec, caps)


def _out_of_bounds(spec: QueueSpec, caps: BrokerCaps) -> Iterator[DriverError]:
    limits = caps.limits
    bounds = (
        ("lease_s", limits.min_lease_s or TINY_S, limits.max_lease_s or LONG_S),
        ("ttl_s", TINY_S, LONG_S),
        ("expires_s", TINY_S, LONG_S),
        ("max_priority", 0, limits.max_priority or TOP_PRIORITY),
        ("delivery_limit", 1, LONG_S),
    )
    for field, least, most in bounds:
        value = getattr(spec, field)
        if value is not None and not least <= value <= most:
            yield _invalid(f"{field}={value!r} of queue {spec.name!r} is outside {least:g} to {most:g}")


def _unclaimed(
    thing: Outgoing | QueueSpec, needs: tuple[tuple[str, str], ...], caps: BrokerCaps, what: str
) -> Iterator[DriverError]:
    for field, capability in needs:
        value = getattr(thing, field)
        if value is not None and not getattr(caps, capability):
            yield unsupported(capability, f"{what} {field}={value!r}")


def _has_bytes(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_bytes(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_bytes(part) for part in value)
    return isinstance(value, (bytes, bytearray, memoryview))


def _storable(name: str) -> bool:
    """Whether it is valid Unicode."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_large(item: Outgoing, what: str) -> DriverError:
    cure = "Store the data elsewhere and send a reference to it, or compress it."
    return DriverError(Code.TOO_LARGE, f"Message {item.id!r} has {what}", cure=cure)


def _invalid(what: str) -> DriverError:
    return DriverError(Code.INVALID, f"{what[:1].upper()}{what[1:]}", cure="Correct the call.")
