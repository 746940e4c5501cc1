"""``app.events``: hear and send monitoring events (features.md 2.6)."""

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from kernel.app.kernel import Kernel
from kernel.app.node_name import node_name
from kernel.engine.monitoring import split_type
from kernel.errors import KernelError
from kernel.runtime.boot import build_services
from kernel.runtime.control_way import ControlWay
from kernel.runtime.events import EventDispatcher as Publishing
from kernel.runtime.process_name import client_name
from kernel.runtime.receiver import EventReader, event_queue
from kernel.runtime.seen_state import State

Handler = Callable[[dict[str, Any]], object]


class Events:
    """The event verbs of one application.

    Args:
        app: the application.
    """

    State = State

    def __init__(self, app: Kernel) -> None:
        self._app = app

    def Receiver(  # noqa: N802 - the documented name
        self, connection: object = None, handlers: Mapping[str, Handler] | None = None, **options: Any
    ) -> "EventReceiver":
        """A receiver of this application's events; options as in :class:`EventReceiver`."""
        return EventReceiver(connection, handlers, app=self._app, **options)

    def Dispatcher(self, connection: object = None, **options: Any) -> "EventDispatcher":  # noqa: N802 - likewise
        """A dispatcher that sends events of this application; options as in :class:`EventDispatcher`."""
        return EventDispatcher(connection, app=self._app, **options)

    @contextmanager
    def default_dispatcher(self, hostname: str | None = None, enabled: bool = True) -> Generator["EventDispatcher"]:
        """A dispatcher for the time of a ``with`` block."""
        with self.Dispatcher(hostname=hostname, enabled=enabled) as dispatcher:
            yield dispatcher


class EventReceiver:
    """Hears events and hands them to handlers.

    ::

        def failed(event):
            state.event(event)
            print("failed:", state.tasks[event["uuid"]].info())

        state = app.events.State()
        receiver = app.events.Receiver(handlers={"task-failed": failed, "*": state.event})
        receiver.capture()

    A broker that is lost is looked for as a worker does (``broker_connection_retry``); events meanwhile are missed.

    Args:
        connection: whatever a program holds by that name; the receiver has a consumer of its own and needs none.
        handlers: functions by event type, called with the event; ``"*"`` is for the types that have none.
        routing_key: the binding key: ``task.#`` asks for task events only. A broker without topics, such as Redis,
            may send more.
        node_id: last part of the name of the receiver's queue; None is a new one.
        queue_prefix: first part of it; None is ``event_queue_prefix``.
        app: the application.
    """

    def __init__(
        self,
        connection: object = None,
        handlers: Mapping[str, Handler] | None = None,
        routing_key: str = "#",
        node_id: str | None = None,
        queue_prefix: str | None = None,
        *,
        app: Kernel,
    ) -> None:
        self.app = app
        self.connection = connection
        self.handlers: dict[str, Handler] = dict(handlers or {})
        self.queue = event_queue(app.config, routing_key, node_id, queue_prefix)
        self._reader: EventReader | None = None
        self._should_stop = False

    def capture(self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True) -> None:
        """Hand events to the handlers until told to stop. Blocks.

        Args:
            limit: return after so many messages, each an event or a list of them; None is never.
            timeout: seconds without an event after which to give up; None is never.
            wakeup: ask workers to say at once that they are there, instead of with their next heartbeat.

        Raises:
            TimeoutError: Python's own, when nothing came for ``timeout`` seconds.
            DriverError: when the broker cannot be reached, or carries no events.
        """
        for _ in self.itercapture(limit, timeout, wakeup):
            pass

    def itercapture(
        self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True
    ) -> Iterator[list[dict[str, Any]]]:
        """As :meth:`capture`, step by step: the events of each message after the handlers had them."""
        services = build_services(self.app.config, client_name())  # its own, which nothing else in the process closes
        services.clock = self.app.clock
        reader = self._reader = EventReader(services, self.queue)
        self.should_stop = self._should_stop
        try:
            self._open(reader, timeout)
            if wakeup and not self._should_stop:
                self._wake_workers()
            for events in reader.messages(limit, timeout):
                for event in events:
                    self.process(event["type"], event)
                yield events
        finally:
            self._reader, self._should_stop = None, False
            reader.close()
            services.close()

    def process(self, type: str, event: dict[str, Any]) -> None:  # noqa: A002 - the documented name
        """Hand an event to the handler of its type, else to that of ``"*"``."""
        handler = self.handlers.get(type) or self.handlers.get("*")
        if handler is not None:
            handler(event)

    @property
    def should_stop(self) -> bool:
        """Whether :meth:`capture` is to return; may be set from a handler, any thread and a signal handler.

        Set before it is called, it makes it return at once; it is False again afterwards.
        """
        return self._should_stop

    @should_stop.setter
    def should_stop(self, stop: bool) -> None:
        self._should_stop = stop
        reader = self._reader
        if stop and reader is not None:
            reader.stop()

    def _open(self, reader: EventReader, timeout: float | None) -> None:
        if not reader.open(timeout) and not self._should_stop:
            raise TimeoutError(f"no broker within {timeout} s")

    def _wake_workers(self) -> None:
        """Have every worker say now that it is there; without an answer, its next heartbeat will."""
        with suppress(KernelError):
            self.app.control.heartbeat()


class EventDispatcher:
    """Sends events: best effort, one by one. Safe in any thread; a context manager.

    Args:
        connection: whatever a program holds by that name; events go over the application's own.
        hostname: the name they are sent by; None is that of this process.
        enabled: send at all.
        groups: send only events of these groups, such as ``task``; empty is all.
        app: the application.
    """

    def __init__(
        self,
        connection: object = None,
        hostname: str | None = None,
        enabled: bool = True,
        groups: Iterable[str] = (),
        *,
        app: Kernel,
    ) -> None:
        services = app.client.services
        self.app = app
        self.connection = connection
        self.hostname = node_name(hostname, app.config.namespace, os.uname().nodename) if hostname else services.node
        self.groups = frozenset(groups)
        self.enabled = enabled
        self._publishing = Publishing(
            ControlWay(services), services.codec, services.config, self.hostname, clock=app.clock
        )

    def send(self, type: str, blind: bool = False, **fields: Any) -> None:  # noqa: A002 - the documented name
        """Send an event now, if events of its group are to be sent.

        Args:
            type: such as ``task-progressed``; the first part is its group.
            blind: leave the logical clock alone, for an event that says nothing about the order of others.
            fields: what it carries; ``timestamp`` is now unless given.

        Raises:
            EncodeError: never: what cannot be sent is dropped, and :attr:`dropped` counts it.
        """
        if not self.enabled or (self.groups and group_from(type) not in self.groups):
            return
        untimed = {"clock": None} if blind else {}
        self._publishing.send(Event(type, **{**untimed, **fields}))

    @property
    def dropped(self) -> int:
        """Events that could not be sent."""
        return self._publishing.dropped

    def enable(self) -> None:
        """Send from now on."""
        self.enabled = True

    def disable(self) -> None:
        """Send nothing from now on."""
        self.enabled = False

    close = disable

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def Event(type: str, _fields: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:  # noqa: N802, A002 - the documented name
    """An event as a mapping, with the time of now unless it is given."""
    event = {**(_fields or {}), **fields, "type": type}
    event.setdefault("timestamp", time.time())
    return event


def group_from(type: str) -> str:  # noqa: A002 - the documented name
    """The group of an event type: ``task`` of ``task-sent``."""
    return split_type(type)[0]
