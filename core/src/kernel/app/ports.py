"""What tasks, signatures and results need of their application, and the application of the runtime.

The runtime itself is imported when it is first used: importing ``kernel`` and defining tasks stays cheap.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from kernel.model.call import Call
from kernel.model.canvas import Expected
from kernel.model.config import Config
from kernel.model.context import Request
from kernel.model.control import ControlRequest, Reply
from kernel.model.outcome import Outcome


class Meta(Protocol):
    """The state of one task, decoded; :class:`kernel.engine.records.ResultMeta` is one."""

    @property
    def task_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def result(self) -> Any: ...
    @property
    def traceback(self) -> str | None: ...
    @property
    def children(self) -> Any: ...
    @property
    def date_done(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def args(self) -> Any: ...
    @property
    def kwargs(self) -> Any: ...
    @property
    def worker(self) -> str | None: ...
    @property
    def retries(self) -> int | None: ...
    @property
    def queue(self) -> str | None: ...

    def to_dict(self) -> dict[str, Any]:
        """The mapping ``on_message`` callbacks get."""


class Results(Protocol):
    """Reads and writes task states; :class:`kernel.runtime.results.Results`."""

    @property
    def enabled(self) -> bool:
        """Whether there is a result backend."""

    @property
    def can_watch(self) -> bool:
        """Whether every state of a running task can be followed (features.md 1.5)."""

    def fetch(self, ids: Sequence[str], within_s: float = ...) -> Sequence[Meta]:
        """The states of these tasks, in that order; unknown ones are PENDING."""

    def wait(self, ids: Sequence[str], need: int, timeout_s: float) -> Sequence[Meta]:
        """Block until ``need`` of them are ready or the time is over; those that are ready."""

    def watch(self, task_id: str, timeout_s: float) -> Iterator[Meta]:
        """Every state a task reaches, until it is ready or the time is over."""

    def exists(self, task_id: str) -> bool:
        """Whether anything is stored of it."""

    def forget(self, ids: Sequence[str]) -> None:
        """Remove what is stored."""

    def save_group(self, group_id: str, structure: object) -> None:
        """Keep which results belong to a group."""

    def saved_group(self, group_id: str) -> Any:
        """What was kept under that id, or None."""

    def forget_group(self, group_id: str) -> None:
        """Remove it."""

    def sweep(self) -> int:
        """Remove expired results where the backend does not do it by itself; how many."""

    def store_state(self, request: Request, state: str, meta: object) -> None:
        """Store a state with its ``meta``."""


class Connection(Protocol):
    """The right to publish, taken from the pool."""

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch."""

    def release(self) -> None:
        """Give it back."""


class Pool(Protocol):
    """The producer pool (features.md 1.12)."""

    @property
    def limit(self) -> int | None:
        """How many may publish at once; None is no limit."""

    def acquire(self, block: bool = True, timeout: float | None = None) -> AbstractContextManager[Any]:
        """Take a connection; a context manager that gives it back."""

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch with a connection taken for that long."""


class Client(Protocol):
    """Everything below the application; :class:`kernel.runtime.client.Client`."""

    @property
    def config(self) -> Config:
        """The settings it was built from."""

    @property
    def pool(self) -> Pool:
        """Publishes."""

    @property
    def results(self) -> Results:
        """Reads results."""

    @property
    def services(self) -> Any:
        """The services of :mod:`kernel.runtime.boot`, for the worker and commands."""

    def run_locally(self, calls: Sequence[Call], tasks: Mapping[str, Any], *, serialize: bool) -> Mapping[str, Outcome]:
        """Run bodies here and now, with what follows them; outcomes by task id (features.md 2.2)."""

    def announce(self, joins: Sequence[Expected]) -> list[Call]:
        """Announce chords before their members are sent; calls to be sent with them (features.md 2.1)."""

    def chords(self, tasks: Mapping[str, Any], request: Request) -> Any:
        """What built-in tasks do for chords; :class:`kernel.runtime.chords.Chords`."""

    def emit(self, events: Sequence[Mapping[str, object]]) -> None:
        """Publish monitoring events."""

    def tell_workers(self, request: ControlRequest) -> None:
        """Send a command that wants no answer."""

    def ask_workers(
        self,
        request: ControlRequest,
        timeout_s: float,
        limit: int | None,
        callback: Callable[[Reply], Any] | None,
    ) -> list[Reply]:
        """Send a command, and collect the answers."""

    def close(self) -> None:
        """Close drivers."""


class App(Protocol):
    """The application as its parts see it; :class:`kernel.app.kernel.Kernel`."""

    main: str | None

    @property
    def tasks(self) -> Mapping[str, Any]:
        """The registry; finalizes the application."""

    @property
    def config(self) -> Config:
        """The effective settings now."""

    @property
    def client(self) -> Client:
        """The runtime, built on first use."""

    @property
    def pool(self) -> Pool:
        """The producer pool."""

    @property
    def amqp(self) -> Any:
        """``Producer`` and queue names."""

    @property
    def control(self) -> Any:
        """Commands to workers; :class:`kernel.app.control.Control`."""
