"""From a delivery to what an executor gets."""

from collections.abc import Mapping
from typing import Any

from kernel.contracts.broker import Delivery
from kernel.contracts.pool import Job
from kernel.runtime.executor import Payload
from kernel.runtime.ledger import Entry


def job_of(entry: Entry, *, events: bool = False) -> Job:
    """The job of an admitted delivery; ``events``: its executor is to tell monitors of it."""
    run, payload = entry.run, payload_of(entry.delivery, entry.headers, events=events)
    return Job(entry.tag, run.task, run.id, payload, run.soft_limit, run.hard_limit)


def payload_of(delivery: Delivery, headers: Mapping[str, Any], *, events: bool = False) -> Payload:
    """The message as received, with ``headers`` for those of a protocol that has them in its body."""
    message = delivery.message
    return Payload(
        headers,
        message.body,
        message.content_type,
        message.content_encoding,
        delivery_info(delivery),
        message.correlation_id,
        message.reply_to,
        message.properties,
        delivery.attempt,
        events,
    )


def delivery_info(delivery: Delivery) -> dict[str, Any]:
    """Where a delivery came from, as ``request.delivery_info`` shows it; ``group`` only when it has one."""
    message = delivery.message
    found = {
        "exchange": message.exchange,
        "routing_key": message.routing_key or message.queue,
        "priority": message.priority or 0,
        "redelivered": bool(delivery.redelivered),
    }
    if message.group is not None:
        found["group"] = message.group
    return found
