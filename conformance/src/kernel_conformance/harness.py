"""How the suite reaches a plugin: where its server is, what can be broken, how much slack its clock needs.

A plugin announces its harness under the entry point group ``kernel.conformance``, with the plugin's own name and a
factory without arguments. Serializers, compressors and routers need none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from kernel.contracts import Broker, PluginContext, ResultBackend
from kernel_conformance.cases import Fault
from kernel_conformance.installed import Installed
from kernel_conformance.server import Server

MACHINE_SLACK_S = 2.0
"""Lateness allowed to a busy machine, beyond what a plugin declares."""


class Harness:
    """Base of the harnesses.

    Attributes:
        faults: what can be broken; see :data:`kernel_conformance.cases.FAULTS`.
        embedded: the store has no server: it is a file or memory, so what breaks a server does not apply.
        slack_s: how late something may be observed, beyond the granularity that a driver declares.
        server: the server to start, or None.
        server_name: what the report calls the server, such as ``"moto 5.2.5, not AWS"``.
        installed: the plugin under test.
        target: its name, by which a child process makes this harness again.
        load: how many messages or records a load test may use; less for a server that is slow with many.
    """

    kind: ClassVar[str] = ""
    faults: frozenset[Fault] = frozenset()
    embedded: bool = False
    slack_s: float = MACHINE_SLACK_S
    server: Server | None = None
    server_name: str = ""
    installed: Installed | None = None
    target: str = ""
    load: int = 1000

    def bind(self, installed: Installed) -> None:
        """Take the plugin under test; called once, before anything else."""
        self.installed = installed

    @property
    def plugin(self) -> Installed:
        """The plugin under test.

        Raises:
            RuntimeError: before ``bind``.
        """
        if self.installed is None:
            raise RuntimeError(f"{type(self).__name__} has not been bound to a plugin")
        return self.installed

    def start(self) -> None:
        """Start the server.

        Raises:
            NotRun: it cannot be started, so that nothing can be tested.
        """
        if self.server is not None:
            self.server.start()

    def stop(self) -> None:
        """Stop the server and remove what it left."""
        if self.server is not None:
            self.server.stop()

    def subjects(self) -> Sequence[Any]:
        """What is tested: every case runs once for each."""
        raise NotImplementedError

    def claims(self) -> frozenset[str]:
        """The capabilities that the plugin claims."""
        raise NotImplementedError


class DriverHarness(Harness):
    """What harnesses of brokers and of result backends have in common.

    Attributes:
        url: the URL to test; with a server, ``{host}`` and ``{port}`` stand for where it is, so that the proxy can be
            put in between. Options such as a server's socket timeout belong into ``options``.
        options: transport options.
        namespace: first part of every name on the wire.
        wrong_urls: URLs with credentials that the server refuses (capability ``auth``); placeholders as in ``url``.
        plain_urls: URLs that must be refused (capability ``tls``): without TLS, or with another authority.
        secret: the password inside ``url``; it must never be shown.
    """

    url: str = ""
    options: Mapping[str, object] = {}
    namespace: str = "conformance"
    wrong_urls: Sequence[str] = ()
    plain_urls: Sequence[str] = ()
    secret: str = ""

    def address(self) -> tuple[str, int] | None:
        """Where the server listens; None when there is none, so that no proxy can be put in front of it."""
        return self.server.address if self.server is not None else None

    def current_url(self) -> str:
        """The URL of the store for one test: ``url`` filled in. An embedded store may give every test its own."""
        address = self.address()
        return self.url if address is None else self.url_at(address)

    def url_at(self, address: tuple[str, int], template: str = "") -> str:
        """The URL, or another template, with the server (or the proxy in front of it) at that address."""
        host, port = address
        return (template or self.url).format(host=host, port=port)

    def make(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> Any:
        """A driver, not opened; ``options`` win over those of the harness."""
        factory = self.plugin.factory(urlsplit(url).scheme)
        return factory(url, self.plugin.options({**self.options, **options}), ctx)

    def subjects(self) -> Sequence[Callable[..., Any]]:
        """One: what makes a driver (``url``, ``options``, ``ctx``)."""
        return (self.make,)

    def claims(self) -> frozenset[str]:
        """What a driver that was never opened claims."""
        driver = self.make(self.current_url(), {}, PluginContext(self.namespace))
        found: frozenset[str] = driver.capabilities().claimed()
        return found


class BrokerHarness(DriverHarness):
    """Reaches a broker."""

    kind = "broker"

    def broker(self, url: str, **context: Any) -> Broker:
        """A broker, not opened; ``context`` goes into its :class:`~kernel.contracts.PluginContext`."""
        made: Broker = self.make(url, {}, PluginContext(self.namespace, **context))
        return made

    def raw_depth(self, queue: str) -> int | None:
        """Messages in the queue, hidden ones included, as seen past the plugin; None when there is no such access."""
        return None


class BackendHarness(DriverHarness):
    """Reaches a result backend.

    Attributes:
        clocked: the store takes the time from the context's clock and from nowhere else, so that tests can move it.
        capacity: bytes after which a store with capability ``volatile`` begins to evict; 0 when it cannot be filled.
    """

    kind = "backend"
    clocked: bool = False
    capacity: int = 0

    def backend(self, url: str, **context: Any) -> ResultBackend:
        """A result backend, not opened; ``context`` goes into its :class:`~kernel.contracts.PluginContext`."""
        made: ResultBackend = self.make(url, {}, PluginContext(self.namespace, **context))
        return made
