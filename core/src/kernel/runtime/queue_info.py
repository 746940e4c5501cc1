"""A consumed queue as ``inspect active_queues`` shows it (wire.md 12)."""

from typing import Any

from kernel.model.topology import Binding, Exchange, QueueSpec

_DIRECT = 2
"""Delivery mode: messages survive a restart of the broker."""


def queue_info(spec: QueueSpec) -> dict[str, Any]:
    """One queue."""
    return {
        "name": spec.name,
        "exchange": _exchange(spec.exchange),
        "routing_key": spec.key,
        "queue_arguments": dict(spec.arguments) or None,
        "binding_arguments": None,
        "consumer_arguments": None,
        "durable": spec.durable,
        "exclusive": spec.temporary,
        "auto_delete": spec.auto_delete,
        "no_ack": False,
        "alias": None,
        "bindings": [_binding(each) for each in spec.bindings],
        "no_declare": None,
        "expires": spec.expires_s,
        "message_ttl": spec.ttl_s,
        "max_length": None,
        "max_length_bytes": None,
        "max_priority": spec.max_priority,
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    return {
        "name": exchange.name,
        "type": exchange.type,
        "arguments": None,
        "durable": exchange.durable,
        "passive": False,
        "auto_delete": False,
        "delivery_mode": _DIRECT,
        "no_declare": False,
    }


def _binding(binding: Binding) -> dict[str, Any]:
    return {"exchange": _exchange(binding.exchange), "routing_key": binding.routing_key}
