"""Monitoring events of a process that is no worker: ``task-sent``, and what tasks send by hand (wire.md 13)."""

from collections.abc import Mapping, Sequence

from kernel.contracts.broker import Broker
from kernel.errors import DriverError
from kernel.runtime.boot import Services
from kernel.runtime.events import EventDispatcher


class ClientEvents:
    """Publishes over the broker of the services, best effort: an event that cannot be sent is dropped.

    Args:
        services: the broker and the codec.
    """

    up = True

    def __init__(self, services: Services) -> None:
        self._services = services
        self._dispatcher: EventDispatcher | None = None

    @property
    def broker(self) -> Broker | None:
        """The broker, None when it cannot be reached."""
        try:
            return self._services.broker
        except DriverError:
            return None

    def emit(self, events: Sequence[Mapping[str, object]]) -> None:
        """Publish events one by one."""
        if self._dispatcher is None:
            services = self._services
            self._dispatcher = EventDispatcher(self, services.codec, services.config, services.node)
        for happened in events:
            self._dispatcher.send(happened)
