"""Short forms that storage tests share."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from kernel.contracts import Broker, Consumer, Deadline, Delivery, Outgoing, Settle, SettleKind, SettleResult
from kernel.model.topology import QueueSpec


def soon(seconds: float = 10.0) -> Deadline:
    return Deadline.after(seconds)


def message(queue: str = "q", number: int = 0, **options: Any) -> Outgoing:
    return Outgoing(queue, f"body {number}".encode(), {"n": number}, f"id-{number}", **options)


def declare(broker: Broker, *specs: QueueSpec | str) -> None:
    broker.declare([QueueSpec(spec) if isinstance(spec, str) else spec for spec in specs], soon())


def publish(broker: Broker, *items: Outgoing) -> None:
    assert [result.error for result in broker.publish(items, soon())] == [None] * len(items)


def numbers(deliveries: Sequence[Delivery]) -> list[int]:
    return [delivery.message.headers["n"] for delivery in deliveries]


def settle(consumer: Consumer, kind: SettleKind, *deliveries: Delivery, **options: Any) -> list[SettleResult]:
    return consumer.settle([Settle(delivery, kind, **options) for delivery in deliveries], soon())


def ack(consumer: Consumer, *deliveries: Delivery) -> None:
    assert all(result.ok for result in settle(consumer, SettleKind.ACK, *deliveries))


def collect(consumer: Consumer, count: int, seconds: float = 10.0) -> list[Delivery]:
    """Receive until there are so many, or fail."""
    end, found = time.monotonic() + seconds, []
    while len(found) < count:
        left = end - time.monotonic()
        assert left > 0, f"only {len(found)} of {count} came"
        found += consumer.receive(count - len(found), min(left, 0.5))
    return found


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition, or fail."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)
