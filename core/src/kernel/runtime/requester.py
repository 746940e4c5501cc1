"""Sends requests of remote control, and collects the answers (wire.md 12)."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Protocol
from uuid import uuid4

from kernel.contracts.broker import Broker, Consumer, Delivery, Outgoing, Settle, SettleKind
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.engine.backoff import reconnect_delay
from kernel.engine.codec import Codec
from kernel.engine.requirements import REMOTE_CONTROL, check
from kernel.errors import Applied, CodecError, DriverError, ImproperlyConfigured
from kernel.model.config import Config
from kernel.model.control import ControlNames, ControlRequest, QueueLife, Reply, ReplyTo
from kernel.runtime.clock import LogicalClock

logger = logging.getLogger("kernel.control")

_BATCH = 1000
_GOODBYE_S = 2.0


class Wiring(Protocol):
    """What remote control needs around it; :class:`kernel.runtime.boot.Services` has it."""

    @property
    def config(self) -> Config:
        """The effective settings."""

    @property
    def codec(self) -> Codec:
        """Encodes and decodes messages."""

    clock: LogicalClock
    """Of the application."""

    @property
    def control(self) -> tuple[str, BrokerCaps]:
        """The plugin of the broker that carries it, and what that can do; known without a connection."""

    def open_control(self, deadline: Deadline) -> Broker:
        """That broker, open."""


def control_names(config: Config) -> ControlNames:
    """The names of remote control that settings give.

    Raises:
        ImproperlyConfigured: for a control queue that is to be exclusive and durable.
    """
    if config.control_queue_exclusive and config.control_queue_durable:
        raise ImproperlyConfigured(
            "control_queue_exclusive and control_queue_durable are both on, and an exclusive queue cannot survive.",
            cure="Turn one of them off.",
        )
    life = QueueLife(
        ttl_s=config.control_queue_ttl,
        expires_s=config.control_queue_expires,
        exclusive=config.control_queue_exclusive,
        durable=config.control_queue_durable,
    )
    return ControlNames(config.control_exchange or config.namespace, life)


class Requester:
    """Speaks to nodes on behalf of one process. Safe in any thread: every question has a queue of its own.

    Args:
        wiring: settings, codec and the broker.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._names = control_names(wiring.config)

    def tell(self, request: ControlRequest) -> None:
        """Send a request that wants no answer.

        Raises:
            PluginError: E107 when the broker cannot carry it.
            DriverError: it could not be sent within ``broker_connection_timeout``.
            EncodeError: for an argument the serializer cannot carry.
        """
        deadline = Deadline.after(self._wiring.config.broker_connection_timeout)
        self._send(self._broker(deadline), request, deadline)

    def ask(
        self,
        request: ControlRequest,
        timeout_s: float,
        limit: int | None = None,
        callback: Callable[[Reply], object] | None = None,
    ) -> list[Reply]:
        """Send a request, and collect what nodes answer.

        Args:
            request: what to ask; its ticket and address are filled in here.
            timeout_s: seconds to wait, from when it was sent.
            limit: answers after which to stop waiting; None waits the whole time.
            callback: called with each answer as it comes.

        Raises:
            PluginError: E107 when the broker cannot carry it.
            DriverError: it could not be sent, or answers cannot be received any more.
            EncodeError: for an argument the serializer cannot carry.
        """
        address, ticket = str(uuid4()), str(uuid4())
        reply_to = ReplyTo(self._names.reply_exchange.name, address)
        asked = replace(request, ticket=ticket, reply_to=reply_to, expires=time.time() + timeout_s)
        deadline = Deadline.after(self._wiring.config.broker_connection_timeout)
        broker = self._broker(deadline)
        with self._listening(broker, address, deadline) as consumer:
            self._send(broker, asked, deadline)
            return self._collect(consumer, ticket, Deadline.after(timeout_s), limit, callback)

    def _broker(self, deadline: Deadline) -> Broker:
        plugin, caps = self._wiring.control
        check(plugin, caps.claimed(), [REMOTE_CONTROL])
        return self._wiring.open_control(deadline)

    def _send(self, broker: Broker, request: ControlRequest, deadline: Deadline) -> None:
        """Send it once: where the fate of an attempt is unknown there is no second one, as no pool is to grow twice."""
        message = self._message(replace(request, clock=self._wiring.clock.forward()))
        failures = 0
        while True:
            try:
                broker.declare_exchange(self._names.exchange, deadline)
                error = broker.publish([message], deadline)[0].error
            except DriverError as failed:
                error = failed
            if error is None:
                return
            failures += 1
            delay = reconnect_delay(failures, random.uniform)
            if not error.retryable or error.outcome is not Applied.NOT_APPLIED or delay >= deadline.left():
                raise error
            time.sleep(delay)

    def _message(self, request: ControlRequest) -> Outgoing:
        encoded = self._wiring.codec.encode(request.payload(), self._wiring.config.task_serializer, None)
        return Outgoing(
            queue="",
            body=encoded.body,
            headers=request.headers(),
            id=str(uuid4()),
            content_type=encoded.content_type,
            content_encoding=encoded.content_encoding,
            exchange=self._names.exchange.name,
        )

    @contextmanager
    def _listening(self, broker: Broker, address: str, deadline: Deadline) -> Iterator[Consumer]:
        """A queue for the answers, while the block lasts."""
        queue = self._names.reply_queue(address)
        broker.declare([queue], deadline)
        consumer = broker.consumer([queue.name], 0)
        try:
            yield consumer
        finally:
            goodbye = Deadline.after(_GOODBYE_S)
            with suppress(DriverError):  # the queue expires by itself
                consumer.close(False, goodbye)
                broker.delete([queue.name], goodbye)

    def _collect(
        self,
        consumer: Consumer,
        ticket: str,
        deadline: Deadline,
        limit: int | None,
        callback: Callable[[Reply], object] | None,
    ) -> list[Reply]:
        replies: list[Reply] = []
        while not deadline.passed and (limit is None or len(replies) < limit):
            deliveries = consumer.receive(_BATCH, deadline.left())
            if not deliveries:
                continue
            with suppress(DriverError):  # nobody else reads this queue
                consumer.settle([Settle(each, SettleKind.ACK) for each in deliveries], Deadline.after(_GOODBYE_S))
            for reply in filter(None, (self._read(each, ticket) for each in deliveries)):
                replies.append(reply)
                if callback is not None:
                    callback(reply)
        return replies

    def _read(self, delivery: Delivery, ticket: str) -> Reply | None:
        """The answer in a message; None for one to another question, and for what is no answer."""
        message = delivery.message
        headers: dict[str, Any] = dict(message.headers or {})
        if headers.get("ticket", ticket) != ticket:
            return None
        if isinstance(headers.get("clock"), int):
            self._wiring.clock.adjust(headers["clock"])
        try:
            reply = self._wiring.codec.decode(
                message.body, message.content_type, message.content_encoding, headers.get("compression")
            )
        except CodecError as error:
            logger.warning("An answer to a control message cannot be read: %s", error.one_line())
            return None
        return reply if isinstance(reply, dict) else None
