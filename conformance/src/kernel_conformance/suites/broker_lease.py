"""Brokers: leases end, can be extended, and move on for good."""

import time

from kernel.contracts import SettleKind
from kernel.errors import Code
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case


class LeaseSuite(BrokerCase):
    """Leases."""

    @case("BRK-039", needs=("lease",))
    def an_unsettled_delivery_comes_back_by_time(self) -> None:
        """A delivery nobody settles comes back when its lease ends: not before, and not later than the slack.

        ``lease_until`` says when.

        Broken by: a server-wide lease that ignores the queue's, a reaper that runs once a minute.
        """
        broker, other = self.broker(), self.broker()
        queue = self.queue(broker, lease_s=self.lease_s)
        self.send(broker, self.message(queue))
        before = time.time()
        first = self.one(broker.consumer([queue], 0))
        assert first.lease_until is not None, "a broker with leases must say until when"
        said = first.lease_until - before
        assert self.lease_s - 0.1 <= said <= self.lease_s + self.slack_s + 1, f"lease_until is in {said:.2f} s"
        consumer = other.consumer([queue], 0)
        again = self.one(consumer, self.lease_s + self.slack_s)
        assert time.time() >= first.lease_until - self.granularity_s, "it came back before its lease ended"
        assert again.receipt != first.receipt, "two deliveries have the same receipt"
        self.ack(consumer, again)
        self.judge()

    @case("BRK-040", needs=("lease",))
    def extend_keeps_it_hidden(self) -> None:
        """EXTEND keeps a delivery hidden beyond its first lease, and says until when.

        Broken by: an extension counted from the first delivery, a new lease that is only noted locally.
        """
        broker, other = self.broker(), self.broker()
        queue = self.queue(broker, lease_s=self.lease_s)
        self.send(broker, self.message(queue))
        consumer = broker.consumer([queue], 0)
        held = self.one(consumer)
        longer = self.lease_s * 3 + 1
        asked = time.time()
        [result] = self.try_settle(consumer, SettleKind.EXTEND, held, seconds=longer)
        assert result.error is None, repr(result.error)
        assert result.lease_until is not None, "EXTEND must return the new end of the lease"
        said = result.lease_until - asked
        assert longer - 0.1 <= said <= longer + self.slack_s, f"extended by {longer} s, it ends in {said:.2f} s"
        self.nothing(other.consumer([queue], 0), self.lease_s * 2)
        self.ack(consumer, held)
        self.close(consumer)
        assert self.drain(broker, queue) == []
        self.judge()

    @case("BRK-041", needs=("lease",))
    def a_late_settlement_is_refused(self) -> None:
        """Once the lease has moved on, the old owner's settlement is LEASE_LOST and the new owner keeps the message.

        Broken by: settling by message id, a receipt that stays the same, answering ok when nothing was done.
        """
        broker, other = self.broker(), self.broker()
        queue = self.queue(broker, lease_s=self.lease_s)
        self.send(broker, self.message(queue))
        slow, quick = broker.consumer([queue], 0), other.consumer([queue], 0)
        old = self.one(slow)
        new = self.one(quick, self.lease_s + self.slack_s)
        [kept] = self.try_settle(quick, SettleKind.EXTEND, new, seconds=30.0)
        assert kept.error is None, repr(kept.error)
        for kind in (SettleKind.ACK, SettleKind.RELEASE, SettleKind.REJECT, SettleKind.EXTEND):
            [result] = self.try_settle(slow, kind, old, seconds=0.0 if kind is not SettleKind.EXTEND else 30.0)
            code = result.error.code if result.error is not None else "ok"
            assert code == Code.LEASE_LOST, f"a late {kind} gives {code}; {self.story(old)}"
        self.nothing(slow, 0.3)
        self.ack(quick, new)
        self.close(quick)
        self.close(slow)
        assert self.drain(broker, queue) == []
