"""What brokers and result backends have in common: a URL, a life cycle, a fork."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from kernel.contracts.deadline import Deadline
from kernel.contracts.formats import Formats


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What the kernel tells a driver about its surroundings.

    Attributes:
        namespace: first part of every name on the wire (architecture.md 5).
        node: name of this process for logs and ownership marks; unique per process.
        clock: Unix time in seconds; a test may replace it.
        settings: read-only view of settings that a driver may need, such as ``result_expires``.
        formats: the application's serializers and compressors of results, for a backend that stores whole documents
            (:mod:`kernel.contracts.document`); None where there is no application.
    """

    namespace: str = "kernel"
    node: str = "client"
    clock: Callable[[], float] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    formats: Formats | None = None


class Driver(ABC):
    """Base of :class:`Broker` and :class:`ResultBackend`.

    The constructor parses and checks its arguments and does nothing else: no I/O, no thread, no socket, no reading
    of the environment. Drivers do not retry, sleep or back off; the next call after a loss reconnects within its
    deadline. Native exceptions never escape: they become :class:`~kernel.errors.DriverError` with ``__cause__``.
    All methods may be called from any thread unless they say otherwise.

    Args:
        url: the URL that chose the driver. Secrets in it never appear in a repr, log or error.
        options: ``broker_transport_options`` or ``result_backend_transport_options``, already checked against the
            plugin's declared options.
        ctx: the kernel's side.

    Raises:
        DriverError: INVALID for a URL or option it cannot take.
    """

    @abstractmethod
    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None: ...

    @abstractmethod
    def open(self, deadline: Deadline) -> None:
        """Connect. Idempotent; also after ``close``, which makes the driver usable again.

        Raises:
            DriverError: UNAVAILABLE, TIMEOUT or AUTH.
        """

    @abstractmethod
    def close(self, deadline: Deadline) -> None:
        """Let go of every handle, thread and socket. Idempotent; later calls other than ``open`` give CLOSED."""

    @abstractmethod
    def ping(self, deadline: Deadline) -> None:
        """One round trip to the server.

        Raises:
            DriverError: UNAVAILABLE or TIMEOUT when there is none.
        """

    @abstractmethod
    def after_fork(self) -> None:
        """In a child process: drop inherited handles without talking to the server."""

    def __enter__(self) -> Self:
        self.open(Deadline.after(10.0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(Deadline.after(10.0))
