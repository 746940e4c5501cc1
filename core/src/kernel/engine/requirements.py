"""Which capabilities configuration needs, and the refusal of plugins that lack one (E107).

A setting that a broker or pool cannot honour is an error at start and names the setting, never a silent no-op
(pains P27, P31). Result backends are asked for nothing by settings alone; what chords need is checked with
:func:`check` where they are used.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kernel.contracts.capabilities import BrokerCaps, Limits, PoolCaps
from kernel.errors import PluginError
from kernel.model.config import Config
from kernel.model.named_router import named_router
from kernel.model.options import TaskOptions
from kernel.model.topology import QueueSpec, Topology


@dataclass(frozen=True, slots=True)
class Requirement:
    """A capability that is needed.

    Attributes:
        capability: its name in :mod:`kernel.contracts.capabilities`.
        because: the setting with its value, or the queue, route or task, that needs it.
        cure: what to change instead of the plugin, as the end of "or …"; empty when nothing can be.
    """

    capability: str
    because: str
    cure: str = ""


REPLY_QUEUES = Requirement("fanout", "result_backend = 'rpc://'", "choose another result backend")
"""Clients declare queues of their own, as they do to listen to a fanout exchange."""

REMOTE_CONTROL = Requirement("fanout", "remote control", "name one in control_url, beside it")
"""A node listens to a fanout exchange, and answers come to a queue of the asker's own."""


def check_broker(plugin: str, caps: BrokerCaps, config: Config, topology: Topology) -> None:
    """Refuse a broker that cannot do what settings, queues and routes ask for.

    Args:
        plugin: its name, for messages.
        caps: what it claims.
        config: the settings.
        topology: the queues they make.

    Raises:
        PluginError: E107 for the first requirement it does not meet, or the first bound that is exceeded.
    """
    check(plugin, caps.claimed(), broker_requirements(config, topology))
    for queue in topology.queues.values():
        _check_limits(plugin, caps.limits, queue)


def check_control(plugin: str, caps: BrokerCaps, config: Config) -> None:
    """Refuse a broker for events and remote control that cannot carry what settings ask for.

    Args:
        plugin: of ``control_url``, else of ``broker_url``.
        caps: what it claims.
        config: the settings.

    Raises:
        PluginError: E107.
    """
    check(plugin, caps.claimed(), _event_settings(config))


def check_pool(plugin: str, caps: PoolCaps, config: Config, tasks: Iterable[TaskOptions] = ()) -> None:
    """Refuse a pool that cannot enforce the limits that settings and tasks set.

    Raises:
        PluginError: E107 for the first requirement it does not meet.
    """
    check(plugin, caps.claimed(), pool_requirements(config, tasks))


def check_reach(plugin: str, limits: Limits, pool: str, caps: PoolCaps) -> None:
    """Refuse a store that lives in one process beside a pool whose tasks run in others.

    What those tasks store and send would go to a store of their own, and vanish without a word.

    Raises:
        PluginError: E107.
    """
    if limits.in_process and caps.isolates:
        raise PluginError(
            "E107",
            f"plugin {plugin!r} keeps everything in one process, and {pool!r} runs tasks in others.",
            cure="Use a store that processes share, such as sqlite:///, or another pool: -P threads.",
            plugin=plugin,
        )


def check(plugin: str, claimed: frozenset[str], requirements: Iterable[Requirement]) -> None:
    """Compare what a plugin claims with what is needed.

    Raises:
        PluginError: E107 for the first requirement that is not met.
    """
    for need in requirements:
        if need.capability not in claimed:
            message = f"{need.because} needs capability {need.capability!r}, which plugin {plugin!r} does not have."
            alternative = f", or {need.cure}" if need.cure else ""
            kind = plugin.partition(".")[0]
            raise PluginError("E107", message, cure=f"Use a {kind} that has it{alternative}.", plugin=plugin)


def broker_requirements(config: Config, topology: Topology) -> Iterator[Requirement]:
    """What settings, queues and static routes need of a broker."""
    yield from _priority_settings(config)
    if (config.result_backend or "").partition(":")[0] == "rpc":
        yield REPLY_QUEUES
    for queue in topology.queues.values():
        yield from _queue_needs(queue)
    yield from _route_needs(config.task_routes)


def pool_requirements(config: Config, tasks: Iterable[TaskOptions] = ()) -> Iterator[Requirement]:
    """What settings and tasks need of a pool; tasks with their annotations applied."""
    settings = (
        ("task_time_limit", "hard_limit"),
        ("task_soft_time_limit", "soft_limit"),
        ("worker_max_tasks_per_child", "recycle"),
        ("worker_max_memory_per_child", "recycle"),
    )
    for name, capability in settings:
        value = getattr(config, name)
        if value:
            yield Requirement(capability, f"{name} = {value!r}", f"unset {name}")
    for task in tasks:
        if task.time_limit:
            yield _task_need("hard_limit", task.name, "time_limit", task.time_limit)
        if task.soft_time_limit:
            yield _task_need("soft_limit", task.name, "soft_time_limit", task.soft_time_limit)


