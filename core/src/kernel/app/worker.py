"""A worker of one application: from names and numbers to a running node."""

import os
import threading
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final, Unpack

from kernel.app.beat.embedded import EmbeddedService
from kernel.app.executors import ExecutorOptions, InheritingFactory, SpawningFactory, where_is
from kernel.app.imports import import_task_modules
from kernel.app.kernel import Kernel
from kernel.app.node_name import node_name, node_path
from kernel.app.worker_options import WorkerOptions, reject_unknown, with_options
from kernel.contracts.deadline import Deadline
from kernel.contracts.pool import ExecutorFactory, Pool, PoolOptions
from kernel.engine.autoscale import Autoscale, keepalive
from kernel.engine.requirements import call_requirements, check, check_broker, check_control, check_pool, check_reach
from kernel.engine.topology import queue_spec
from kernel.errors import ImproperlyConfigured, QueueNotFound, SecurityError
from kernel.errors.near import did_you_mean
from kernel.model.config import Config
from kernel.runtime.boot import Services, build_services
from kernel.runtime.cpus import usable_cpus
from kernel.runtime.events import HEARTBEAT_S
from kernel.runtime.logs import LogSettings, level_number
from kernel.runtime.node import Node, NodeOptions
from kernel.runtime.remote import RemoteOptions
from kernel.runtime.shutdown import Level
from kernel.runtime.signal_table import (
    celeryd_after_setup,
    celeryd_init,
    worker_before_create_process,
    worker_init,
    worker_ready,
    worker_shutdown,
)

_PICKLE: Final = frozenset({"pickle", "application/x-python-serialize"})


class Worker:
    """Everything a node needs, checked; :meth:`start` runs it.

    Attributes:
        app: the application.
        config: its settings, with the options of this worker over them.
        services: what configuration chose, for the node itself.
        hostname: the node's full name.
        queues: names of the queues consumed.
        pool: the pool's class.
        concurrency: its size, at first if it changes.
        scale: the fewest and the most executors; None for a pool of one size.
        node: the running node; None before :meth:`start`.
        ready: set when the node consumes.

    Raises:
        TypeError: for an unknown option.
        ImproperlyConfigured: for a value that cannot work.
        PluginError: for a plugin that is missing, broken, or lacks what settings need.
        SecurityError: for pickle as root.
    """

    def __init__(self, app: Kernel, **options: Unpack[WorkerOptions]) -> None:
        reject_unknown(options)
        self.app = app
        self.hostname = node_name(options.get("hostname"), app.config.namespace, os.uname().nodename)
        celeryd_init.send(self.hostname, instance=self, conf=app.conf, options=options)
        self.config = _with_state_db(with_options(app.config, options), self.hostname)
        if os.geteuid() == 0 and not options.get("force_root"):
            _refuse_pickle(self.config)
        import_task_modules(app, self.config)
        self.services: Services = build_services(self.config, self.hostname, with_pool=True)
        self.services.clock = app.clock
        self.queues = _chosen_queues(self.services, options.get("queues"), options.get("exclude_queues"))
        self.pool: type[Pool] = self.services.plugins.pools[self.config.worker_pool]
        self.scale = scale = options.get("autoscale")
        self.concurrency = _concurrency(self.config) if scale is None else scale.least
        self.node: Node | None = None
        self._beat = EmbeddedService(app) if options.get("beat") else None
        self.ready = threading.Event()
        self._options = options
        self._check()
        celeryd_after_setup.send(self.hostname, instance=self, conf=app.conf)

    def start(self, *, signals: bool = True) -> int:
        """Run until stopped; the exit code (see :meth:`Node.run`).

        Args:
            signals: install signal handlers; needs the main thread.

        Raises:
            DriverError: when the broker cannot be reached and settings say not to wait for it.
        """
        worker_init.send(self)
        self.app.client.services  # noqa: B018 - plugins are imported once, here, instead of in every child
        self.node = self.make_node()
        if self.pool.capabilities().isolates:
            worker_before_create_process.send(self)
        try:
            return self.node.run(signals=signals)
        finally:
            if self._beat is not None:
                self._beat.stop()
            self.services.close()
            worker_shutdown.send(self)

    def _on_ready(self) -> None:
        """The node consumes; its children come from a process that was forked before this one did anything of beat."""
        if self._beat is not None:
            self._beat.start()
        self.ready.set()
        worker_ready.send(self)

    def stop(self, level: Level = Level.WARM) -> None:
        """Ask the running node to end. From any thread."""
        if self.node is not None:
            self.node.stop(level)

    def purge(self) -> int:
        """Delete what waits in this worker's queues; how many, as far as the broker knows. Before :meth:`start`.

        Raises:
            DriverError: when the broker cannot do it.
        """
        broker = self.services.broker
        deadline = Deadline.after(self.config.broker_connection_timeout)
        broker.declare([queue_spec(self.services.topology, name) for name in self.queues], deadline)
        purged = broker.purge(self.queues, deadline)
        self.services.close()
        return sum(count or 0 for count in purged.values())

    def make_node(self) -> Node:
        """The node, not started."""
        config, options, scale = self.config, self._options, self.scale
        pool_options = PoolOptions(
            size=self.concurrency,
            most=0 if scale is None else scale.most,
            max_tasks_per_child=config.worker_max_tasks_per_child,
            max_memory_per_child_kib=config.worker_max_memory_per_child,
            start_method=config.worker_pool_start_method,
            lost_wait_s=config.worker_lost_wait,
            start_timeout_s=config.worker_proc_alive_timeout,
            handout_s=config.worker_handout_time,
            handout_max=config.worker_handout_max,
        )
        node_options = NodeOptions(
            hostname=self.hostname,
            queues=self.queues,
            pool=pool_options,
            task_events=config.worker_send_task_events,
            heartbeat=options.get("heartbeat", True),
            heartbeat_s=options.get("heartbeat_interval") or HEARTBEAT_S,
            autoscale=None if scale is None else Autoscale(scale, keepalive(os.environ)),
            remap_term=options.get("remap_term", False),
            restart_on_hangup=options.get("restart_on_hangup", False),
        )
        remote = RemoteOptions(self.app, mingle=options.get("mingle", True))
        return Node(self.services, self.app.tasks, self.pool, self._factory(), node_options, remote, self._on_ready)

    @property
    def beat(self) -> bool:
        """Whether beat runs in this node."""
        return self._beat is not None

    @property
    def log_level(self) -> int:
        """The lowest level logged, as a number."""
        level = self._options.get("loglevel", "WARNING")
        return level if isinstance(level, int) else level_number(level)

    def _factory(self) -> ExecutorFactory:
        logs = LogSettings(self.config, self.log_level, self._options.get("log_path"), self._options.get("log_color"))
        told = ExecutorOptions(self.hostname, self.log_level, self.config.worker_send_task_events, logs)
        if self.config.worker_pool_start_method == "fork" or not self.pool.capabilities().isolates:
            return InheritingFactory(self.app, told)
        module, attribute = where_is(self.app)
        return SpawningFactory(
            module,
            attribute,
            _changed(self.config),
            told,
            self._options.get("log_path"),
            self._options.get("log_color"),
            self.app.preload,
        )

    def _check(self) -> None:
        """What settings and tasks need of the pool and the broker (E107)."""
        options = [task.task_options for task in self.app.tasks.values()]
        pool, caps = f"pool.{self.config.worker_pool}", self.pool.capabilities()
        check_pool(pool, caps, self.config, options)
        if self.scale is not None and not caps.resize:
            raise ImproperlyConfigured(
                f"{pool} cannot change its size.", cure="Use -c, or the pool prefork or threads."
            )
        services = self.services
        for plugin, limits in services.reach():
            check_reach(plugin, limits, pool, caps)
        provided = services.plugins.broker(services.broker_url.partition(":")[0])
        check_broker(provided.plugin, services.broker_caps, self.config, services.topology)
        declared = {name: task.prepared.call for name, task in self.app.tasks.items()}
        check(provided.plugin, services.broker_caps.claimed(), call_requirements(declared))
        check_control(*services.control, self.config)


