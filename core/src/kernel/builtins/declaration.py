"""What the built-in brokers accept as a queue, and when two declarations of one queue contradict each other."""

import re
from collections.abc import Iterator

from kernel.builtins.envelope import TOP_PRIORITY
from kernel.contracts.capabilities import Limits
from kernel.errors import Code, DriverError
from kernel.model.topology import Binding, QueueSpec

PROPERTIES = (
    "temporary",
    "auto_delete",
    "max_priority",
    "ttl_s",
    "expires_s",
    "lease_s",
    "delivery_limit",
    "dead_letter",
)
"""The fields of a QueueSpec that two declarations must agree on. Bindings add up, as in AMQP; ``durable`` and
``arguments`` say nothing to a broker without a server of its own."""


def check(spec: QueueSpec, limits: Limits) -> None:
    """Refuse a queue no built-in broker can have.

    Raises:
        DriverError: INVALID for a name or number, UNSUPPORTED for an exchange type.
    """
    check_name(spec.name, limits)
    if spec.dead_letter is not None:
        check_name(spec.dead_letter, limits)
        if spec.dead_letter == spec.name:
            raise _bad(spec, "dead_letter", "another queue, or None")
    kinds: dict[str, str] = {}
    for binding, key in subscriptions(spec):
        check_name(binding.exchange.name, limits)
        if key:
            check_name(key, limits)
        kind = binding.exchange.type
        check_same_type(binding.exchange.name, kinds.setdefault(binding.exchange.name, kind), kind)
        if binding.exchange.type == "headers":
            raise DriverError(
                Code.UNSUPPORTED,
                f"Exchange {binding.exchange.name!r} of queue {spec.name!r} has type 'headers'",
                cure="Use a direct, topic or fanout exchange, or a broker that routes by headers.",
            )
    _check_numbers(spec, limits)


def check_name(name: str, limits: Limits) -> None:
    """Refuse a name outside the declared grammar.

    Raises:
        DriverError: INVALID.
    """
    if re.fullmatch(limits.name_pattern, name) is None or not _storable(name):
        raise DriverError(
            Code.INVALID,
            f"The name {name!r} is not possible",
            cure="Use 1 to 255 characters, none of them a control character.",
        )


def subscriptions(spec: QueueSpec) -> Iterator[tuple[Binding, str]]:
    """Every binding of the queue to a named exchange, with its key; the queue's own exchange first."""
    if spec.exchange.name:
        yield Binding(spec.exchange, spec.key), spec.key
    for binding in spec.bindings:
        if binding.exchange.name:
            yield binding, binding.routing_key


def check_same(old: QueueSpec, new: QueueSpec) -> None:
    """Refuse a declaration that contradicts the queue as it exists.

    Raises:
        DriverError: CONFLICT, naming what differs.
    """
    differing = [
        f"{name} is {getattr(old, name)!r}, not {getattr(new, name)!r}"
        for name in PROPERTIES
        if getattr(old, name) != getattr(new, name)
    ]
    if differing:
        raise DriverError(
            Code.CONFLICT,
            f"Queue {new.name!r} exists with other properties: {', '.join(differing)}",
            cure="Declare it as it is, or delete the queue first.",
        )


def check_same_type(exchange: str, old: str, new: str) -> None:
    """Refuse an exchange that exists with another type.

    Raises:
        DriverError: CONFLICT.
    """
    if old != new:
        raise DriverError(
            Code.CONFLICT,
            f"Exchange {exchange!r} exists with type {old!r}, not {new!r}",
            cure="Use its type, or another exchange name.",
        )


def _storable(name: str) -> bool:
    """Whether it is valid Unicode; a lone surrogate cannot be stored."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_numbers(spec: QueueSpec, limits: Limits) -> None:
    top = spec.max_priority
    if top is not None and not 0 <= top <= (limits.max_priority or TOP_PRIORITY):
        raise _bad(spec, "max_priority", f"0 to {limits.max_priority or TOP_PRIORITY}")
    if spec.delivery_limit is not None and spec.delivery_limit < 1:
        raise _bad(spec, "delivery_limit", "1 or more")
    for name in ("ttl_s", "expires_s", "lease_s"):
        seconds = getattr(spec, name)
        if seconds is not None and not 0 < seconds < float("inf"):
            raise _bad(spec, name, "a positive number of seconds")


def _bad(spec: QueueSpec, field: str, wanted: str) -> DriverError:
    return DriverError(
        Code.INVALID,
        f"Queue {spec.name!r} has {field}={getattr(spec, field)!r}",
        cure=f"Set {field} to {wanted}.",
    )
