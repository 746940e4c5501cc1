"""The toy's driver: every call is one request over a connection that is made anew after a loss."""

import contextlib
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from kernel.contracts import (
    Broker,
    BrokerCaps,
    Consumer,
    Deadline,
    Delivery,
    Depth,
    Outgoing,
    PluginContext,
    PublishResult,
    Settle,
    SettleResult,
)
from kernel.errors import Applied, Code, DriverError
from kernel.model.topology import QueueSpec
from kernel_conformance.installed import load_installed
from kernel_conformance.toy.frames import receive, send

SLICE_S = 0.2
"""A blocked receive asks again so often, which is when it notices ``wake``."""
PATIENCE_S = 5.0


class Line:
    """One connection, made when it is needed; one request at a time."""

    def __init__(self, address: tuple[str, int], password: str) -> None:
        self._address = address
        self._password = password
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._hello: tuple[Any, ...] | None = None
        self.epoch = 0

    def greet_with(self, *request: Any) -> None:
        """A request that opens every new connection, such as what to consume."""
        self._hello = request

    def ask(self, deadline: Deadline, *request: Any) -> Any:
        """Send a request and wait for its answer.

        Raises:
            DriverError: of the server, or UNAVAILABLE or TIMEOUT.
        """
        with self._lock:
            sent = False
            try:
                connection = self._connected(deadline)
                connection.settimeout(max(0.01, deadline.left()))
                sent = True
                send(connection, request)
                kind, value = receive(connection)
            except OSError as error:
                self.drop()
                code = Code.TIMEOUT if isinstance(error, TimeoutError) else Code.UNAVAILABLE
                outcome = Applied.UNKNOWN if sent else Applied.NOT_APPLIED
                raise DriverError(code, f"the toy server does not answer: {error}", outcome=outcome) from error
        if kind == "error":
            raise value
        return value

    def drop(self) -> None:
        """Close it without a word."""
        connection, self._socket = self._socket, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def forget(self) -> None:
        """In a forked child: the connection is the parent's."""
        self._lock = threading.Lock()
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _connected(self, deadline: Deadline) -> socket.socket:
        if self._socket is None:
            connection = socket.create_connection(self._address, timeout=max(0.01, deadline.left()))
            self._socket = connection
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            send(connection, self._password)
            if not receive(connection):
                self.drop()
                raise DriverError(Code.AUTH, "the toy server refuses the password", cure="Correct the URL.")
            if self._hello is not None:
                send(connection, self._hello)
                kind, value = receive(connection)
                if kind == "error":
                    self.drop()
                    raise value
            self.epoch += 1
        return self._socket


class ToyBroker(Broker):
    """``toy://:password@host:port``."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "", parts.port or 0)
        self.password = parts.password or ""
        self.line = self.new_line()
        self._opened = False
        self._consumers: list[ToyConsumer] = []
        inner = load_installed("broker.sqlite").factory("sqlite")("sqlite:///toy.db", {}, ctx)
        self._caps: BrokerCaps = replace(inner.capabilities(), fanout=False, prefetch=False, auth=True)

    def new_line(self) -> Line:
        """A connection to be."""
        return Line(self.address, self.password)

    def capabilities(self) -> BrokerCaps:
        return self._caps

    def open(self, deadline: Deadline) -> None:
        self._opened = True
        self.ping(deadline)

    def close(self, deadline: Deadline) -> None:
        self._opened = False
        for consumer in self._consumers:
            consumer.close(release=True, deadline=deadline)
        self._consumers = []
        self.line.drop()

    def ping(self, deadline: Deadline) -> None:
        self.ask(deadline, "ping")

    def after_fork(self) -> None:
        self.line.forget()
        for consumer in self._consumers:
            consumer.line.forget()
        self._consumers = []

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        self.ask(deadline, "declare", specs)

    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        self.ask(deadline, "delete", queues)

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        found: list[PublishResult] = self.ask(deadline, "publish", items)
        return found

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        self.check_open()
        made = ToyConsumer(self, queues, prefetch)
        self._consumers.append(made)
        return made

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        found: dict[str, Depth] = self.ask(deadline, "depth", queues)
        return found

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        found: dict[str, int | None] = self.ask(deadline, "purge", queues)
        return found

    def peek(self, queue: str, max_n: int, deadline: Deadline) -> list[Delivery]:
        found: list[Delivery] = self.ask(deadline, "peek", queue, max_n)
        return found

    def ask(self, deadline: Deadline, *request: Any) -> Any:
        """One request on the broker's own connection."""
        self.check_open()
        return self.line.ask(deadline, *request)

    def check_open(self) -> None:
        """Refuse to work when closed."""
        if not self._opened:
            raise DriverError(Code.CLOSED, "the toy broker is closed", cure="Call open() first.")


class ToyConsumer(Consumer):
    """Receives over a connection of its own; settles over the broker's."""

    def __init__(self, broker: ToyBroker, queues: Sequence[str], prefetch: int) -> None:
        self._broker = broker
        self._queues = list(queues)
        self.line = broker.new_line()
        self.line.greet_with("consume", self._queues, 0)  # settled elsewhere, so the server cannot bound it
        self._woken = False
        self._closed = False

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        end = time.monotonic() + wait_s
        while True:
            if self._closed:
                raise DriverError(Code.CLOSED, "this consumer is closed")
            left = max(0.0, end - time.monotonic())
            found = self._ask(max_n, min(SLICE_S, left))
            if found or self._woken or left <= 0:
                self._woken = False
                return [replace(one, epoch=self.line.epoch) for one in found]

    def _ask(self, max_n: int, wait_s: float) -> list[Delivery]:
        try:
            found: list[Delivery] = self.line.ask(Deadline.after(PATIENCE_S), "receive", max_n, wait_s)
        except DriverError:
            if self._closed:  # the line was dropped by us
                return []
            raise
        return found

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        if self._closed:
            raise DriverError(Code.CLOSED, "this consumer is closed")
        found: list[SettleResult] = self._broker.ask(deadline, "settle", self._queues[0], list(actions))
        return found

    def wake(self) -> None:
        self._woken = True

    def close(self, release: bool, deadline: Deadline) -> None:
        self._closed = True
        self.line.drop()
