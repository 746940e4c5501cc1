"""Publishing: batches whose confirmations are awaited together, each message with its own result."""

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kernel.contracts import Deadline
from kernel.errors import Applied, Code, DriverError
from plugin_broker_amqp import failures, frames
from plugin_broker_amqp.flight import Flight, Sent, unresolved
from plugin_broker_amqp.turns import taken
from plugin_broker_amqp.wire import Wire

CHUNK: Final = 100
"""Messages collected into one write."""
CHUNK_BYTES: Final = 262_144
EXIT_S: Final = 5.0
"""How long a process that ends waits for the server to read what was sent without confirmation."""
_BLOCKED_CURE: Final = "Free memory or disk on the server; rabbitmq-diagnostics alarms tells which."


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message ready for the wire.

    Attributes:
        exchange: where it goes, with ``routing_key``.
        mandatory: whether it must reach a queue.
        header: payload of the content header frame.
        body: the body.
        id: the message's id, as the properties say it.
    """

    exchange: str
    routing_key: str
    mandatory: bool
    header: bytes
    body: bytes
    id: str


class Publisher:
    """Publishes over a connection of its own: the server blocks one that publishes while it has an alarm.

    Args:
        connect: makes a connection.
        confirm: whether to wait for confirmations.
        max_in_flight: how many may be unconfirmed at a time.
    """

    def __init__(self, connect: Callable[[Deadline], Wire], *, confirm: bool, max_in_flight: int) -> None:
        self._connect = connect
        self._confirm = confirm
        self._most = max_in_flight
        self._turn = threading.Lock()
        self._wire: Wire | None = None
        self._flight = Flight(confirm)
        self._channel = 0
        self._methods: dict[tuple[str, str, bool], bytes] = {}
        if not confirm:
            _careless.add(self)

    @property
    def wire(self) -> Wire | None:
        """The connection, if there is one."""
        return self._wire

    def send(self, parcels: Sequence[Parcel], deadline: Deadline) -> list[DriverError | None]:
        """Publish; for each message why it was not taken, or None.

        Raises:
            DriverError: no connection could be had: nothing was sent.
        """
        if not taken(self._turn, deadline):
            raise failures.timeout("Waiting to publish", Applied.NOT_APPLIED)
        try:
            self._ready(deadline)
            return self._fly(parcels, deadline) if self._confirm else self._let_go(parcels, deadline)
        finally:
            self._turn.release()

    def finish(self, deadline: Deadline) -> None:
        """Wait until the server has dealt with all that was sent; not while it takes no messages.

        Raises:
            DriverError: it has not, or the connection failed.
            Exception: what py-amqp raises.
        """
        wire = self._wire
        if wire is not None and wire.failure is None and not wire.blocked:
            with wire.using(deadline) as connection:
                connection.channels[self._channel].basic_qos(0, 1, False)  # answered in its turn, and of no effect here

    def close(self, deadline: Deadline) -> None:
        """End the connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close(deadline)

    def abandon(self) -> None:
        """In a forked child: forget the parent's connection."""
        self._turn = threading.Lock()
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.abandon()

    def _ready(self, deadline: Deadline) -> None:
        """A connection with an open channel that the server does not block."""
        wire = self._wire
        if wire is not None:
            wire.poll()  # what happened since the last time: the end of the connection, or an alarm
        if wire is None or wire.failure is not None:
            if wire is not None:
                wire.close(Deadline.after(0))
            self._wire = wire = self._connect(deadline)
            self._open_channel(wire, deadline)
        elif self._flight.refused is not None:
            self._open_channel(wire, deadline)
        if wire.blocked and not wire.wait(lambda: not wire.blocked, deadline.at):
            raise _blocked(Applied.NOT_APPLIED)

    def _open_channel(self, wire: Wire, deadline: Deadline) -> None:
        self._flight = Flight(self._confirm)
        self._methods.clear()
        self._channel = wire.open_channel(self._flight, deadline)
        if self._confirm:
            with wire.using(deadline) as connection:
                connection.channels[self._channel].confirm_select()

    def _let_go(self, parcels: Sequence[Parcel], deadline: Deadline) -> list[DriverError | None]:
        """Write them, and be content with that."""
        wire = self._wire
        assert wire is not None
        try:
            for chunk in _chunks(parcels):
                wire.write(b"".join([self._framed(wire, parcel) for parcel in chunk]), deadline)
        except DriverError as error:
            return [failures.again(error, Applied.UNKNOWN)] * len(parcels)
        return [None] * len(parcels)

    def _fly(self, parcels: Sequence[Parcel], deadline: Deadline) -> list[DriverError | None]:
        wire, flight = self._wire, self._flight
        assert wire is not None
        sent: list[Sent] = []
        try:
            for chunk in _chunks(parcels):
                if flight.refused is not None:
                    break
                if len(flight) + len(chunk) > self._most:
                    self._land(wire, deadline, max(0, self._most - len(chunk)))
                self._write(wire, chunk, sent, deadline)
            self._land(wire, deadline, 0)
        except DriverError as error:
            self._give_up(sent, error)
            return [*(one.error for one in sent), *[_unsent(error)] * (len(parcels) - len(sent))]
        if flight.refused is not None:
            return self._refused(parcels, sent, flight.refused)
        return [one.error for one in sent]

    def _write(self, wire: Wire, chunk: Sequence[Parcel], sent: list[Sent], deadline: Deadline) -> None:
        pieces = []
        for parcel in chunk:
            pieces.append(self._framed(wire, parcel))
            one = Sent((parcel.exchange, parcel.routing_key, parcel.id))
            self._flight.depart(one)
            sent.append(one)
        wire.write(b"".join(pieces), deadline)

    def _framed(self, wire: Wire, parcel: Parcel) -> bytes:
        """The frames of one message; its method frame is as it was for the last one of its kind."""
        key = (parcel.exchange, parcel.routing_key, parcel.mandatory)
        method = self._methods.get(key)
        if method is None:
            if len(self._methods) >= 1000:  # noqa: PLR2004 - reply queues come and go
                self._methods.clear()
            method = frames.publish_method(self._channel, key[0], key[1], mandatory=key[2])
            self._methods[key] = method
        return method + frames.content(self._channel, parcel.header, parcel.body, wire.frame_max)

    def _land(self, wire: Wire, deadline: Deadline, most: int) -> None:
        """Wait until no more than ``most`` are on their way.

        Raises:
            DriverError: TIMEOUT, EXHAUSTED when the server blocks us, or UNAVAILABLE.
        """
        flight = self._flight
        if wire.wait(lambda: len(flight) <= most or flight.refused is not None, deadline.at):
            return
        if wire.blocked:
            raise _blocked(Applied.UNKNOWN)
        raise wire.fail(failures.timeout("Publishing"))

    def _give_up(self, sent: Sequence[Sent], error: DriverError) -> None:
        """What is not confirmed now never will be: nobody is there to hear it."""
        for one in sent:
            if not one.done:
                unresolved(one, error)
        self._flight.forget()

    def _refused(
        self, parcels: Sequence[Parcel], sent: Sequence[Sent], refused: tuple[int, str]
    ) -> list[DriverError | None]:
        """The server closed the channel because of one message; which of them, only the last unconfirmed ones know."""
        error = failures.of_reply(*refused, "a message", Applied.UNKNOWN)
        if len(parcels) == 1:
            error = failures.again(error, Applied.NOT_APPLIED)
            return [error]
        self._give_up(sent, DriverError(Code.UNAVAILABLE, f"The channel was closed: {error}", cure=error.cure))
        return [*(one.error for one in sent), *[_unsent(error)] * (len(parcels) - len(sent))]


