"""The quarantine: messages set aside with a reason, and sent again on request (pains P05, P06, P18).

Usually the broker moves a rejected message there and keeps its reason. A message that was acknowledged before it
turned out to be unreadable is published there as a copy; its reason then travels in these two headers.
"""

from dataclasses import replace

from kernel.contracts.broker import Delivery, Outgoing
from kernel.model.message import BROKER_HEADERS

REASON = "kernel-dead-reason"
ORIGIN = "kernel-dead-queue"
_LEFT_OUT = frozenset({REASON, ORIGIN}) | BROKER_HEADERS
"""A server that finds traces of its own dead-lettering in a message may take it for one that goes round for ever."""


def copy_for(message: Outgoing, quarantine: str, reason: str) -> Outgoing:
    """The message as it is published to the quarantine queue."""
    return replace(
        again(message, message.queue),
        queue=quarantine,
        headers={**(message.headers or {}), REASON: reason, ORIGIN: message.queue},
        priority=None,
    )


def again(message: Outgoing, queue: str, delay_s: float = 0.0) -> Outgoing:
    """The message as it is published once more, as if it had never been delivered."""
    headers = {key: value for key, value in (message.headers or {}).items() if key not in _LEFT_OUT}
    return replace(
        message,
        queue=queue,
        headers=headers,
        exchange="",
        routing_key="",
        delay_s=delay_s or None,
        ttl_s=None,
        dedup_id=None,
    )


def origin(delivery: Delivery) -> str | None:
    """The queue a quarantined message came from; None when nobody knows."""
    found = delivery.dead_queue or (delivery.message.headers or {}).get(ORIGIN)
    return found if isinstance(found, str) and found else None


def reason(delivery: Delivery) -> str:
    """Why it was set aside; ``""`` when nobody knows."""
    found = delivery.dead_reason or (delivery.message.headers or {}).get(REASON)
    return found if isinstance(found, str) else ""
