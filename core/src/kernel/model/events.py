"""Monitoring events (wire.md 13): plain mappings, built here and nowhere else."""

from collections.abc import Mapping

EVENT_EXCHANGE_TYPE = "topic"

Event = Mapping[str, object]


def routing_key(event_type: str) -> str:
    """``task-received`` is published with routing key ``task.received``."""
    return event_type.replace("-", ".")


def event(event_type: str, timestamp: float, **fields: object) -> dict[str, object]:
    """One event; the dispatcher adds hostname, pid, clock and utcoffset when it publishes.

    Args:
        event_type: such as ``task-succeeded``.
        timestamp: Unix time in seconds.
        fields: what this type carries (the table of wire.md 13).
    """
    return {"type": event_type, "timestamp": timestamp, **fields}
