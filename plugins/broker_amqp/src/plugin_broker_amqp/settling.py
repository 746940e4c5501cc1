"""Carrying settlements out: what has to be sent again first, then one write and one answer for the whole batch.

A message that is rejected is published to the dead letter with its reason, confirmed, and only then acknowledged: a
process that dies between the two leaves it in both places, never in none. Celery's queues have no arguments for dead
letters, and RabbitMQ's own dead-lettering knows no reasons.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kernel.contracts import BrokerCaps, Deadline, Outgoing, Settle, SettleKind, SettleResult
from kernel.contracts.broker import SETTLED
from kernel.contracts.simple import refusals
from kernel.errors import Code, DriverError
from plugin_broker_amqp.envelope import Marks
from plugin_broker_amqp.receipt import Receipt
from plugin_broker_amqp.session import Session
from plugin_broker_amqp.specs import Specs

Resend = Callable[[Sequence[tuple[Outgoing, Marks]], Deadline], "list[DriverError | None]"]
"""Publishes messages of ours once more."""

LIMIT: Final = "delivery_limit"


@dataclass(slots=True)
class _Batch:
    """What is to be done with the deliveries of one call; the numbers are positions in it."""

    acks: dict[int, int] = field(default_factory=dict)
    backs: dict[int, int] = field(default_factory=dict)
    drops: dict[int, int] = field(default_factory=dict)
    again: dict[int, tuple[Outgoing, Marks]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settling:
    """Settles.

    Args:
        caps: what the broker claims.
        specs: dead letters and limits.
        resend: publishes.
    """

    caps: BrokerCaps
    specs: Specs
    resend: Resend

    def settle(self, session: Session | None, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.Consumer.settle`."""
        results = [SETTLED] * len(actions)
        batch = _Batch()
        seen: set[int] = set()
        for index, action in enumerate(actions):
            error = self._refused(session, action, seen)
            if error is None:
                self._sort(batch, index, action)
            else:
                results[index] = SettleResult(error)
        if session is None:
            return results
        self._send_again(batch, results, deadline)
        data = b"".join(
            [
                session.acknowledge(set(batch.acks.values())),
                session.give_back(batch.backs.values()),
                session.drop(batch.drops.values()),
            ]
        )
        if data:
            session.barrier(data, deadline)
        return results

    def _refused(self, session: Session | None, action: Settle, seen: set[int]) -> DriverError | None:
        receipt = action.delivery.receipt
        if not isinstance(receipt, Receipt):
            cure = "Settle the delivery as received."
            return DriverError(Code.INVALID, f"{receipt!r} is no receipt of this broker"[:200], cure=cure)
        refused = None if action.kind is SettleKind.ACK else refusals.refused_action(action, self.caps)
        if refused is not None:
            return refused
        held = session is not None and not session.lost and receipt.epoch == session.epoch
        if session is None or not held or receipt.tag not in session.given or receipt.tag in seen:
            return DriverError(
                Code.LEASE_LOST,
                f"The delivery of message {action.delivery.message.id!r} is no longer held by this receipt",
                cure="Do nothing: it was settled, or somebody else has it now.",
            )
        seen.add(receipt.tag)
        return None

    def _sort(self, batch: _Batch, index: int, action: Settle) -> None:
        delivery = action.delivery
        message, tag = delivery.message, delivery.receipt.tag
        if action.kind is SettleKind.ACK:
            batch.acks[index] = tag
            return
        spec = self.specs.get(message.queue)
        dead_letter = spec.dead_letter if spec is not None else None
        kind, reason = action.kind, action.reason
        limit = spec.delivery_limit if spec is not None else None
        attempt = delivery.attempt or 0
        if kind is SettleKind.RELEASE and limit is not None and attempt >= limit:
            kind, reason = SettleKind.REJECT, LIMIT
        if kind is SettleKind.RELEASE and not action.seconds:
            batch.backs[index] = tag
        elif kind is SettleKind.RELEASE:
            batch.acks[index] = tag
            batch.again[index] = (replace(message, delay_s=action.seconds), Marks(attempts=attempt or 1))
        elif dead_letter is None:
            batch.drops[index] = tag
        else:
            batch.acks[index] = tag
            buried = replace(message, queue=dead_letter, ttl_s=None)
            batch.again[index] = (buried, Marks(dead_reason=reason, dead_queue=message.queue))

    def _send_again(self, batch: _Batch, results: list[SettleResult], deadline: Deadline) -> None:
        """What could not be sent again stays held: its settlement failed."""
        if not batch.again:
            return
        try:
            errors = self.resend(list(batch.again.values()), deadline)
        except DriverError as error:
            errors = [error] * len(batch.again)
        for index, failed in zip(batch.again, errors, strict=True):
            if failed is not None:
                del batch.acks[index]
                results[index] = SettleResult(failed)
