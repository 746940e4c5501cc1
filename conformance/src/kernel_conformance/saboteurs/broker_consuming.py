"""Brokers that are wrong when they deliver or settle."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from kernel.contracts import Consumer, Deadline, Delivery, Settle, SettleKind, SettleResult
from kernel.errors import Code
from kernel_conformance.saboteurs.wrapped import WrappedBroker, WrappedConsumer, consumer_saboteur, saboteur


class AckNoOp(WrappedConsumer):
    """An acknowledgement is ok and does nothing."""

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        return [
            SettleResult() if one.kind is SettleKind.ACK else super(AckNoOp, self).settle([one], deadline)[0]
            for one in actions
        ]


class AckOnReceive(WrappedConsumer):
    """What is received counts as acknowledged."""

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        found = super().receive(max_n, wait_s)
        super().settle([Settle(one, SettleKind.ACK) for one in found], Deadline.after(5))
        return found

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        return [SettleResult() for _ in actions]


class AckAll(WrappedConsumer):
    """An acknowledgement settles everything received before it, as multiple=True does."""

    def __init__(self, inner: Consumer) -> None:
        super().__init__(inner)
        self.held: list[Delivery] = []

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        found = super().receive(max_n, wait_s)
        self.held += found
        return found

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        for one in actions:
            known = [held.receipt for held in self.held]
            if one.kind is SettleKind.ACK and one.delivery.receipt in known:
                before = self.held[: known.index(one.delivery.receipt)]
                super().settle([Settle(held, SettleKind.ACK) for held in before], deadline)
        return super().settle(actions, deadline)


class LateSettleOk(WrappedConsumer):
    """A settlement that comes too late is said to be ok."""

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        results = super().settle(actions, deadline)
        return [SettleResult() if one.error and one.error.code is Code.LEASE_LOST else one for one in results]


class LosesHeaders(WrappedConsumer):
    """A redelivered message comes without its headers."""

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        found = super().receive(max_n, wait_s)
        return [replace(one, message=replace(one.message, headers={})) if one.redelivered else one for one in found]


class AlwaysFirstAttempt(WrappedConsumer):
    """The attempt is always 1."""

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        return [replace(one, attempt=1) for one in super().receive(max_n, wait_s)]


class BusyPoll(WrappedConsumer):
    """Waiting is a loop that never rests."""

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        end = time.monotonic() + wait_s
        while True:
            found = super().receive(max_n, 0)
            if found or time.monotonic() >= end:
                return found


class SleepyPoll(WrappedConsumer):
    """Waiting is a loop that looks every three seconds."""

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        end = time.monotonic() + wait_s
        while True:
            found = super().receive(max_n, 0)
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(3.0, left))


class Hangs(WrappedConsumer):
    """An idle receive never returns."""

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        found = super().receive(max_n, wait_s)
        if not found:
            threading.Event().wait()
        return found


class KeepsLeases(WrappedConsumer):
    """Closing gives nothing back."""

    def close(self, release: bool, deadline: Deadline) -> None:
        super().close(release=False, deadline=deadline)


class Forgetful(WrappedConsumer):
    """An extension is said to be ok and does nothing."""

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        return [
            SettleResult(lease_until=time.time() + one.seconds)
            if one.kind is SettleKind.EXTEND
            else super(Forgetful, self).settle([one], deadline)[0]
            for one in actions
        ]


class RejectDrops(WrappedConsumer):
    """A rejected message is thrown away."""

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        kinds = {SettleKind.REJECT: SettleKind.ACK}
        return super().settle([replace(one, kind=kinds.get(one.kind, one.kind)) for one in actions], deadline)


class ReleaseIsAck(WrappedConsumer):
    """A released message is gone."""

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        kinds = {SettleKind.RELEASE: SettleKind.ACK}
        return super().settle([replace(one, kind=kinds.get(one.kind, one.kind)) for one in actions], deadline)


class NativeReceiptError(WrappedConsumer):
    """A receipt it does not know raises a TypeError."""

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        for one in actions:
            if not isinstance(one.delivery.receipt, tuple) or len(one.delivery.receipt) != 3:
                raise TypeError(f"unhashable receipt {one.delivery.receipt!r}")
        return super().settle(actions, deadline)


class IgnoresPrefetch(WrappedBroker):
    """Prefetch has no bound."""

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        return super().consumer(queues, 0)


class Starves(WrappedBroker):
    """Only the first of its queues is served."""

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        return super().consumer(queues[:1], prefetch)


class LosesWake(WrappedConsumer):
    """A wake that comes before the receive is forgotten."""

    def wake(self) -> None:
        return


SABOTEURS = (
    consumer_saboteur("ack-no-op", AckNoOp, "BRK-028", "BRK-036"),
    consumer_saboteur("ack-on-receive", AckOnReceive, "BRK-029", "BRK-030"),
    consumer_saboteur("ack-all", AckAll, "BRK-036"),
    consumer_saboteur("late-settle-ok", LateSettleOk, "BRK-041"),
    consumer_saboteur("lose-headers-on-redelivery", LosesHeaders, "BRK-014"),
    consumer_saboteur("attempt-always-1", AlwaysFirstAttempt, "BRK-030", "BRK-066"),
    consumer_saboteur("busy-poll", BusyPoll, "BRK-022"),
    consumer_saboteur("sleepy-poll", SleepyPoll, "BRK-023"),
    consumer_saboteur("hang", Hangs, "BRK-022"),
    consumer_saboteur("keep-leases", KeepsLeases, "BRK-029"),
    consumer_saboteur("extend-no-op", Forgetful, "BRK-040"),
    consumer_saboteur("reject-drops", RejectDrops, "BRK-032"),
    consumer_saboteur("release-is-ack", ReleaseIsAck, "BRK-030", "BRK-066"),
    consumer_saboteur("native-receipt-error", NativeReceiptError, "BRK-035"),
    consumer_saboteur("lose-wake", LosesWake, "BRK-024"),
    saboteur("ignore-prefetch", IgnoresPrefetch, "BRK-025"),
    saboteur("starve", Starves, "BRK-026"),
)
