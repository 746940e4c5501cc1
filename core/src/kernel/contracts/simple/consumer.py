"""A consumer out of an author's ``do_receive`` and ``do_settle``."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kernel.contracts.broker import SETTLED, Consumer, Delivery, Settle, SettleKind, SettleResult
from kernel.contracts.deadline import Deadline
from kernel.contracts.simple import refusals
from kernel.contracts.simple.handles import Handle
from kernel.contracts.simple.held import Held
from kernel.contracts.simple.line import Line
from kernel.contracts.simple.natives import BROKEN
from kernel.contracts.simple.receipt import Receipt
from kernel.contracts.simple.verbs import Verbs
from kernel.contracts.waker import Waker
from kernel.errors import Applied, Code, DriverError

FIRST_PAUSE_S = 0.001
CALL_S = 1.0
"""What a look at the server may take beyond the time ``receive`` was given."""


class SimpleConsumer(Consumer):
    """Receives from some queues in turn, holding at most ``prefetch`` unsettled deliveries (0: no bound).

    Args:
        verbs: the author's side.
        line: the way to the server; the broker's own, or one for this consumer alone.
        queues: names, each once.
        prefetch: the bound.
    """

    def __init__(self, verbs: Verbs, line: Line, queues: Sequence[str], prefetch: int) -> None:
        self._verbs = verbs
        self.line = line
        self._queues = queues
        self._held = Held(prefetch, verbs.clock if verbs.CAPS.lease else None)
        self._waker = Waker()
        self._woken = False
        self._turn = 0
        self._pause = FIRST_PAUSE_S
        self.closed = False

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        """See :meth:`kernel.contracts.Consumer.receive`."""
        self._check_open()
        end = time.monotonic() + wait_s
        while True:
            left = end - time.monotonic()
            found = self._take(max_n, max(0.0, left))
            left = end - time.monotonic()
            if found or self._woken or self.closed or left <= 0:
                self._woken = False
                self._pause = FIRST_PAUSE_S if found else self._pause
                return found
            self._waker.wait(min(left, self._pause))
            self._pause = min(self._pause * 1.5, self._verbs.LONGEST_PAUSE_S)

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.Consumer.settle`."""
        self._check_open()
        results: list[SettleResult] = []
        lost: DriverError | None = None
        for action in actions:
            try:
                if lost is not None:
                    raise lost
                results.append(self._settle(action, deadline))
            except DriverError as error:
                results.append(SettleResult(error))
                if lost is None and error.code in BROKEN:
                    lost = _not_tried(error)
        self.look()
        return results

    def change(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Consumer.change`."""
        self._check_open()
        self._queues = list(dict.fromkeys(queues))

    def wake(self) -> None:
        """See :meth:`kernel.contracts.Consumer.wake`."""
        self._woken = True
        self._waker.wake()

    def look(self) -> None:
        """Something may have come: look at once, and often from now on."""
        self._pause = FIRST_PAUSE_S
        self._waker.wake()

    def close(self, release: bool, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Consumer.close`. A server that is gone is no error here: leases end anyway."""
        if self.closed:
            return
        self.closed = True
        self.wake()
        if release:
            self._release(self._held.close(), deadline)
        if self.line.private:
            self.line.close()

    def abandon(self) -> list[Any]:
        """In a forked child: close without a word to the server; the connections that are its own."""
        self.closed = True
        self._waker = Waker()
        return self.line.handles.abandon() if self.line.private else []

    def _check_open(self) -> None:
        if self.closed:
            raise DriverError(Code.CLOSED, "This consumer is closed", cure="Ask the broker for a new one.")

    def _take(self, max_n: int, left: float) -> list[Delivery]:
        """What the queues have now; the last of them may be waited for."""
        room = self._held.room(max_n)
        found: list[Delivery] = []
        self._turn += 1
        for index in range(len(self._queues)):
            if len(found) >= room:
                break
            queue = self._queues[(self._turn + index) % len(self._queues)]
            last = index == len(self._queues) - 1 and not found
            wait_s = min(self._verbs.LONG_POLL_S, left) if last else 0.0
            try:
                with self.line.call(f"receiving from queue {queue!r}", Deadline.after(wait_s + CALL_S)) as handle:
                    for delivery in self._verbs.do_receive(handle.conn, queue, room - len(found), wait_s):
                        self._keep(queue, handle, delivery, found)
            except DriverError:
                if not found and not self.closed:
                    raise
                break  # what was received is not lost by what came after it; the next call meets the error again
        return found

    def _keep(self, queue: str, handle: Handle, delivery: Delivery, found: list[Delivery]) -> None:
        redelivered = delivery.redelivered
        if redelivered is None and delivery.attempt is not None:
            redelivered = delivery.attempt > 1
        kept = replace(
            delivery,
            message=replace(delivery.message, queue=queue),
            receipt=Receipt(queue, handle.epoch, delivery.receipt),
            redelivered=redelivered,
            epoch=handle.epoch,
        )
        if self._held.add(kept):
            found.append(kept)
        else:
            release = Settle(replace(kept, receipt=delivery.receipt), SettleKind.RELEASE, started=False)
            self._verbs.do_settle(handle.conn, release, Deadline.after(CALL_S))

    def _settle(self, action: Settle, deadline: Deadline) -> SettleResult:
        receipt = action.delivery.receipt
        if not isinstance(receipt, Receipt):
            cure = "Settle the delivery as received."
            raise DriverError(Code.INVALID, f"{receipt!r} is no receipt of this broker", cure=cure)
        refused = refusals.refused_action(action, self._verbs.CAPS)
        if refused is not None:
            raise refused
        try:
            until = self._send(action, receipt, deadline)
        except DriverError as error:
            if error.code not in {Code.NOT_FOUND, Code.LEASE_LOST}:
                raise
            self._held.remove(receipt)
            raise _lease_lost(action.delivery) from error
        if action.kind is SettleKind.EXTEND:
            self._held.extend(receipt, until)
            return SettleResult(lease_until=until)
        self._held.remove(receipt)
        return SETTLED

    def _send(self, action: Settle, receipt: Receipt, deadline: Deadline) -> float | None:
        with self.line.call("settling", deadline) as handle:
            if not self._verbs.CAPS.lease and receipt.epoch != handle.epoch:
                raise _lease_lost(action.delivery)  # the server gave it back when that connection broke
            raw = replace(action, delivery=replace(action.delivery, receipt=receipt.token))
            return self._verbs.do_settle(handle.conn, raw, deadline)

    def _release(self, deliveries: Sequence[Delivery], deadline: Deadline) -> None:
        for delivery in deliveries:
            with contextlib.suppress(DriverError):
                self._settle(Settle(delivery, SettleKind.RELEASE), deadline)


def _lease_lost(delivery: Delivery) -> DriverError:
    return DriverError(
        Code.LEASE_LOST,
        f"The delivery of message {delivery.message.id!r} is no longer held by this receipt",
        cure="Do nothing: it was settled, or somebody else has it now.",
    )


def _not_tried(error: DriverError) -> DriverError:
    """The fate of settlements behind one whose connection broke."""
    found = DriverError(
        Code(error.code),
        f"Not tried, because of an earlier failure: {error}",
        outcome=Applied.NOT_APPLIED,
        cure=error.cure,
    )
    found.__cause__ = error
    return found
