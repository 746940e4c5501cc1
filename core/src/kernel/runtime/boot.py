"""Chooses and builds what one process needs, from configuration; opens drivers when first used."""

import os
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, TypeVar

from kernel.contracts.backend import ResultBackend
from kernel.contracts.broker import Broker
from kernel.contracts.capabilities import BrokerCaps, Limits
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import Driver, PluginContext
from kernel.contracts.router import CompiledRouter
from kernel.contracts.serializer import DecodeLimits
from kernel.engine.codec import Codec
from kernel.engine.records import Records
from kernel.engine.result_formats import ResultFormats
from kernel.engine.routing import RouteResolver
from kernel.engine.topology import build_topology
from kernel.errors import ImproperlyConfigured
from kernel.model.config import Config
from kernel.model.topology import Topology
from kernel.runtime.formats import Formats, named_compressors, named_serializers
from kernel.runtime.plugins import PluginSet, Provided, call_hook, check_options, load_plugins
from kernel.runtime.publisher import Defaults, Emit, Publisher
from kernel.runtime.routers import named_routers, with_routers

EMBEDDED_URL = "sqlite:///kernel.sqlite3"
"""Broker and result backend when nothing is configured: one file in the working directory."""

DISABLED = frozenset({"disabled", "disabled://"})
"""Values of ``result_backend`` that turn results off, also beside the embedded broker (features.md 2.9)."""

D = TypeVar("D", bound=Driver)


class Services:
    """Everything between configuration and drivers, built once per process and application.

    Attributes:
        config: the effective settings.
        plugins: what was loaded.
        codec: for messages.
        result_codec: for results.
        topology: configured queues.
        resolver: the one function that decides routes.
        records: builds and reads result records.
        broker_url: the URL in use; secrets included, so never print it unmasked.
        backend_url: the URL in use, None when results are disabled.
        node: name of this process.
        defaults: execution options that a task declares, by its name; to be set before the first publish.
        emit: publishes ``task-sent`` events; likewise.
    """

    def __init__(self, config: Config, plugins: PluginSet, node: str) -> None:
        self.config = config
        self.plugins = plugins
        self.node = node
        limits = DecodeLimits(max_bytes=config.message_max_bytes, max_depth=config.message_max_depth)
        accept = config.accept_content
        formats = Formats(config, plugins)
        self.codec = Codec(formats.serializers, formats.compressors, accept, limits)
        results = accept if config.result_accept_content is None else config.result_accept_content
        self.result_codec = Codec(formats.serializers, formats.compressors, results, limits)
        self.records = Records(config, self.result_codec)
        self.topology = build_topology(config)
        self.resolver = RouteResolver(_routers(config, plugins, self.topology), self.topology)
        self.broker_url, self.backend_url = urls(config)
        self.defaults: Defaults | None = None
        self.emit: Emit | None = None
        self._made: Broker | None = None
        self._broker: Broker | None = None
        self._backend: ResultBackend | None = None
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
        if self._broker is None:
            with self._lock:
                if self._broker is None:
                    broker = self._make_broker()
                    broker.open(Deadline.after(self.config.broker_connection_timeout))
                    self._broker = broker
        return self._broker

    @property
    def broker_caps(self) -> BrokerCaps:
        """What the broker can do; known without a connection."""
        return (self._broker or self._make_broker()).capabilities()

    def reach(self) -> list[tuple[str, Limits]]:
        """Plugin and limits of the broker and the result backend in use; known without a connection."""
        found = [(self.plugins.broker(_scheme(self.broker_url)).plugin, self.broker_caps.limits)]
        if self.backend_url is not None:
            backend = self._build_backend(self.backend_url)
            found.append((self.plugins.backend(_scheme(self.backend_url)).plugin, backend.capabilities().limits))
        return found

    @property
    def backend(self) -> ResultBackend | None:
        """The result backend, or None when results are disabled."""
        if self._backend is None and self.backend_url is not None:
            with self._lock:
                if self._backend is None:
                    backend = self._build_backend(self.backend_url)
                    backend.open(Deadline.after(self.config.broker_connection_timeout))
                    self._backend = backend
        return self._backend

    @property
    def publisher(self) -> Publisher:
        """Publishes calls for this process."""
        if self._publisher is None:
            with self._lock:
                if self._publisher is None:
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
        with self._lock:
            drivers: list[Driver | None] = [self._broker, self._backend]
            self._made = self._broker = self._backend = self._publisher = None
        deadline = Deadline.after(timeout_s)
        for driver in drivers:
            if driver is not None:
                driver.close(deadline)

    def after_fork(self) -> None:
        """In a child: drivers drop what they inherited, without talking to the server."""
        self._lock = threading.RLock()
        for driver in (self._broker, self._backend):
            if driver is not None:
                driver.after_fork()

    def _make_broker(self) -> Broker:
        with self._lock:
            if self._made is None:
                self._made = self._build(
                    self.plugins.broker(_scheme(self.broker_url)),
                    self.broker_url,
                    self.config.broker_transport_options,
                    "broker_transport_options",
                )
            return self._made

    def _build_backend(self, url: str) -> ResultBackend:
        return self._build(
            self.plugins.backend(_scheme(url)),
            url,
            self.config.result_backend_transport_options,
            "result_backend_transport_options",
        )

    def _build(self, provided: Provided[D], url: str, options: Mapping[str, Any], setting: str) -> D:
        checked = check_options(provided.plugin, provided.options, options, setting=setting)
        context = PluginContext(
            namespace=self.config.namespace,
            node=self.node,
            clock=time.time,
            settings=MappingProxyType({"result_expires": self.config.result_expires}),
            formats=ResultFormats(self.result_codec, self.config.result_serializer),
        )
        return provided.factory(url, checked, context)


