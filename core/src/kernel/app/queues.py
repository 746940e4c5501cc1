"""Queues and exchanges as configuration writes them (features.md 2.8)."""

from collections.abc import Mapping, Sequence
from typing import Any

from kernel.model.topology import Binding, ExchangeType, QueueSpec
from kernel.model.topology import Exchange as ExchangeSpec

Exchange = ExchangeSpec


def Queue(  # noqa: N802, PLR0913 - the documented name and parameters
    name: str,
    exchange: ExchangeSpec | str | None = None,
    routing_key: str = "",
    *,
    bindings: Sequence[Binding] = (),
    durable: bool = True,
    max_priority: int | None = None,
    message_ttl: float | None = None,
    expires: float | None = None,
    queue_arguments: Mapping[str, Any] | None = None,
) -> QueueSpec:
    """A queue for ``task_queues``: ``Queue('hipri', Exchange('tasks', 'topic'), routing_key='hipri.#')``.

    Args:
        name: the queue's name.
        exchange: the exchange that reaches it, or the name of a direct one; None is the default exchange.
        routing_key: key or pattern of its binding to ``exchange``; empty is the queue's name.
        bindings: further bindings.
        durable: survives a restart of the server.
        max_priority: highest priority; also ``x-max-priority`` among the arguments.
        message_ttl: seconds a message may wait.
        expires: seconds an unused queue lives.
        queue_arguments: arguments for brokers that know them, such as ``{'x-queue-type': 'quorum'}``.

    Raises:
        ValueError: for an empty name.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"A queue needs a name, not {name!r}")
    arguments = dict(queue_arguments or {})
    highest = arguments.pop("x-max-priority", None)
    return QueueSpec(
        name=name,
        exchange=ExchangeSpec(exchange) if isinstance(exchange, str) else exchange or ExchangeSpec(),
        routing_key=routing_key,
        bindings=tuple(bindings),
        durable=durable,
        max_priority=highest if max_priority is None else max_priority,
        ttl_s=message_ttl,
        expires_s=expires,
        arguments=arguments,
    )


__all__ = ["Binding", "Exchange", "ExchangeType", "Queue"]
