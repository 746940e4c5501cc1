"""``app.amqp``: producers on pooled connections, and the names of queues (features.md 1.12)."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kernel.app.ports import App, Connection
from kernel.app.queues import Exchange, Queue
from kernel.model.call import Call


class Producer:
    """Publishes through one connection of the pool, for ``apply_async(…, publisher=producer)``.

    Args:
        app: the application.
        connection: from ``app.pool.acquire()``; None takes one from the pool for every publish.
    """

    def __init__(self, app: App, connection: Connection | None = None) -> None:
        self._app = app
        self._connection = connection

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch."""
        (self._connection or self._app.pool).publish(calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The connection stays with whoever acquired it."""


class Amqp:
    """What is about messages rather than tasks."""

    Queue = staticmethod(Queue)
    Exchange = Exchange

    def __init__(self, app: App) -> None:
        self._app = app

    def Producer(self, connection: Connection | None = None) -> Producer:  # noqa: N802 - the documented name
        """A producer on that connection."""
        return Producer(self._app, connection)

    @property
    def queues(self) -> Mapping[str, Any]:
        """The configured queues by name."""
        queues: Mapping[str, Any] = self._app.client.services.topology.queues
        return queues
