"""Publishes monitoring events to the exchange ``<namespace>ev`` (wire.md 13). Best effort: an event is never retried.

Task events are collected and published as one list with the routing key ``task.multi``; worker events go alone.
"""

import logging
import os
import platform
import random
import time
from collections import deque
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Protocol
from uuid import uuid4

from kernel.contracts.broker import Broker, Outgoing
from kernel.contracts.deadline import Deadline
from kernel.engine.backoff import reconnect_delay
from kernel.engine.codec import Codec
from kernel.errors import DriverError, EncodeError
from kernel.model.config import Config
from kernel.model.events import event, routing_key
from kernel.model.topology import Exchange
from kernel.runtime.clock import LogicalClock
from kernel.runtime.ledger import Ledger
from kernel.runtime.signal_table import heartbeat_sent
from kernel.runtime.timer import Timer

logger = logging.getLogger("kernel.worker")

HEARTBEAT_S = 2.0
"""Time between two heartbeats; monitors take a node for dead after twice as long."""

_MULTI = "task.multi"
_BUFFER = 10_000
_TIMEOUT_S = 1.0
_IDLE_S = 60.0


class Way(Protocol):
    """The way to the broker: the link of a worker, or a :class:`kernel.runtime.control_way.ControlWay`."""

    @property
    def broker(self) -> Broker | None:
        """The broker, None while there is none."""

    @property
    def up(self) -> bool:
        """Whether it is worth trying."""


class EventDispatcher:
    """Adds what every event carries, and publishes. Safe in any thread.

    Args:
        link: the way to the broker; while it is down, and for a while after a failure, events are dropped.
        codec: encodes with ``event_serializer``.
        config: exchange and serializer.
        hostname: name of this node.
        background: :meth:`flush` returns at once and a thread publishes, from :meth:`start` to :meth:`close`.
        clock: the logical clock of this process; None is a new one.
    """

    def __init__(
        self,
        link: Way,
        codec: Codec,
        config: Config,
        hostname: str,
        *,
        background: bool = False,
        clock: LogicalClock | None = None,
    ) -> None:
        self._link = link
        self._codec = codec
        self._serializer = config.event_serializer
        self._exchange = Exchange(config.event_exchange or f"{config.namespace}ev", "topic")
        self._declared: Broker | None = None
        self._hostname = hostname
        self._pid = os.getpid()
        self._buffer: deque[Mapping[str, Any]] = deque(maxlen=_BUFFER)
        self._clock = LogicalClock() if clock is None else clock
        self.dropped = 0
        self._failures = 0
        self._retry_at = 0.0
        self._timer = Timer("kernel-events", self._flush_in_turn) if background else None

    def start(self) -> None:
        """Start the thread, if there is to be one."""
        if self._timer is not None:
            self._timer.start()

    def close(self) -> None:
        """End it; what was collected is published first."""
        if self._timer is not None:
            self._timer.close()
            self._flush()

    def collect(self, happened: Mapping[str, object]) -> None:
        """Keep a task event for the next :meth:`flush`; of a long backlog the oldest are dropped."""
        self._buffer.append(self._complete(happened))

    def flush(self) -> None:
        """Publish what was collected."""
        if not self._buffer:
            return
        if self._timer is None:
            self._flush()
        else:
            self._timer.hurry()

    def _flush_in_turn(self) -> float:
        self._flush()
        return _IDLE_S

    def _flush(self) -> None:
        if not self._buffer:
            return
        batch = []
        while self._buffer:
            batch.append(self._buffer.popleft())
        self._publish(batch, _MULTI, len(batch))

    def send(self, happened: Mapping[str, object]) -> None:
        """Publish one event now."""
        self._publish(self._complete(happened), routing_key(str(happened["type"])), 1)

    def _complete(self, happened: Mapping[str, object]) -> dict[str, object]:
        return {
            "hostname": self._hostname,
            "utcoffset": _utcoffset(),
            "pid": self._pid,
            "clock": self._clock.forward(),
            **happened,
        }

    def _publish(self, payload: object, key: str, count: int) -> None:
        if not self._link.up or time.monotonic() < self._retry_at:
            self.dropped += count
            return
        broker = self._link.broker
        if broker is None or not _carries_events(broker):
            self._failed(count)
            return
        try:
            deadline = Deadline.after(_TIMEOUT_S)
            if self._declared is not broker:  # monitors may come later, and find it (wire.md 5.3)
                broker.declare_exchange(self._exchange, deadline)
                self._declared = broker
            results = broker.publish([self._message(payload, key)], deadline)
        except (DriverError, EncodeError) as error:
            logger.debug("%d events were dropped: %s", count, error)
            self._failed(count)
            return
        self._failures = 0
        if not results[0].ok:
            self.dropped += count
            self._declared = None

    def _failed(self, count: int) -> None:
        """A monitor may miss something; nobody is to wait for it again and again."""
        self.dropped += count
        self._failures += 1
        self._retry_at = time.monotonic() + reconnect_delay(self._failures, random.uniform)

    def _message(self, payload: object, key: str) -> Outgoing:
        encoded = self._codec.encode(payload, self._serializer, None)
        return Outgoing(
            queue="",
            body=encoded.body,
            headers={"hostname": self._hostname},
            id=str(uuid4()),
            content_type=encoded.content_type,
            content_encoding=encoded.content_encoding,
            exchange=self._exchange.name,
            routing_key=key,
            persistent=False,
        )


def _carries_events(broker: Broker) -> bool:
    caps = broker.capabilities()
    return caps.fanout or caps.exchanges


class Heart:
    """Tells monitors that the node lives: ``worker-online``, a heartbeat every 2 s, ``worker-offline``.

    Args:
        events: where to publish.
        ledger: what is active, and how much was done.
        namespace: with ``celery`` the node introduces itself as monitors of that namespace expect.
        every_s: seconds between two heartbeats.
    """

    def __init__(self, events: EventDispatcher, ledger: Ledger, namespace: str, every_s: float = HEARTBEAT_S) -> None:
        self._every_s = every_s
        self._events = events
        self._ledger = ledger
        self._identity = {
            "freq": every_s,
            "sw_ident": "py-celery" if namespace == "celery" else "py-kernel",
            "sw_ver": version("kernel"),
            "sw_sys": platform.system(),
        }
        self._timer = Timer("kernel-heart", self._beat)

    def start(self) -> None:
        """Say ``worker-online`` and begin to beat."""
        self._send("worker-online")
        self._timer.start()

    def close(self) -> None:
        """Say ``worker-offline`` and stop."""
        self._timer.close()
        self._send("worker-offline")

    def beat(self) -> None:
        """A heartbeat now."""
        self._send("worker-heartbeat")
        heartbeat_sent.send(self)

    def _beat(self) -> float:
        self.beat()
        return self._every_s

    def _send(self, kind: str) -> None:
        self._events.send(
            event(
                kind,
                time.time(),
                active=len(self._ledger),
                processed=self._ledger.total,
                loadavg=[round(load, 2) for load in os.getloadavg()],
                **self._identity,
            )
        )


def _utcoffset() -> float:
    """Hours that local time is behind UTC, as the event format has it."""
    return (time.altzone if time.localtime().tm_isdst > 0 else time.timezone) / 3600.0