_careless: "weakref.WeakSet[Publisher]" = weakref.WeakSet()
"""Those that do not wait for confirmations."""


@atexit.register
def _finish() -> None:
    """A server that sees a connection break forgets what it has read from it and not routed yet."""
    for publisher in list(_careless):
        with contextlib.suppress(Exception):  # the interpreter ends; nobody was promised anything
            publisher.finish(Deadline.after(EXIT_S))
            publisher.close(Deadline.after(EXIT_S))


def _chunks(parcels: Sequence[Parcel]) -> Iterator[Sequence[Parcel]]:
    """In order, so that neither the number nor the bytes of one write are large."""
    if len(parcels) == 1:
        yield parcels
        return
    start = size = 0
    for index, parcel in enumerate(parcels):
        size += len(parcel.body) + len(parcel.header)
        if index - start + 1 >= CHUNK or size >= CHUNK_BYTES:
            yield parcels[start : index + 1]
            start, size = index + 1, 0
    if start < len(parcels):
        yield parcels[start:]


def _unsent(error: DriverError) -> DriverError:
    found = failures.again(error, Applied.NOT_APPLIED)
    return DriverError(
        Code(found.code),
        f"Not sent, because of an earlier failure: {found}",
        outcome=Applied.NOT_APPLIED,
        cure=found.cure,
    )


def _blocked(outcome: Applied) -> DriverError:
    error = DriverError(
        Code.EXHAUSTED,
        "RabbitMQ takes no messages at present: it has a memory or disk alarm",
        outcome=outcome,
        retry_after=1.0,
        cure=_BLOCKED_CURE,
    )
    error.__cause__ = TimeoutError(f"connection.blocked until {time.monotonic():.1f}")
    return error
