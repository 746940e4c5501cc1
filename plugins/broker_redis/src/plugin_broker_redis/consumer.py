"""A consumer: waits for messages, keeps count of what is unsettled, and can be woken."""

import contextlib
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final

from kernel.contracts import Consumer, Deadline, Delivery, Settle, SettleKind, SettleResult
from kernel.contracts.broker import SETTLED
from kernel.errors import Code, DriverError
from plugin_broker_redis import envelope
from plugin_broker_redis.desk import Desk
from plugin_broker_redis.ear import Ear
from plugin_broker_redis.ending import Ending
from plugin_broker_redis.held import Held
from plugin_broker_redis.queues import Queues
from plugin_broker_redis.reserving import LEASES_S, Reserver, Taken
from plugin_common_redis import Wire

Lend = Callable[[str, Deadline], AbstractContextManager[Wire]]
"""Lends a connection of the calling thread for one call, and translates what it comes to."""
_HEARD: Final = "fanout:"
"""Receipts of what was heard: nobody else has it, and nothing has to be told to the server."""
CLOSING_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Counter:
    """Where a consumer does its business."""

    desk: Desk
    queues: Queues
    ending: Ending
    lend: Lend
    number: Callable[[], int]


class RedisConsumer(Consumer):
    """Receives from some queues, holding at most ``prefetch`` unsettled deliveries (0: no bound).

    Args:
        counter: what the broker lends.
        queues: names, each once.
        prefetch: the bound.
        ears: those of the queues that hear fan-out exchanges.
    """

    def __init__(self, counter: Counter, queues: Sequence[str], prefetch: int, ears: Sequence[Ear]) -> None:
        self.queues = queues
        self.closed = False
        self._counter = counter
        self._desk = counter.desk
        self._ears = ears
        self._held = Held(prefetch, counter.desk.clock)
        self._heard: dict[str, tuple[Ear, envelope.Letter]] = {}
        self._reserver = Reserver(counter.desk, counter.queues, counter.ending, queues, uuid.uuid4().hex)
        self._receiving = threading.Lock()
        self._woken = False
        self._listener, self._bell = socket.socketpair()
        self._listener.setblocking(False)
        self._bell.setblocking(False)

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        """See :meth:`kernel.contracts.Consumer.receive`."""
        self._check_open()
        end = time.monotonic() + wait_s
        with self._receiving:
            while True:
                found: list[Delivery] = []
                with self._guarded():
                    found = self._take(max_n, watch=time.monotonic() < end)
                if found or time.monotonic() >= end or self._woken or self.closed:
                    self._woken = False
                    return self._given(found)
                with self._guarded():
                    self._wait(end)

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.Consumer.settle`."""
        self._check_open()
        heard = [self._settle_heard(action) for action in actions] if self._ears else [None] * len(actions)
        others = [action for action, result in zip(actions, heard, strict=True) if result is None]
        told: list[SettleResult] = []
        if others:
            with self._counter.lend("settling", deadline) as wire:
                told = self._counter.ending.settle(wire, others, deadline)
        for action, result in zip(others, told, strict=True):
            self._note(action, result)
        if self._held.full:
            self._ring()
        rest = iter(told)
        return [result or next(rest) for result in heard] if self._ears else told

    def change(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Consumer.change`. The server is asked by the next ``receive``."""
        del deadline
        self._check_open()
        with self._receiving:
            self.queues = list(dict.fromkeys(queues))
            self._reserver.change(self.queues)

    def wake(self) -> None:
        """See :meth:`kernel.contracts.Consumer.wake`."""
        self._woken = True
        self._ring()

    def close(self, release: bool, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Consumer.close`. A server that is gone is no error: leases end anyway."""
        if self.closed:
            return
        self.closed = True
        self.wake()
        if not self._receiving.acquire(timeout=CLOSING_S):
            self._reserver.drop()  # that sets free whoever is blocked on it
            self._receiving.acquire(timeout=CLOSING_S)
        self._reserver.drop()
        self._bell.close()
        self._listener.close()
        held = self._held.close()
        with contextlib.suppress(DriverError):
            self._leave(held if release else [], deadline)

    def abandon(self) -> None:
        """In a forked child: close without a word to the server."""
        self.closed = True
        wire, self._reserver.wire = self._reserver.wire, None
        if wire is not None:
            wire.abandon()
        self._bell.close()
        self._listener.close()

    def _leave(self, held: list[str], deadline: Deadline) -> None:
        if held:
            with self._counter.lend("closing a consumer", deadline) as wire:
                self._counter.ending.give_back(wire, held, deadline)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """One step of receiving: what goes wrong ends the connection, and is no error once the consumer is closed."""
        try:
            yield
        except Exception as error:
            if self.closed:
                return
            found = self._desk.natives.translate(error, f"receiving from {', '.join(self.queues)}")
            if found.code is not Code.NOT_FOUND:
                self._reserver.drop()
            if found is error:
                raise
            raise found from error

    def _take(self, max_n: int, *, watch: bool) -> list[Delivery]:
        room = self._held.room(max_n)
        if room <= 0:
            return []
        found = self._take_heard(room)
        if len(found) < room:
            try:
                found += self._take_reserved(room - len(found), watch=watch and not found)
            except Exception:
                if not found:
                    raise
                self._reserver.drop()  # what was heard is not lost by what came after it; the next call sees the error
        return found

    def _take_reserved(self, room: int, *, watch: bool) -> list[Delivery]:
        before = self._reserver.wire
        taken = self._reserver.take(room, watch=watch)
        if self._reserver.wire is not before:
            self._reserver.epoch = self._counter.number()
        return [self._delivery(one) for one in taken]

    def _given(self, found: list[Delivery]) -> list[Delivery]:
        """Hand out what was taken, unless the consumer was closed meanwhile: then leases give it back."""
        if not self.closed:
            return found
        tags = [one.receipt for one in found if not one.receipt.startswith(_HEARD)]
        with contextlib.suppress(DriverError):
            self._leave(tags, Deadline.after(CLOSING_S))
        return []

    def _delivery(self, one: Taken) -> Delivery:
        letter = one.letter
        reason, origin = letter.dead or (None, None)
        self._held.add(one.tag, one.lease_until)
        return Delivery(
            letter.message,
            one.tag,
            letter.attempts + 1,
            letter.redelivered,
            one.lease_until,
            self._reserver.epoch,
            reason,
            origin,
        )

    def _take_heard(self, room: int) -> list[Delivery]:
        found: list[Delivery] = []
        for ear in self._ears:
            try:
                ear.connect(Deadline.after(self._desk.patience_s))
            except Exception:
                if not found:
                    raise
                break  # likewise
            for letter in ear.take(room - len(found)):
                receipt = f"{_HEARD}{uuid.uuid4().hex}"
                self._heard[receipt] = ear, letter
                self._held.add(receipt, None)
                found.append(Delivery(letter.message, receipt, 1, letter.redelivered))
        return found

    def _settle_heard(self, action: Settle) -> SettleResult | None:
        """Settle what was heard; None for everything else."""
        receipt = action.delivery.receipt
        if not (isinstance(receipt, str) and receipt.startswith(_HEARD)):
            return None
        if action.kind is SettleKind.EXTEND:
            return SETTLED
        self._held.remove(receipt)
        ear, letter = self._heard.pop(receipt, (None, None))
        if ear is not None and letter is not None and action.kind is SettleKind.RELEASE:
            ear.put_back(letter)
        return SETTLED

    def _note(self, action: Settle, result: SettleResult) -> None:
        if result.lease_until is not None:
            self._held.extend(action.delivery.receipt, result.lease_until)
        elif result.error is None or result.error.code is Code.LEASE_LOST:
            self._held.remove(action.delivery.receipt)

    def _wait(self, end: float) -> None:
        """Wait until something may be there."""
        rest = self._held.rest_s() if self._held.full else self._reserver.rest_s()
        until = min(end, time.monotonic() + rest)
        while not self._listen(until):
            until = min(until, time.monotonic() + LEASES_S)

    def _listen(self, until: float) -> bool:
        """Wait for the next that is told, or the moment; whether it is worth a look now."""
        wires = {} if self._held.full else self._wires()
        for listen in [listen for wire, listen in wires.values() if wire.buffered()]:
            return listen()
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        for descriptor in wires:
            poll.register(descriptor, select.POLLIN)
        ready = poll.poll(max(0.0, until - time.monotonic()) * 1000)
        told = [wires[descriptor][1]() for descriptor, _ in ready if descriptor in wires]
        self._silence()
        return len(told) < len(ready) or not told or any(told)

    def _wires(self) -> dict[int, tuple[Wire, Callable[[], bool]]]:
        """Descriptor → connection, and what reads from it and says whether it is worth a look."""
        found: dict[int, tuple[Wire, Callable[[], bool]]] = {}
        if self._reserver.wire is not None:
            found[self._reserver.wire.fileno()] = self._reserver.wire, self._reserver.heard
        for ear in self._ears:
            if ear.wire is not None:
                found[ear.wire.fileno()] = ear.wire, partial(self._hear, ear)
        return found

    def _hear(self, ear: Ear) -> bool:
        try:
            ear.listen(Deadline.after(self._desk.patience_s))
        except Exception:
            ear.drop()  # the next look connects again
            raise
        return True

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake anyway; closed: nobody waits
            self._bell.send(b"\0")

    def _silence(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.recv(4096)

    def _check_open(self) -> None:
        if self.closed:
            raise DriverError(Code.CLOSED, "This consumer is closed", cure="Ask the broker for a new one.")
