"""Brokers: declaring queues, their names, counting and purging them."""

import threading
from typing import Any

from kernel.contracts import Broker
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case

ENDINGS = [".a", ".A", "-a", "_a", " a", "größe", "日本", "%a", "*a", "/a", "x" * 40, "x" * 220, "x" * 240, "x" * 600]
IMPOSSIBLE = ["", "a\nb", "a\x00b", "\ud800"]


class QueuesSuite(BrokerCase):
    """Queues."""

    @case("BRK-008")
    def declaring_is_idempotent(self) -> None:
        """Declaring the same queue again, also from 8 threads at once, changes nothing and loses nothing.

        Broken by: check-then-create without a lock, a declaration that empties the queue.
        """
        broker = self.broker()
        name, dead = self.name(), self.name("dead")
        spec = QueueSpec(name, dead_letter=dead if self.caps.dlq else None)
        self._queues += [name, dead]
        errors: list[BaseException] = []
        gate = threading.Barrier(8)

        def declare() -> None:
            try:
                gate.wait(10)
                broker.declare([spec], self.soon())
            except BaseException as error:  # noqa: BLE001 - judged below
                errors.append(error)

        threads = [threading.Thread(target=declare) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, f"{len(errors)} of 8 concurrent declarations failed: {errors[0]!r}"
        self.send(broker, self.message(name))
        broker.declare([spec], self.soon())
        self.broker().declare([spec], self.soon())
        self.drain(broker, name)
        self.judge()

    @case("BRK-009")
    def contradicting_declarations_conflict(self) -> None:
        """Declaring an existing queue with other properties gives CONFLICT, and the queue stays as it was.

        Broken by: silently keeping the old properties, deleting and creating anew.
        """
        broker = self.broker()
        before, after = self._contradiction()
        queue = self.queue(broker, **before)
        self.send(broker, self.message(queue))
        with self.raises(Code.CONFLICT):
            broker.declare([QueueSpec(queue, **after)], self.soon())
        broker.declare([QueueSpec(queue, **before)], self.soon())
        self.drain(broker, queue)
        self.judge()

    @case("BRK-010")
    def an_undeclared_queue_is_not_found(self) -> None:
        """Publishing to or receiving from a queue nobody declared gives NOT_FOUND; nothing is dropped or created.

        Broken by: a server that creates queues on first use, a default exchange that drops what it cannot route.
        """
        broker = self.broker()
        queue, nowhere = self.queue(broker), self.name("nowhere")
        error = self.refusal(broker, self.message(nowhere))
        assert error.code is Code.NOT_FOUND, f"publishing gives {error.code}"
        with self.raises(Code.NOT_FOUND):
            broker.consumer([nowhere], 0).receive(1, 0)
        if self.caps.depth:
            with self.raises(Code.NOT_FOUND):
                broker.depth([nowhere], self.soon())
        self._queues.append(nowhere)
        broker.declare([QueueSpec(nowhere)], self.soon())
        self.send(broker, self.message(queue))
        self.drain(broker, queue, nowhere)
        self.judge()

    @case("BRK-011")
    def names_never_alias(self) -> None:
        """Every name makes a round trip or is INVALID; two names are never one queue.

        Dots, dashes, capitals, unicode, percent signs, and names up to and beyond the longest.

        Broken by: folding capitals, replacing characters the server does not like, cutting long names off.
        """
        broker = self.broker()
        stem = self.name("n")
        names = [stem, *(stem + ending for ending in ENDINGS)]
        taken = [name for name in names if self._declared(broker, name)]
        assert stem in taken, f"even {stem!r} is refused"
        for name in IMPOSSIBLE:
            assert not self._declared(broker, name), f"{name!r} is accepted as a name"
        items = [self.message(name) for name in taken]
        self.send(broker, *items)
        for name, item in zip(taken, items, strict=True):
            consumer = broker.consumer([name], 0)
            found = self.one(consumer)
            assert found.message.id == item.id, f"{name!r} gives the message of {found.message.queue!r}"
            assert found.message.queue == name, f"received from {name!r}, it says {found.message.queue!r}"
            self.ack(consumer, found)
            self.close(consumer)
        self.judge()

    @case("BRK-063", needs=("depth",))
    def depth_converges(self) -> None:
        """Ready, in flight and delayed converge to what is there; figures that are approximate say so.

        Broken by: counting hidden messages as ready, caching figures, guessing where nothing is known.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        delayed = self.caps.delay
        self.send(broker, *self.messages(queue, 5))
        if delayed:
            self.send(broker, self.message(queue, delay_s=min(60.0, self.caps.limits.max_delay_s or 60.0)))
        consumer = broker.consumer([queue], 0)
        held = self.take(consumer, 2)

        def right(ready: int, in_flight: int) -> bool:
            found = broker.depth([queue], self.soon())[queue]
            flying = found.in_flight in (None, in_flight)
            waiting = found.delayed is None or found.delayed == delayed
            return found.ready == ready and flying and waiting

        self.until(lambda: right(3, 2), "depth ready=3 in_flight=2", self.slack_s + 5)
        self.ack(consumer, *held)
        self.until(lambda: right(3, 0), "depth ready=3 in_flight=0", self.slack_s + 5)

    @case("BRK-064", needs=("purge",))
    def purge_removes_what_is_ready(self) -> None:
        """Purging removes the ready messages of that queue only: what is in flight, and other queues, stay.

        A server that needs a pause between purges says EXHAUSTED with ``retry_after``.

        Broken by: deleting and creating the queue anew, purging the whole store.
        """
        broker = self.broker()
        queue, other = self.queue(broker), self.queue(broker)
        items = self.messages(queue, 5)
        self.send(broker, *items)
        self.send(broker, self.message(other))
        consumer = broker.consumer([queue], 0)
        held = self.one(consumer)
        found = broker.purge([queue], self.soon())
        assert found.get(queue) in {None, 4}, f"purge says it removed {found}"
        self.ack(consumer, held)
        again = self.messages(queue, 1)
        self.until(lambda: not self.receive(consumer, 1, 0), "the end of purged messages")
        self.send(broker, *again)
        self.drain(broker, queue, other)
        self.judge(gone=frozenset(item.id for item in items))
        try:
            broker.purge([queue], self.soon())
        except DriverError as error:
            assert error.code is Code.EXHAUSTED, f"a second purge gives {error.code}"  # noqa: PT017 - it may also work
            assert error.retry_after, "EXHAUSTED does not say when to come back"  # noqa: PT017 - as above

    def _contradiction(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Two ways to declare a queue that cannot both be right, of what the broker claims."""
        if self.caps.lease:
            return {"lease_s": self.lease_s * 10}, {"lease_s": self.lease_s * 20}
        if self.caps.ttl:
            return {"ttl_s": 600.0}, {"ttl_s": 1200.0}
        if self.caps.priority:
            return {"max_priority": 3}, {"max_priority": 5}
        return {"durable": True}, {"durable": False}

    def _declared(self, broker: Broker, name: str) -> bool:
        """Whether the broker takes the name; it must be INVALID otherwise."""
        try:
            broker.declare([QueueSpec(name)], self.soon())
        except DriverError as error:
            assert error.code is Code.INVALID, f"the name {name!r} gives {error.code}"  # noqa: PT017 - either is right
            return False
        self._queues.append(name)
        return True
