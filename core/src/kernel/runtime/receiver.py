"""Takes monitoring events out of a queue of its own, bound to the event exchange (wire.md 13)."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import uuid4

from kernel.contracts.broker import Broker, Delivery, Outgoing, Settle, SettleKind
from kernel.contracts.deadline import Deadline
from kernel.errors import DriverError, KernelError
from kernel.model.config import Config
from kernel.model.topology import Binding, Exchange, QueueSpec
from kernel.runtime.boot import Services
from kernel.runtime.link import Link, LinkPolicy

logger = logging.getLogger("kernel.events")

Event = dict[str, Any]

_HELD: Final = 1000
_BATCH: Final = 100
_SLICE_S: Final = 1.0


class EventLink(Link):
    """The way to a queue of events: on the broker of ``control_url``, else on that of tasks.

    Args:
        services: the settings and the drivers.
        queue: the queue to make and to read.
    """

    def __init__(self, services: Services, queue: QueueSpec) -> None:
        policy = LinkPolicy.of(services.config)
        super().__init__(_Control(services), [queue], [queue.name], policy, prefetch=_HELD, log=logger)


class _Control:
    """The control broker as a link asks for it."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def broker(self) -> Broker:
        return self._services.open_control(Deadline.after(self._services.config.broker_connection_timeout))


class EventReader:
    """Reads events for as long as somebody asks; one reader serves one thread. :meth:`stop` may come from any.

    A message holds one event or a list of them; what is no event is told in the log and dropped. The queue is there
    from the first look on, so nothing published later is missed; it is gone a while after the last look.

    Args:
        services: the settings and the drivers; their clock hears of that of every event.
        queue: the queue to make and to read, see :func:`event_queue`.
    """

    def __init__(self, services: Services, queue: QueueSpec) -> None:
        self._codec = services.event_codec
        self._clock = services.clock
        self._link = EventLink(services, queue)
        self._stopped = False

    def open(self, timeout_s: float | None) -> bool:
        """Connect, waiting for the broker as settings say; False when :meth:`stop` or the time came first.

        Raises:
            DriverError: when settings say not to wait for it, or waiting does not help.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._stopped and not self._link.connect():
            left = self._link.retry_in() if end is None else min(self._link.retry_in(), end - time.monotonic())
            if left < 0.0:
                return False
            time.sleep(min(left, _SLICE_S))
        return not self._stopped

    def messages(self, limit: int | None, timeout_s: float | None) -> Iterator[list[Event]]:
        """The events of every message, until :meth:`stop`.

        Args:
            limit: end after so many messages; None is never.
            timeout_s: end after so many seconds in which nothing came; None is never.

        Raises:
            TimeoutError: Python's own, for such a silence.
            DriverError: when the broker is lost and settings say not to look for it.
        """
        heard, left = time.monotonic(), limit
        while not self._stopped and (left is None or left > 0):
            messages = self._read(_BATCH if left is None else min(left, _BATCH))
            left = None if left is None else left - len(messages)
            for message in messages:
                if self._stopped:
                    return
                yield self._events(message)
                heard = time.monotonic()
            if timeout_s is not None and time.monotonic() - heard >= timeout_s:
                raise TimeoutError(f"no event within {timeout_s} s")

    def stop(self) -> None:
        """End :meth:`messages` soon."""
        self._stopped = True
        self._link.wake()

    def close(self) -> None:
        """Let go of the queue."""
        self._link.close(release=True)

    def _read(self, most: int) -> list[Outgoing]:
        """Messages that have come, acknowledged before anything else: an event is told once or not at all."""
        if not self._link.connect():
            time.sleep(min(self._link.retry_in(), _SLICE_S))
            return []
        deliveries = self._link.receive(most, _SLICE_S)
        if deliveries:
            self._acknowledge(deliveries)
        return [delivery.message for delivery in deliveries]

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        try:
            self._link.settle([Settle(each, SettleKind.ACK) for each in deliveries])
        except DriverError as error:
            self._link.lose(error)

    def _events(self, message: Outgoing) -> list[Event]:
        try:
            told = self._codec.decode(
                message.body, message.content_type, message.content_encoding, message.headers.get("compression")
            )
        except KernelError as error:
            logger.warning("A message on the event exchange cannot be read and is dropped: %s", error.one_line())
            return []
        events = told if isinstance(told, list) else [told]
        return [self._heard(each) for each in events if isinstance(each, dict) and isinstance(each.get("type"), str)]

    def _heard(self, event: Event) -> Event:
        """With what a receiver adds: when it was heard, and a logical clock where it has none of its own.

        Clients hear of nobody, so the clock of a ``task-sent`` says nothing: it was sent before now.
        """
        if event["type"] == "task-sent":
            event["clock"] = max(0, self._clock.value - 1)
        elif isinstance(event.get("clock"), int):
            self._clock.adjust(event["clock"])
        else:
            event["clock"] = self._clock.forward()
        event["local_received"] = time.time()
        return event


def event_queue(config: Config, routing_key: str, node_id: str | None, prefix: str | None) -> QueueSpec:
    """The queue of one receiver, as Celery's receivers have it; a name that is None is made up."""
    exchange = Exchange(config.event_exchange or f"{config.namespace}ev", "topic")
    first = prefix or config.event_queue_prefix or f"{config.namespace}ev"
    return QueueSpec(
        f"{first}.{node_id or uuid4()}",
        bindings=(Binding(exchange, routing_key),),
        durable=False,
        temporary=True,
        ttl_s=config.event_queue_ttl,
        expires_s=config.event_queue_expires,
    )
