"""Everything the memory brokers of one name share: queues, exchanges, and the rules of delivery.

Each public method is one atomic step under the store's lock. The SQLite broker follows the same rules.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from kernel.builtins import declaration, envelope
from kernel.builtins.memory.queue import MemoryQueue, Message, Place
from kernel.contracts.broker import PUBLISHED, Depth, Outgoing, PublishResult
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.waker import Waker
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec, binding_matches

Clock = Callable[[], float]
VISIBLE = (Place.READY, Place.BEHIND)


class MemoryStore:
    """The state behind ``memory://<name>``."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.queues: dict[str, MemoryQueue] = {}
        self.wakers: set[Waker] = set()
        self._exchanges: dict[str, str] = {}
        self._bindings: set[tuple[str, str, str]] = set()
        self._dedup: dict[tuple[str, str], float] = {}
        self._seq = 0

    def number(self) -> int:
        """A number never given before, growing."""
        self._seq += 1
        return self._seq

    def declare(self, spec: QueueSpec, owner: object, now: float) -> None:
        """Make the queue exist, or check that it does as ``spec`` says (``owner`` declares it)."""
        with self.lock:
            self._check_exchanges(spec)
            queue = self.queues.get(spec.name)
            if queue is None:
                queue = self.queues[spec.name] = MemoryQueue(spec, owner if spec.temporary else None)
            elif queue.implied:
                queue.spec, queue.implied = spec, False
            else:
                declaration.check_same(queue.spec, spec)
                self._check_owner(queue, owner)
            queue.used_at = now
            for binding, key in declaration.subscriptions(spec):
                self._exchanges[binding.exchange.name] = binding.exchange.type
                self._bindings.add((binding.exchange.name, key, spec.name))
            if spec.dead_letter is not None and spec.dead_letter not in self.queues:
                self.queues[spec.dead_letter] = MemoryQueue(QueueSpec(spec.dead_letter), implied=True)

    def delete(self, names: Iterable[str]) -> None:
        """Remove queues with their messages and bindings."""
        with self.lock:
            gone = {name for name in names if self.queues.pop(name, None) is not None}
            self._bindings = {binding for binding in self._bindings if binding[2] not in gone}
        self.wake()

    def delete_owned(self, owner: object) -> None:
        """Remove the temporary queues of a connection that ends."""
        with self.lock:
            self.delete([name for name, queue in self.queues.items() if queue.owner is owner])

    def publish(
        self, items: Sequence[Outgoing], caps: BrokerCaps, window_s: float, clock: Clock
    ) -> list[PublishResult]:
        """Store a batch; ``window_s`` is how long a ``dedup_id`` is remembered."""
        with self.lock:
            now = clock()
            self.advance(now)
            results = [self._publish(item, caps, window_s, now) for item in items]
        self.wake()
        return results

    def depth(self, name: str, now: float) -> Depth:
        """Exact counts of a queue."""
        with self.lock:
            self.advance(now)
            queue = self.queue(name)
            return Depth(queue.count(*VISIBLE), queue.count(Place.CLAIMED), queue.count(Place.DELAYED))

    def purge(self, name: str, now: float) -> int:
        """Remove what is ready; how many."""
        with self.lock:
            self.advance(now)
            queue = self.queue(name)
            ready = queue.in_order()
            for message in ready:
                queue.remove(message, now)
            return len(ready)

    def queue(self, name: str) -> MemoryQueue:
        """The queue of that name.

        Raises:
            DriverError: NOT_FOUND.
        """
        try:
            return self.queues[name]
        except KeyError:
            raise envelope.unknown_queue(name) from None

    def advance(self, now: float) -> None:
        """Let happen what time does: delays and leases end, messages and unused queues expire."""
        for name, queue in list(self.queues.items()):
            for message in queue.elapsed(now):
                self.settle_time(queue, message, now)
            life = queue.spec.expires_s
            if life is not None and not queue.consumers and queue.used_at + life <= now:
                self.delete([name])

    def settle_time(self, queue: MemoryQueue, message: Message, now: float) -> None:
        """Bring one message where it belongs at ``now``, if it is still there."""
        if message.seq not in queue.messages:
            return
        if message.place is Place.CLAIMED:
            if message.lease_until > now:
                return
            queue.show(message, 0.0, now)
        if message.expires is not None and message.expires <= now:
            self.bury(queue, message, "expired", now)
        elif message.place is Place.DELAYED and message.due <= now:
            message.order = self.number()
            queue.show(message, message.due, now)

    def show(self, message: Message, now: float) -> None:
        """Give a claimed message back, unless its queue is gone."""
        queue = self.queues.get(message.item.queue)
        if queue is not None and message.seq in queue.messages:
            message.claim = 0
            queue.show(message, 0.0, now)
            self.settle_time(queue, message, now)

    def bury(self, queue: MemoryQueue, message: Message, reason: str, now: float) -> None:
        """Move it to the queue's dead letter; without one it is dropped. Its deliveries are counted anew there."""
        queue.remove(message, now)
        dead = queue.spec.dead_letter
        if dead is None or dead not in self.queues:
            return
        target = self.queues[dead]
        life = target.spec.ttl_s
        corpse = self._message(replace(message.item, queue=dead), now, None if life is None else now + life)
        corpse.dead_reason, corpse.dead_queue = reason, queue.spec.name
        target.add(corpse, now)

    def next_timer(self) -> float:
        """When something may happen by itself, Unix time."""
        with self.lock:
            return min((queue.next_timer() for queue in self.queues.values()), default=float("inf"))

    def wake(self) -> None:
        """Let every blocked consumer look again."""
        for waker in tuple(self.wakers):
            waker.wake()

    def _publish(self, item: Outgoing, caps: BrokerCaps, window_s: float, now: float) -> PublishResult:
        try:
            refused = envelope.refusal(item, caps)
            if refused is not None:
                return PublishResult(refused)
            item = replace(item, headers=envelope.copied_headers(item.headers))
            targets = [self.queue(name) for name in self._targets(item)]
        except TypeError as error:
            return PublishResult(envelope.invalid(item, str(error)))
        except DriverError as error:
            return PublishResult(error)
        for queue in targets:
            refused = envelope.bad_priority(item, queue.spec.max_priority)
            if refused is not None:
                return PublishResult(refused)
        for queue in targets:
            if not self._seen(queue.spec.name, item.dedup_id, window_s, now):
                self._put(queue, item, now)
        return PUBLISHED

    def _targets(self, item: Outgoing) -> list[str]:
        if item.queue or not item.exchange:
            return [item.queue or item.routing_key]
        kind = self._exchanges.get(item.exchange, "direct")
        return sorted(
            {
                queue
                for exchange, key, queue in self._bindings
                if exchange == item.exchange and binding_matches(kind, key, item.routing_key)
            }
        )

    def _put(self, queue: MemoryQueue, item: Outgoing, now: float) -> None:
        lives = [s for s in (item.ttl_s, queue.spec.ttl_s) if s is not None]
        expires = now + min(lives) if lives else None
        message = self._message(replace(item, queue=queue.spec.name), now + (item.delay_s or 0.0), expires)
        queue.add(message, now)
        if expires is not None and expires <= now:
            self.bury(queue, message, "expired", now)

    def _message(self, item: Outgoing, due: float, expires: float | None) -> Message:
        number = self.number()
        return Message(number, item, due, expires, number)

    def _seen(self, queue: str, dedup_id: str | None, window_s: float, now: float) -> bool:
        if dedup_id is None:
            return False
        self._dedup = {key: until for key, until in self._dedup.items() if until > now}
        if (queue, dedup_id) in self._dedup:
            return True
        self._dedup[queue, dedup_id] = now + window_s
        return False

    def _check_exchanges(self, spec: QueueSpec) -> None:
        for binding, _ in declaration.subscriptions(spec):
            kind = binding.exchange.type
            declaration.check_same_type(binding.exchange.name, self._exchanges.get(binding.exchange.name, kind), kind)

    def _check_owner(self, queue: MemoryQueue, owner: object) -> None:
        if queue.owner is not None and queue.owner is not owner:
            raise DriverError(
                Code.CONFLICT,
                f"Queue {queue.spec.name!r} is private to another connection",
                cure="Choose another name for this temporary queue.",
            )


_STORES: dict[tuple[int, str], MemoryStore] = {}


def store_named(name: str) -> MemoryStore:
    """The store of that name in this process. A forked child gets stores of its own: it cannot share memory."""
    return _STORES.setdefault((os.getpid(), name), MemoryStore())
