"""Chooses and builds what one process needs, from configuration; opens drivers when first used."""

import os
import threading
import weakref
from dataclasses import fields
from functools import partial
from types import MappingProxyType

from kernel.contracts.backend import ResultBackend
from kernel.contracts.broker import Broker
from kernel.contracts.capabilities import BrokerCaps, Limits
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import Driver
from kernel.contracts.router import CompiledRouter
from kernel.contracts.serializer import DecodeLimits
from kernel.engine.codec import Codec
from kernel.engine.records import Records
from kernel.engine.reply_document import ReplyDocuments
from kernel.engine.requirements import REPLY_QUEUES, check, check_control
from kernel.engine.result_formats import ResultFormats
from kernel.engine.routing import RouteResolver
from kernel.engine.topology import build_topology
from kernel.model.config import Config
from kernel.model.topology import Topology
from kernel.runtime.clock import LogicalClock
from kernel.runtime.drivers import DriverFactory, check_reply_url, scheme_of
from kernel.runtime.formats import Formats, named_compressors, named_serializers
from kernel.runtime.joins import BackendJoins
from kernel.runtime.mailbox import Mailbox
from kernel.runtime.opening import Opening
from kernel.runtime.plugins import PluginSet, call_hook, load_plugins
from kernel.runtime.process_name import client_name
from kernel.runtime.publisher import Defaults, Emit, Publisher
from kernel.runtime.reply_backend import SCHEME, ReplyBackend
from kernel.runtime.routers import named_routers, with_routers
from kernel.runtime.urls import urls


