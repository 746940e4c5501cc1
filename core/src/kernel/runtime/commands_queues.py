"""Commands of remote control that change what a worker consumes (wire.md 12)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kernel.contracts.deadline import Deadline
from kernel.engine.topology import queue_spec
from kernel.errors import Code, DriverError
from kernel.model.topology import Exchange, QueueSpec, Topology
from kernel.runtime.inbox import Errand
from kernel.runtime.link import Link
from kernel.runtime.panel import control_command
from kernel.runtime.panel_state import PanelState

logger = logging.getLogger("kernel.worker")

Answer = dict[str, str]
_KINDS = ("direct", "topic", "fanout", "headers")


@dataclass(frozen=True, slots=True)
class Change(Errand):
    """In the main loop, which is the one that receives: consume more, or less."""

    link: Link
    add: tuple[QueueSpec, ...] = ()
    remove: tuple[str, ...] = ()

    def run(self) -> None:
        """Change it."""
        self.link.change(self.add, self.remove)


@control_command(
    args=[("queue", str), ("exchange", str), ("exchange_type", str), ("routing_key", str)],
    signature="<queue> [exchange [type [routing_key]]]",
)
def add_consumer(
    state: PanelState,
    queue: str,
    exchange: str | None = None,
    exchange_type: str | None = None,
    routing_key: str | None = None,
    **options: Any,
) -> Answer:
    """Consume one more queue."""
    parts, link = state.parts, state.parts.desk.link
    if any(spec.name == queue for spec in link.queues):
        return {"ok": f"already consuming from {queue}"}
    services = parts.services
    spec = _spec(services.topology, queue, (exchange, exchange_type, routing_key), options)
    broker = link.broker
    if broker is None or not link.may_change:
        raise DriverError(Code.UNSUPPORTED, "This worker cannot change its queues while it runs, or not now.")
    broker.declare([spec], Deadline.after(services.config.broker_connection_timeout))
    parts.inbox.send(Change(link, add=(spec,)))
    logger.info("Queue %s is consumed from now on.", queue)
    return {"ok": f"add consumer {queue}"}


@control_command(args=[("queue", str)], signature="<queue>")
def cancel_consumer(state: PanelState, queue: str, **_rest: Any) -> Answer:
    """Consume a queue no longer; what was taken from it is finished."""
    link = state.parts.desk.link
    if not any(spec.name == queue for spec in link.queues):
        return {"error": f"not consuming from {queue}"}
    if not link.may_change:
        raise DriverError(Code.UNSUPPORTED, "This worker cannot change its queues while it runs, or not now.")
    state.parts.inbox.send(Change(link, remove=(queue,)))
    logger.info("Queue %s is no longer consumed.", queue)
    return {"ok": f"no longer consuming from {queue}"}


def _spec(
    topology: Topology, name: str, given: tuple[str | None, str | None, str | None], options: Mapping[str, Any]
) -> QueueSpec:
    """The queue as configured, or as the request describes it.

    Raises:
        QueueNotFound: it is not configured, and no others are to be made.
        ValueError: for a description that is none.
    """
    exchange, kind, key = given
    if options:
        raise ValueError(f"add_consumer does not know {', '.join(sorted(options))}; describe the queue in task_queues")
    if not isinstance(name, str) or not name or not all(part is None or isinstance(part, str) for part in given):
        raise ValueError(f"queue, exchange, exchange_type and routing_key must be texts, not {(name, *given)!r:.200}")
    spec = queue_spec(topology, name)
    if exchange is None and key is None and kind in {None, "direct"}:
        return spec
    if kind not in {None, *_KINDS}:
        raise ValueError(f"There is no exchange type {kind!r}. Use {', '.join(_KINDS)}.")
    found = Exchange(exchange or spec.exchange.name, kind or "direct", spec.exchange.durable)  # type: ignore[arg-type] # it is one of them
    return replace(spec, exchange=found, routing_key=key or spec.routing_key)