def _changed(config: Config) -> dict[str, Any]:
    """Every setting that is not at its default, but for those of beat: functions in a schedule need not travel."""
    default = Config()
    return {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if getattr(config, field.name) != getattr(default, field.name) and not field.name.startswith("beat_")
    }


def _with_state_db(config: Config, node: str) -> Config:
    """The settings with the path of this node's own state file."""
    path = config.worker_state_db
    return replace(config, worker_state_db=node_path(path, node)) if path else config


def _refuse_pickle(config: Config) -> None:
    accepted = _PICKLE & {*config.accept_content, *(config.result_accept_content or ())}
    if accepted:
        raise SecurityError(
            f"This worker runs as root and accepts {min(accepted)!r}: whoever can send a message could run any code.",
            cure="Run it as another user, take pickle out of accept_content, or set KERNEL_FORCE_ROOT=1.",
        )


def _chosen_queues(services: Services, wanted: Sequence[str] | None, excluded: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the queues to consume, each once.

    Raises:
        QueueNotFound: for a name that is not configured, where queues are not made on the fly, or cannot be excluded.
        ImproperlyConfigured: when none is left.
    """
    topology = services.topology
    names = tuple(dict.fromkeys(wanted or topology.queues))
    for name in names:
        queue_spec(topology, name)
    for name in excluded or ():
        if name not in names:
            near = did_you_mean(name, names)
            raise QueueNotFound(f"Queue {name!r} cannot be excluded: it is not consumed.", cure=near or "Leave it out.")
    left = tuple(name for name in names if name not in (excluded or ()))
    if not left:
        raise ImproperlyConfigured("No queue is left to consume.", cure="Name one with -Q, or exclude less with -X.")
    return left


def _concurrency(config: Config) -> int:
    wanted = config.worker_concurrency
    return wanted if isinstance(wanted, int) else usable_cpus()