_forkable: "weakref.WeakSet[Services]" = weakref.WeakSet()


def _after_fork() -> None:
    for services in list(_forkable):
        services.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def build_services(config: Config, node: str, *, with_pool: bool = False) -> Services:
    """Load the plugins that ``config`` names or implies, and build the services on them.

    Args:
        config: the effective settings.
        node: name of this process.
        with_pool: whether the pool is needed, as in a worker.

    Raises:
        PluginError: for a plugin that is missing, broken or incompatible.
        ImproperlyConfigured: for a setting that cannot work.
    """
    broker_url, backend_url = urls(config)
    plugins = load_plugins(
        config.plugins,
        broker_schemes=[_scheme(broker_url)],
        backend_schemes=[_scheme(backend_url)] if backend_url else [],
        pools=[config.worker_pool] if with_pool else [],
        formats=[*_formats(config), *named_routers(config.task_routes)],
        disabled=config.disable_plugins,
    )
    call_hook(plugins, "kernel_configure", config=MappingProxyType(_plain(config)))
    return Services(config, plugins, node)


def urls(config: Config) -> tuple[str, str | None]:
    """The broker URL and the backend URL in use (architecture.md 1, "Embedded default").

    Raises:
        ImproperlyConfigured: for a URL without a scheme.
    """
    broker = config.broker_url
    if isinstance(broker, tuple):
        broker = ";".join(broker)
    backend = config.result_backend or None
    if not broker:
        broker, backend = EMBEDDED_URL, backend or EMBEDDED_URL
    if backend in DISABLED:
        backend = None
    for name, url in (("broker_url", broker), ("result_backend", backend)):
        if url and ":" not in url:
            raise ImproperlyConfigured(
                f"{name} {url!r} is not a URL", cure="Write it as scheme://…, such as sqlite:///tasks.sqlite3."
            )
    return broker, backend


def _formats(config: Config) -> list[str]:
    """The serializers and compressors that settings name: ``yaml`` implies ``serializer.yaml``."""
    serializers = [f"serializer.{name}" for name in sorted(named_serializers(config)) if name and "/" not in name]
    return serializers + [f"compression.{name}" for name in sorted(named_compressors(config))]


def _routers(config: Config, plugins: PluginSet, topology: Topology) -> list[CompiledRouter]:
    if not config.task_routes:
        return []
    return [plugins.routers["config"](with_routers(config.task_routes, plugins.routers)).compile(topology)]


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


def _plain(config: Config) -> dict[str, object]:
    return {field.name: getattr(config, field.name) for field in fields(config)}
