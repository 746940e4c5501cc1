"""What the author of a simple broker writes: a few facts, and a verb for each thing the server can do."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import SplitResult, unquote, urlsplit

from kernel.contracts.broker import Broker, Delivery, Depth, Outgoing, Settle
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from kernel.model.urls import masked_url


class Verbs(Broker):
    """The author's side of :class:`kernel.contracts.simple.SimpleBroker`.

    A verb gets a connection that nobody else uses meanwhile, and raises what its client library raises. It does not
    retry, wait, translate or check: names, sizes, capabilities and times are checked before it is called.

    Attributes:
        CONTRACT: what it is written for.
        SCHEMES: URL schemes it takes.
        CAPS: what it claims. A field or call whose capability is not claimed never reaches a verb. ``prefetch`` and
            ``binary_headers`` (with ``pack``) come for free. Without ``lease``, a delivery belongs to the connection
            it came over; each consumer has one then, and after its loss settling gives LEASE_LOST.
        ERRORS: native exception class → code; see :mod:`kernel.contracts.simple.natives` for what needs no entry.
        OPTIONS: its options, as in the manifest.
        LONG_POLL_S: how long ``do_receive`` may block in the server when nothing is there; 0 when it cannot, and the
            base looks again at growing intervals up to ``LONGEST_PAUSE_S``. ``wake()`` takes effect after so long, and
            without ``lease`` settling may have to wait for it.
        LONGEST_PAUSE_S: see there.
        url: the URL, split; ``username`` and ``password`` are quoted as in the URL.
        options: every declared option by name.
        ctx: the kernel's side.
        clock: Unix time in seconds, as the kernel wants it read.
    """

    CONTRACT: ClassVar[str] = "broker/1"
    SCHEMES: ClassVar[tuple[str, ...]]
    CAPS: ClassVar[BrokerCaps] = BrokerCaps()
    ERRORS: ClassVar[Mapping[type[BaseException], Code]] = {}
    OPTIONS: ClassVar[Mapping[str, Option]] = {}
    LONG_POLL_S: ClassVar[float] = 0.0
    LONGEST_PAUSE_S: ClassVar[float] = 0.05

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        self.name: Final = masked_url(url)
        self.url: Final[SplitResult] = self._split(url)
        self.options: Final = {name: option.default for name, option in self.OPTIONS.items()} | dict(options)
        self.ctx: Final = ctx
        self.clock: Final[Callable[[], float]] = ctx.clock or time.time
        self.secrets: Final = tuple({self.url.password or "", unquote(self.url.password or "")} - {""})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def capabilities(self) -> BrokerCaps:
        """``CAPS``."""
        return self.CAPS

    @abstractmethod
    def connect(self, deadline: Deadline) -> Any:
        """A new connection, of whatever type the verbs like. Give the client library ``deadline.left()`` as timeout."""

    def disconnect(self, conn: Any) -> None:
        """Close a connection; it may be broken, and what this raises is ignored. Nothing by default."""

    def abandon(self, conn: Any) -> None:
        """In a forked child, for client libraries whose destructors talk to the server. Nothing by default."""

    def do_ping(self, conn: Any, deadline: Deadline) -> None:
        """One round trip; by default, having a connection is enough."""

    @abstractmethod
    def do_declare(self, conn: Any, spec: QueueSpec, deadline: Deadline) -> None:
        """Make a queue and its dead letter exist; CONFLICT when it exists with other properties."""

    @abstractmethod
    def do_delete(self, conn: Any, queue: str, deadline: Deadline) -> None:
        """Remove a queue with its messages; NOT_FOUND is ignored."""

    @abstractmethod
    def do_publish(
        self, conn: Any, items: Sequence[Outgoing], deadline: Deadline
    ) -> Sequence[BaseException | None] | None:
        """Store messages: one, or up to ``CAPS.limits.max_batch`` when that is set.

        Returns:
            None when all are stored, or for each item None or why it is not. What is raised concerns all of them.
        """

    @abstractmethod
    def do_receive(self, conn: Any, queue: str, max_n: int, wait_s: float) -> Iterable[Delivery]:
        """Take up to ``max_n`` messages of one queue.

        A delivery's ``receipt`` is whatever ``do_settle`` needs, hashable; ``epoch`` and ``redelivered`` are filled in.

        A generator may give them one by one: those it gave before an error are kept. ``wait_s`` is 0, or at most
        ``LONG_POLL_S`` to wait for the first.
        """

    @abstractmethod
    def do_settle(self, conn: Any, action: Settle, deadline: Deadline) -> float | None:
        """Settle one delivery; ``action.delivery.receipt`` is the receipt that ``do_receive`` gave it.

        LEASE_LOST when it is not held any more.

        Returns:
            After EXTEND the new end of the lease, Unix time.
        """

    def do_depth(self, conn: Any, queue: str, deadline: Deadline) -> Depth:
        """Messages in a queue; called with capability ``depth``."""
        raise NotImplementedError("CAPS claims depth, and do_depth() is not written")

    def do_purge(self, conn: Any, queue: str, deadline: Deadline) -> int | None:
        """Remove what is ready; how many, if known. Called with capability ``purge``."""
        raise NotImplementedError("CAPS claims purge, and do_purge() is not written")

    def do_peek(self, conn: Any, queue: str, max_n: int, deadline: Deadline) -> Iterable[Delivery]:
        """The oldest messages, not leased. Called with capability ``peek``."""
        raise NotImplementedError("CAPS claims peek, and do_peek() is not written")

    def _split(self, url: str) -> SplitResult:
        try:
            found = urlsplit(url)
            found.port  # noqa: B018 - reading it is the check
        except ValueError as error:
            raise DriverError(Code.INVALID, f"{self.name!r} is no URL: {error}", cure="Correct the URL.") from error
        if found.scheme not in self.SCHEMES:
            cure = f"Write {' or '.join(f'{scheme}://...' for scheme in self.SCHEMES)}."
            raise DriverError(Code.INVALID, f"{self.name!r} is no URL of {type(self).__name__}", cure=cure)
        return found
