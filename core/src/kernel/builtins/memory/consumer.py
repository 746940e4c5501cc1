"""A consumer of the memory broker: claims under a lease, settlements fenced by the claim's number."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from kernel.builtins import envelope
from kernel.builtins.memory.queue import MemoryQueue, Message, Place
from kernel.builtins.memory.store import Clock, MemoryStore
from kernel.contracts.broker import SETTLED, Consumer, Delivery, Settle, SettleKind, SettleResult
from kernel.contracts.deadline import Deadline
from kernel.contracts.waker import Waker
from kernel.errors import Code, DriverError


class Receipt(NamedTuple):
    """Which message, and which delivery of it: an older delivery's receipt is outdated."""

    queue: str
    seq: int
    claim: int


def delivery(queue: MemoryQueue, message: Message) -> Delivery:
    """What a consumer sees of a message; its headers are a copy."""
    claimed = message.place is Place.CLAIMED
    return Delivery(
        message=replace(message.item, headers=envelope.copied_headers(message.item.headers)),
        receipt=Receipt(queue.spec.name, message.seq, message.claim),
        attempt=message.attempt,
        redelivered=message.deliveries > int(claimed),
        lease_until=message.lease_until if claimed else None,
        dead_reason=message.dead_reason,
        dead_queue=message.dead_queue,
    )


class MemoryConsumer(Consumer):
    """Receives from some queues of a store, holding at most ``prefetch`` unsettled deliveries (0: no bound)."""

    def __init__(self, store: MemoryStore, queues: Sequence[str], prefetch: int, lease_s: float, clock: Clock) -> None:
        self._store = store
        self._queues = list(dict.fromkeys(queues))
        self._prefetch = prefetch
        self._lease_s = lease_s
        self._clock = clock
        self._waker = Waker()
        self._woken = False
        self._turn = 0
        self._claims: dict[int, Message] = {}
        self.closed = False
        with store.lock:
            for queue in [store.queue(name) for name in self._queues]:
                queue.consumers += 1
            store.wakers.add(self._waker)

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        """See :meth:`kernel.contracts.broker.Consumer.receive`."""
        if self.closed:
            raise _closed()
        end = time.monotonic() + wait_s
        while True:
            found, pause = self._take(max_n)
            left = end - time.monotonic()
            if found or self._woken or self.closed or left <= 0:
                self._woken = False
                return found
            self._waker.wait(min(left, pause))

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.broker.Consumer.settle`."""
        if self.closed:
            raise _closed()
        with self._store.lock:
            now = self._clock()
            self._store.advance(now)
            results = [self._settle(action, now) for action in actions]
        self._store.wake()
        return results

    def wake(self) -> None:
        """End a blocked ``receive``, or the next one, at once."""
        self._woken = True
        self._waker.wake()

    def change(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.broker.Consumer.change`."""
        names = list(dict.fromkeys(queues))
        with self._store.lock:
            if self.closed:
                raise _closed()
            for queue in [self._store.queue(name) for name in names if name not in self._queues]:
                queue.consumers += 1
            left = [queue for queue in self._known() if queue.spec.name not in names]
            for queue in left:
                queue.consumers -= 1
                queue.used_at = self._clock()
            self._queues = names
            self._store.delete([queue.spec.name for queue in left if queue.spec.auto_delete and not queue.consumers])

    def close(self, release: bool, deadline: Deadline) -> None:
        """Stop; with ``release`` what is unsettled can be received again at once."""
        with self._store.lock:
            if self.closed:
                return
            self.closed = True
            self._store.wakers.discard(self._waker)
            now = self._clock()
            for queue in self._known():
                queue.consumers -= 1
                queue.used_at = now
            if release:
                for message in self._held().values():
                    self._store.show(message, now)
            self._store.delete([q.spec.name for q in self._known() if q.spec.auto_delete and not q.consumers])
        self.wake()
        self._store.wake()

    def _known(self) -> list[MemoryQueue]:
        return [queue for queue in map(self._store.queues.get, self._queues) if queue is not None]

    def _held(self) -> dict[int, Message]:
        """The deliveries nobody settled and whose lease has not ended, by claim."""
        self._claims = {
            claim: message
            for claim, message in self._claims.items()
            if message.claim == claim and message.place is Place.CLAIMED
        }
        return self._claims

    def _take(self, max_n: int) -> tuple[list[Delivery], float]:
        """What can be claimed now, and after how many seconds it may be worth to look again."""
        with self._store.lock:
            now = self._clock()
            self._store.advance(now)
            room = max_n
            if self._prefetch:
                room = min(room, self._prefetch - len(self._held()))
            found: list[Delivery] = []
            self._turn += 1
            if self.closed:  # by another thread, meanwhile
                return [], 0.0
            for index in range(len(self._queues)):
                queue = self._store.queue(self._queues[(self._turn + index) % len(self._queues)])
                while len(found) < room and (message := queue.next()) is not None:
                    self._claim(queue, message, now, found)
            # Another clock than the system's may jump at any time; look often then.
            pause = self._store.next_timer() - now if self._clock is time.time else 0.02
            return found, max(pause, 0.001)

    def _claim(self, queue: MemoryQueue, message: Message, now: float, found: list[Delivery]) -> None:
        limit = queue.spec.delivery_limit
        if limit is not None and message.attempt >= limit:
            self._store.bury(queue, message, "delivery_limit", now)
            return
        message.deliveries += 1
        message.claim = self._store.number()
        self._claims[message.claim] = message
        queue.hide(message, now + (queue.spec.lease_s or self._lease_s))
        found.append(delivery(queue, message))

    def _settle(self, action: Settle, now: float) -> SettleResult:
        receipt = action.delivery.receipt
        if not isinstance(receipt, Receipt):
            return SettleResult(envelope.bad_receipt(receipt))
        if not 0 <= action.seconds < float("inf"):
            return SettleResult(envelope.bad_seconds(action.seconds))
        queue = self._store.queues.get(receipt.queue)
        message = queue.messages.get(receipt.seq) if queue is not None else None
        if queue is None or message is None or message.claim != receipt.claim or not receipt.claim:
            return SettleResult(envelope.lease_lost(action.delivery.message.id))
        return self._apply(action, queue, message, now)

    def _apply(self, action: Settle, queue: MemoryQueue, message: Message, now: float) -> SettleResult:
        match action.kind:
            case SettleKind.ACK:
                queue.remove(message, now)
            case SettleKind.RELEASE:
                message.uncounted += not action.started
                message.claim = 0
                queue.show(message, now + action.seconds, now)
                self._store.settle_time(queue, message, now)
            case SettleKind.REJECT:
                self._store.bury(queue, message, action.reason, now)
            case SettleKind.EXTEND:
                queue.hide(message, now + action.seconds)
                return SettleResult(lease_until=message.lease_until)
        return SETTLED


def _closed() -> DriverError:
    return DriverError(Code.CLOSED, "This consumer is closed", cure="Ask the broker for a new one.")