def _task_need(capability: str, task: str, option: str, value: float) -> Requirement:
    return Requirement(capability, f"task {task!r} with {option} = {value!r}", f"take {option} off the task")


def _priority_settings(config: Config) -> Iterator[Requirement]:
    for name in ("task_queue_max_priority", "task_default_priority"):
        value = getattr(config, name)
        if value is not None:
            yield Requirement("priority", f"{name} = {value!r}", f"unset {name}")
    if config.task_inherit_parent_priority:
        yield Requirement("priority", "task_inherit_parent_priority = True", "unset task_inherit_parent_priority")


def _event_settings(config: Config) -> Iterator[Requirement]:
    cure = "turn events off"
    if config.control_url is None:
        cure = "name one in control_url, beside it, or turn events off"
    else:
        yield Requirement("fanout", "control_url", "leave it out")
    if config.worker_send_task_events:
        yield Requirement("fanout", "worker_send_task_events = True (-E)", cure)
    if config.task_send_sent_event:
        yield Requirement("fanout", "task_send_sent_event = True", cure)


def _queue_needs(queue: QueueSpec) -> Iterator[Requirement]:
    name = f"queue {queue.name!r}"
    if queue.temporary:
        yield Requirement("fanout", f"temporary {name}", "make it a lasting queue")
    types = [queue.exchange.type, *(binding.exchange.type for binding in queue.bindings)]
    if "headers" in types:  # direct, topic and fanout are resolved by the kernel for brokers without exchanges
        yield Requirement("exchanges", f"{name} on a headers exchange", "use a direct, topic or fanout exchange")
    wanted = (
        ("priority", "max_priority", queue.max_priority),
        ("ttl", "ttl_s", queue.ttl_s),
        ("lease", "lease_s", queue.lease_s),
        ("dlq", "delivery_limit", queue.delivery_limit),
    )
    for capability, attribute, value in wanted:
        if value is not None:
            yield Requirement(capability, f"{name} with {attribute} = {value!r}", f"leave {attribute} out")


_ROUTE_OPTIONS: Mapping[str, str] = {"priority": "priority", "group": "fifo_group", "dedup_id": "dedup"}


def _route_needs(routes: Any) -> Iterator[Requirement]:
    """What the options of static routes need; what a routing function returns is only known per call."""
    for pattern, route in _static_routes(routes):
        for option, capability in _ROUTE_OPTIONS.items():
            value = route.get(option)
            if value is not None:
                because = f"the route of {pattern!r} in task_routes with {option} = {value!r}"
                yield Requirement(capability, because, f"take {option} off the route")


def call_requirements(declared: Mapping[str, Mapping[str, Any]]) -> Iterator[Requirement]:
    """What the options that tasks declare for their calls need of a broker; options by task name."""
    for task, options in declared.items():
        for option, capability in _ROUTE_OPTIONS.items():
            value = options.get(option)
            if value:  # priority 0 is what every broker gives
                yield Requirement(capability, f"task {task!r} with {option} = {value!r}", f"take {option} off the task")


def _static_routes(routes: Any) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Pairs of pattern and options in a mapping, in a pair, or in a list of those and of routing functions.

    A list of a router's dotted name and a mapping looks like a pair; reading it both ways finds the options.
    """
    match routes:
        case Mapping() if named_router(routes) is not None:
            return  # what a plugin's router answers is only known per call
        case Mapping():
            yield from ((pattern, route) for pattern, route in routes.items() if isinstance(route, Mapping))
        case [str() | re.Pattern() as pattern, Mapping() as route]:
            yield pattern, route
            yield from _static_routes(route)
        case [*parts]:
            for part in parts:
                yield from _static_routes(part)


def _check_limits(plugin: str, limits: Limits, queue: QueueSpec) -> None:
    name = f"queue {queue.name!r}"
    if not re.fullmatch(limits.name_pattern, queue.name):
        _exceeds(plugin, f"{name} is no name for it", f"Names must match {limits.name_pattern!r}.")
    if _outside(queue.max_priority, None, limits.max_priority):
        most = f"Its highest is {limits.max_priority}."
        _exceeds(plugin, f"{name} with max_priority = {queue.max_priority} is beyond it", most)
    if _outside(queue.lease_s, limits.min_lease_s, limits.max_lease_s):
        bounds = f"It takes {limits.min_lease_s or 0} to {limits.max_lease_s or 'any number of'} seconds."
        _exceeds(plugin, f"{name} with lease_s = {queue.lease_s!r} is beyond it", bounds)


def _exceeds(plugin: str, what: str, cure: str) -> None:
    raise PluginError("E107", f"plugin {plugin!r}: {what}.", cure=cure, plugin=plugin)


def _outside(value: float | None, least: float | None, most: float | None) -> bool:
    if value is None:
        return False
    return (least is not None and value < least) or (most is not None and value > most)