class Services:
    """Everything between configuration and drivers, built once per process and application.

    Attributes:
        config: the effective settings.
        plugins: what was loaded.
        codec: for messages.
        result_codec: for results.
        event_codec: for events.
        clock: the logical clock of this process; an application sets its own.
        topology: configured queues.
        resolver: the one function that decides routes.
        records: builds and reads result records.
        broker_url: the URL in use; secrets included, so never print it unmasked.
        backend_url: the URL in use, None when results are disabled.
        node: name of this process.
        defaults: execution options that a task declares, by its name; to be set before the first publish.
        emit: publishes ``task-sent`` events; likewise.
        reads_results: whether this process asks for results through these services: true of clients.
        mailbox: where results by ``rpc://`` come to, and the address that every message names in ``reply_to``.
    """

    def __init__(self, config: Config, plugins: PluginSet, node: str, mailbox: Mailbox | None = None) -> None:
        self.config = config
        self.plugins = plugins
        self.node = node
        self._pid = os.getpid()
        self.codec, self.result_codec, self.event_codec = _codecs(config, Formats(config, plugins))
        self.clock = LogicalClock()
        self.records = Records(config, self.result_codec)
        self.mailbox = mailbox if mailbox is not None and mailbox.pid == self._pid else Mailbox()
        self.mailbox.ttl_s = self.records.ttl_s
        self.topology = build_topology(config)
        self.resolver = RouteResolver(_routers(config, plugins, self.topology), self.topology)
        self.broker_url, self.backend_url = urls(config)
        self.defaults: Defaults | None = None
        self.emit: Emit | None = None
        self.reads_results = False
        self._drivers = DriverFactory(config, plugins, node, ResultFormats(self.result_codec, config.result_serializer))
        self._made: dict[str, Broker] = {}
        self._broker = Opening(partial(self._make, "broker_transport_options"), "broker")
        self._control = self._broker
        if config.control_url is not None:
            self._control = Opening(partial(self._make, "control_transport_options"), "broker of control_url")
        self._backend = Opening(self._make_backend, "result backend")
        self._replies: ReplyBackend | None = None
        self._publisher: Publisher | None = None
        self._lock = threading.RLock()
        _forkable.add(self)

    @property
    def broker(self) -> Broker:
        """The broker; connects on its first call that needs a connection.

        Raises:
            PluginError: when no plugin provides the URL's scheme.
            DriverError: INVALID for a URL or option it cannot take.
        """
        return self._broker.driver or self.open_broker(Deadline.after(self.config.broker_connection_timeout))

    def open_broker(self, deadline: Deadline) -> Broker:
        """The broker, opened by then at the latest; raises as :attr:`broker`."""
        return self._broker.driver or self._broker.get(self._no_later(deadline))

    @property
    def broker_caps(self) -> BrokerCaps:
        """What the broker can do; known without a connection."""
        return (self._broker.driver or self._make("broker_transport_options")).capabilities()

    def open_control(self, deadline: Deadline) -> Broker:
        """The broker that carries events and remote control: ``control_url``, else the same; raises likewise."""
        return self._control.get(self._no_later(deadline))

    @property
    def control(self) -> tuple[str, BrokerCaps]:
        """The plugin of that broker, and what it can do; known without a connection."""
        if self.config.control_url is None:
            return self._drivers.broker_plugin(self.broker_url), self.broker_caps
        made = self._control.driver or self._make("control_transport_options")
        return self._drivers.broker_plugin(self.config.control_url), made.capabilities()

    def reach(self) -> list[tuple[str, Limits]]:
        """Plugin and limits of the broker and the result backend in use; known without a connection."""
        found = [(self._drivers.broker_plugin(self.broker_url), self.broker_caps.limits)]
        if self.backend_url is not None and not self._by_message:
            found.append(self._drivers.backend_limits(self.backend_url))
        return found

    @property
    def backend(self) -> ResultBackend | None:
        """The result backend, or None when results are disabled."""
        return self._backend.driver or self.open_backend(Deadline.after(self.config.broker_connection_timeout))

    def open_backend(self, deadline: Deadline) -> ResultBackend | None:
        """The result backend, opened by then at the latest; None when results are disabled."""
        return None if self.backend_url is None else self._backend.get(self._no_later(deadline))

    @property
    def needs_cleanup(self) -> bool:
        """Whether somebody has to remove expired results; known without a connection."""
        if self.backend_url is None or self._by_message:
            return False
        return not self._drivers.backend(self.backend_url).capabilities().autoexpire

    @property
    def replies(self) -> ReplyBackend | None:
        """The result backend when it is ``rpc://``, else None; known without a connection.

        Raises:
            PluginError: E107 when the broker has no reply queues.
            ImproperlyConfigured: for an option or a longer URL: it takes neither.
        """
        if self._replies is None and self._by_message:
            check_reply_url(self.backend_url, self.config.result_backend_transport_options)
            check(self._drivers.broker_plugin(self.broker_url), self.broker_caps.claimed(), [REPLY_QUEUES])
            with self._lock:
                if self._replies is None:
                    self._replies = ReplyBackend(self, ReplyDocuments(self.result_codec))
        return self._replies

    @property
    def joins(self) -> BackendJoins:
        """Where chords count their members."""
        return BackendJoins(self)

    @property
    def publisher(self) -> Publisher:
        """Publishes calls for this process.

        Raises:
            PluginError: E107 when settings ask for events that no broker carries.
        """
        if self._publisher is None:
            with self._lock:
                if self._publisher is None:
                    if self.config.task_send_sent_event:
                        check_control(*self.control, self.config)
                    self._publisher = Publisher(
                        self, middleware=self.plugins.middleware, defaults=self.defaults, emit=self.emit
                    )
        return self._publisher

    def process_init(self) -> None:
        """Tell plugins that a process that runs bodies has started."""
        call_hook(self.plugins, "kernel_process_init", pid=os.getpid())

    def process_shutdown(self) -> None:
        """Tell plugins that it ends."""
        call_hook(self.plugins, "kernel_process_shutdown", pid=os.getpid())

    def close(self, timeout_s: float = 5.0) -> None:
        """Close the drivers; they are built again when used again."""
        deadline = Deadline.after(timeout_s)
        if self._replies is not None:
            self._replies.close(deadline)  # it says goodbye over the broker
        with self._lock:
            drivers: list[Driver | None] = [self._broker.take(), self._backend.take(), self._control.take()]
            self._made.clear()
            self._publisher = self._replies = None
        for driver in drivers:
            if driver is not None:
                driver.close(deadline)

    def after_fork(self) -> None:
        """In a child: drivers drop what they inherited, without talking to the server."""
        self._lock = threading.RLock()
        self.clock.after_fork()
        self._pid, parent = os.getpid(), self._pid
        self.node = client_name() if self.node == client_name(parent) else self.node
        self.mailbox = Mailbox(ttl_s=self.records.ttl_s)
        self._publisher = None  # a lock of it may have been held, and the queues it declared may be the parent's only
        for opening in {id(each): each for each in (self._broker, self._control, self._backend)}.values():
            opening.after_fork()
        if self._replies is not None and self._replies is not self._backend.driver:
            self._replies.after_fork()

    @property
    def _by_message(self) -> bool:
        return self.backend_url is not None and scheme_of(self.backend_url) == SCHEME

    def _no_later(self, deadline: Deadline) -> Deadline:
        """The deadline of opening: the caller's, and ``broker_connection_timeout`` at most."""
        return min(deadline, Deadline.after(self.config.broker_connection_timeout), key=lambda each: each.at)

    def _make_backend(self) -> ResultBackend:
        assert self.backend_url is not None
        return self.replies or self._drivers.backend(self.backend_url)

    def _make(self, setting: str) -> Broker:
        """The broker whose options stand in that setting, not open."""
        url = self.config.control_url if setting == "control_transport_options" else None
        with self._lock:
            if setting not in self._made:
                self._made[setting] = self._drivers.broker(url or self.broker_url, setting)
            return self._made[setting]


