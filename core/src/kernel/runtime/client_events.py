"""Monitoring events of a process that is no worker: ``task-sent``, and what tasks send by hand (wire.md 13)."""

import os
from collections.abc import Mapping, Sequence

from kernel.runtime.boot import Services
from kernel.runtime.control_way import ControlWay
from kernel.runtime.events import EventDispatcher


class ClientEvents:
    """Publishes over the broker of the services, best effort: an event that cannot be sent is dropped.

    Args:
        services: the broker and the codec.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pid = 0
        self._dispatcher: EventDispatcher | None = None

    def emit(self, events: Sequence[Mapping[str, object]]) -> None:
        """Publish events one by one."""
        dispatcher = self._dispatcher
        if dispatcher is None or self._pid != os.getpid():  # a forked child has a name of its own
            services = self._services
            way = ControlWay(services)
            dispatcher = EventDispatcher(way, services.codec, services.config, services.node, clock=services.clock)
            self._dispatcher, self._pid = dispatcher, os.getpid()
        for happened in events:
            dispatcher.send(happened)
