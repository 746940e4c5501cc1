"""The configured queues and exchanges, and what a queue looks like that nobody configured (features.md 2.8)."""

from dataclasses import replace
from types import MappingProxyType

from kernel.engine.queue_reader import read_exchange, read_queue
from kernel.errors import ImproperlyConfigured, QueueNotFound
from kernel.errors.near import did_you_mean
from kernel.model.config import Config
from kernel.model.topology import Exchange, QueueSpec, Topology, binding_matches


def build_topology(config: Config) -> Topology:
    """Read the routing settings. Without ``task_queues`` the default queue is the only one configured.

    A configured queue whose exchange has no name hangs on the default exchange, as in Celery; its routing key is
    its own name unless it says another one.

    Raises:
        ImproperlyConfigured: for an entry of ``task_queues`` that is no queue, or a name given twice.
    """
    default = config.task_default_queue or config.namespace
    exchange = read_exchange(config.task_default_exchange or default, config.task_default_exchange_type)
    template = QueueSpec("", max_priority=config.task_queue_max_priority, dead_letter=_quarantine(config))
    queues: dict[str, QueueSpec] = {}
    for entry in config.task_queues or (default,):
        spec = _completed(read_queue(entry), exchange, template)
        if spec.name == default and not spec.routing_key:
            spec = replace(spec, routing_key=config.task_default_routing_key or default)
        if spec.name in queues:
            raise ImproperlyConfigured(f"task_queues has two queues named {spec.name!r}", cure="Remove one.")
        queues[spec.name] = spec
    return Topology(
        default_queue=default,
        queues=MappingProxyType(queues),
        create_missing=config.task_create_missing_queues,
        default_routing_key=config.task_default_routing_key or default,
        template=template,
    )


def queue_spec(topology: Topology, name: str) -> QueueSpec:
    """The queue of that name; when it is not configured, a direct one with an exchange of its own (wire.md 5.2).

    Raises:
        QueueNotFound: when it is not configured and ``task_create_missing_queues`` is off.
    """
    spec = topology.queues.get(name)
    if spec is not None:
        return spec
    if not topology.create_missing:
        near = did_you_mean(name, topology.queues)
        raise QueueNotFound(
            f"Queue {name!r} is not configured, and task_create_missing_queues is off",
            cure=near or "Add it to task_queues.",
        )
    template = topology.template
    dead_letter = None if name == template.dead_letter else template.dead_letter
    return replace(template, name=name, exchange=Exchange(name), routing_key=name, dead_letter=dead_letter)


def quarantine_spec(config: Config) -> QueueSpec:
    """The queue that keeps rejected and poisonous messages until somebody looks; itself without a dead letter."""
    return QueueSpec(_quarantine(config))


def matching_queues(topology: Topology, exchange: str, routing_key: str) -> tuple[str, ...]:
    """The queues a message reaches through an exchange, as far as configuration tells.

    For brokers that do not route by exchange themselves. Each queue once, in the order of configuration.
    """
    if not exchange:
        return (routing_key,)
    return tuple(name for name, spec in topology.queues.items() if _reached(spec, exchange, routing_key))


def _reached(spec: QueueSpec, exchange: str, routing_key: str) -> bool:
    if spec.exchange.name == exchange and binding_matches(spec.exchange.type, spec.key, routing_key):
        return True
    return any(
        binding.exchange.name == exchange and binding_matches(binding.exchange.type, binding.routing_key, routing_key)
        for binding in spec.bindings
    )


def _completed(spec: QueueSpec, exchange: Exchange, template: QueueSpec) -> QueueSpec:
    dead_letter = spec.dead_letter or template.dead_letter
    return replace(
        spec,
        exchange=spec.exchange if spec.exchange.name else exchange,
        max_priority=template.max_priority if spec.max_priority is None else spec.max_priority,
        dead_letter=None if dead_letter == spec.name else dead_letter,
    )


def _quarantine(config: Config) -> str:
    return f"{config.namespace}.quarantine"
