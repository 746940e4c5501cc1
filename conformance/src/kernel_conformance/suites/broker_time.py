"""Brokers: delays, times to live, and what is not claimed."""

import time
from typing import Any

from kernel.contracts import Broker, Outgoing
from kernel.errors import Code, DriverError
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case

FIELDS: dict[str, Any] = {"priority": 1, "delay_s": 0.2, "ttl_s": 60.0, "group": "g", "dedup_id": "d"}
CAPABILITY = {"priority": "priority", "delay_s": "delay", "ttl_s": "ttl", "group": "fifo_group", "dedup_id": "dedup"}


class TimeSuite(BrokerCase):
    """Time, and what a broker does not claim."""

    @case("BRK-059", needs=("delay",))
    def delays_are_kept(self) -> None:
        """A delayed message never comes early, and not later than the slack; beyond ``max_delay_s`` it is INVALID.

        Others are not held up by it.

        Broken by: whole seconds rounded down, a delay queue that releases in order of arrival, clamping.
        """
        broker = self.broker()
        queue = self.queue(broker)
        step = max(0.5, 4 * self.granularity_s)
        items = [self.message(queue, delay_s=delay) for delay in (3 * step, step, 2 * step)]
        now = self.message(queue)
        self.send(broker, *items, now)
        consumer = broker.consumer([queue], 0)
        found = self.one(consumer)
        assert found.message.id == now.id, "a delayed message came before one without delay"
        self.ack(consumer, found)
        for index in (1, 2, 0):
            one = self.one(consumer, 3 * step + self.slack_s)
            assert one.message.id == items[index].id, f"delays {[item.delay_s for item in items]} came in another order"
            self.ack(consumer, one)
        limit = self.caps.limits.max_delay_s
        for wrong in [-1.0, float("nan"), *([] if limit is None else [limit + 1])]:
            error = self.refusal(broker, self.message(queue, delay_s=wrong))
            assert error.code is Code.INVALID, f"a delay of {wrong} s gives {error.code}"
        self.judge(late_s=self.slack_s)

    @case("BRK-060", needs=("ttl",))
    def what_is_expired_is_never_delivered(self) -> None:
        """An expired message is never delivered; it goes to the dead letter if the queue has one.

        The shorter of the message's and the queue's time counts.

        Broken by: checking at the head of the queue only, ignoring the field silently.
        """
        broker = self.broker()
        dead = self.name("dead")
        ttl = max(0.5, 4 * self.granularity_s)
        queue = self.queue(broker, dead_letter=dead if self.caps.dlq else None)
        brief = self.queue(broker, "brief", ttl_s=ttl)
        kept, late = self.message(queue), self.message(queue, ttl_s=ttl)
        by_queue = self.message(brief)
        self.send(broker, kept, late, by_queue)
        time.sleep(ttl + self.granularity_s * 2 + 0.1)  # expiry is a matter of time, not an event
        found = self.drain(broker, queue, brief)
        assert [one.message.id for one in found] == [kept.id], f"{len(found)} messages came, 1 was still alive"
        if self.caps.dlq:
            [buried] = self.take(broker.consumer([dead], 0), 1, 5 + self.slack_s)
            assert buried.message.id == late.id, "the dead letter has another message"
            assert buried.dead_queue == queue
        self.judge(gone=frozenset({late.id, by_queue.id}), ignore=frozenset({dead}))

    @case("BRK-065")
    def what_is_not_claimed_is_refused(self) -> None:
        """Using a capability the broker does not claim gives UNSUPPORTED, and nothing is enqueued.

        Broken by: ignoring a field silently, which makes a promise that nobody keeps.
        """
        broker = self.broker()
        queue = self.queue(broker)
        claimed = self.caps.claimed()
        for field, capability in CAPABILITY.items():
            if capability in claimed:
                continue
            error = self._refused(broker, self.message(queue, **{field: FIELDS[field]}))
            assert error is not None, f"{field}={FIELDS[field]!r} is taken although {capability!r} is not claimed"
            assert error.code is Code.UNSUPPORTED, f"{field} without {capability!r} gives {error.code}"
        for capability in ("depth", "purge", "peek"):
            if capability not in claimed and self._call_works(broker, capability, queue):
                self.works.add(capability)
        assert self.drain(broker, queue) == [], "something was enqueued although it was refused"

    def _refused(self, broker: Broker, item: Outgoing) -> DriverError | None:
        try:
            [result] = broker.publish([item], self.soon())
        except DriverError as error:
            return error
        found: DriverError | None = result.error
        return found

    def _call_works(self, broker: Broker, capability: str, queue: str) -> bool:
        """Whether a call works although it is not claimed; any error but UNSUPPORTED is a failure."""
        arguments = (queue, 1, self.soon()) if capability == "peek" else ([queue], self.soon())
        try:
            getattr(broker, capability)(*arguments)
        except DriverError as error:
            assert error.code is Code.UNSUPPORTED, f"{capability}() gives {error.code}"  # noqa: PT017 - it may work, too
            return False
        return True
