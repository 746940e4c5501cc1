"""What a test did to a broker and what came back: a history of operations, as Jepsen keeps one.

Every operation is invoked, and ends ok, fail (it certainly had no effect) or info (nobody knows). Nothing that reads
removes duplicates: they are the checker's business (:mod:`kernel_conformance.checker`).
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from kernel.contracts import Delivery, Outgoing, Settle, SettleKind
from kernel.errors import Applied, DriverError


class Phase(StrEnum):
    """How far an operation got."""

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Verb(StrEnum):
    """What an operation did."""

    PUBLISH = "publish"
    RECEIVE = "receive"
    SETTLE = "settle"
    CLOSE = "close"
    """A consumer was closed: what it held may come back."""
    FAULT = "fault"
    """Something was broken on purpose: what was held may come back."""


@dataclass(slots=True)
class Op:
    """One operation on one message (or, for close and fault, on none).

    ``began`` and ``ended`` are positions in the history, ``began_at`` and ``ended_at`` Unix times. ``source`` is the
    consumer's number; ``delivery`` is, for a settlement, the position at which the delivery's receive ended.
    """

    verb: Verb
    phase: Phase
    began: int
    began_at: float
    id: str = ""
    queue: str = ""
    digest: str = ""
    source: int = 0
    item: Outgoing | None = None
    delivered: Delivery | None = None
    action: Settle | None = None
    ended: int = 0
    ended_at: float = 0.0
    why: str = ""

    def line(self) -> str:
        """For the report."""
        facts = ""
        if self.delivered is not None:
            facts = f" attempt={self.delivered.attempt} redelivered={self.delivered.redelivered}"
        if self.action is not None:
            facts = f" {self.action.kind} {self.action.seconds:g}" if self.action.seconds else f" {self.action.kind}"
        text = f"#{self.began:<4} {self.began_at:.3f} {self.verb} {self.queue} {self.id}{facts} -> {self.phase}"
        return f"{text} @{self.ended_at - self.began_at:.3f} {self.why}".rstrip()


@dataclass(slots=True)
class History:
    """Grows while a test runs; any thread may write."""

    ops: list[Op] = field(default_factory=list)
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, verb: Verb, **facts: object) -> Op:
        """An operation begins."""
        with self._lock:
            self._count += 1
            made = Op(verb, Phase.INVOKE, self._count, time.time(), **facts)  # type: ignore[arg-type] # fields of Op
            self.ops.append(made)
            return made

    def end(self, done: Op, phase: Phase, why: str = "") -> None:
        """It ends."""
        with self._lock:
            self._count += 1
            done.ended, done.ended_at, done.phase, done.why = self._count, time.time(), phase, why

    def publishing(self, item: Outgoing, queue: str = "") -> Op:
        """A message is about to be published; ``queue`` is where it will come out when an exchange routes it."""
        return self.invoke(Verb.PUBLISH, id=item.id, queue=queue or item.queue, digest=digest(item.body), item=item)

    def failed(self, done: Op, error: DriverError) -> None:
        """It ended with an error, whose outcome says whether it may have had an effect."""
        known = error.outcome is Applied.NOT_APPLIED
        self.end(done, Phase.FAIL if known else Phase.INFO, f"{error.code} {error.outcome}")

    def received(self, deliveries: Sequence[Delivery], source: int, began_at: float) -> None:
        """A receive returned these."""
        for one in deliveries:
            done = self.invoke(
                Verb.RECEIVE,
                id=one.message.id,
                queue=one.message.queue,
                digest=digest(one.message.body),
                source=source,
                delivered=one,
            )
            done.began_at = began_at
            self.end(done, Phase.OK)

    def settling(self, action: Settle, source: int) -> Op:
        """A delivery is about to be settled."""
        message = action.delivery.message
        return self.invoke(Verb.SETTLE, id=message.id, queue=message.queue, source=source, action=action)

    def happened(self, verb: Verb, why: str, source: int = 0) -> None:
        """A consumer was closed, or a fault injected."""
        self.end(self.invoke(verb, source=source), Phase.OK, why)

    def of(self, verb: Verb) -> Iterator[Op]:
        """The operations of one verb, as they began."""
        return (one for one in self.ops if one.verb is verb)

    def of_message(self, message_id: str) -> str:
        """The story of one message, for an error."""
        told = [one for one in self.ops if one.id == message_id or one.verb is Verb.FAULT]
        return " | ".join(one.line() for one in told[:12])

    def text(self, most: int = 200) -> str:
        """The end of the history, for the report."""
        return "\n".join(one.line() for one in self.ops[-most:])


def digest(body: bytes) -> str:
    """What tells a whole body from a torn one."""
    return sha256(body).hexdigest()[:16]


def ends_message(action: Settle) -> bool:
    """Whether the settlement takes the message out of its queue."""
    return action.kind in {SettleKind.ACK, SettleKind.REJECT}