_forkable: "weakref.WeakSet[Services]" = weakref.WeakSet()


def _after_fork() -> None:
    for services in list(_forkable):
        services.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def build_services(config: Config, node: str, *, with_pool: bool = False, mailbox: Mailbox | None = None) -> Services:
    """Load the plugins that ``config`` names or implies, and build the services on them.

    Args:
        config: the effective settings.
        node: name of this process.
        with_pool: whether the pool is needed, as in a worker.
        mailbox: that of earlier services of the same application and process, so that no result is missed.

    Raises:
        PluginError: for a plugin that is missing, broken or incompatible.
        ImproperlyConfigured: for a setting that cannot work.
    """
    broker_url, backend_url = urls(config)
    plugins = load_plugins(
        config.plugins,
        broker_schemes=[scheme_of(url) for url in (broker_url, config.control_url) if url],
        backend_schemes=[scheme_of(backend_url)] if backend_url and scheme_of(backend_url) != SCHEME else [],
        pools=[config.worker_pool] if with_pool else [],
        formats=[*_formats(config), *named_routers(config.task_routes)],
        disabled=config.disable_plugins,
    )
    call_hook(plugins, "kernel_configure", config=MappingProxyType(_plain(config)))
    return Services(config, plugins, node, mailbox)


def _codecs(config: Config, formats: Formats) -> list[Codec]:
    """For messages, results and events; the latter come in JSON whatever else is accepted."""
    limits = DecodeLimits(max_bytes=config.message_max_bytes, max_depth=config.message_max_depth)
    accept = config.accept_content
    results = accept if config.result_accept_content is None else config.result_accept_content
    events = tuple(dict.fromkeys((config.event_serializer, "json")))
    return [Codec(formats.serializers, formats.compressors, each, limits) for each in (accept, results, events)]


def _formats(config: Config) -> list[str]:
    """The serializers and compressors that settings name: ``yaml`` implies ``serializer.yaml``."""
    serializers = [f"serializer.{name}" for name in sorted(named_serializers(config)) if name and "/" not in name]
    return serializers + [f"compression.{name}" for name in sorted(named_compressors(config))]


def _routers(config: Config, plugins: PluginSet, topology: Topology) -> list[CompiledRouter]:
    if not config.task_routes:
        return []
    return [plugins.routers["config"](with_routers(config.task_routes, plugins.routers)).compile(topology)]


def _plain(config: Config) -> dict[str, object]:
    return {field.name: getattr(config, field.name) for field in fields(config)}
