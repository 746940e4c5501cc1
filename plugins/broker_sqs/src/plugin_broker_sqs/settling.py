"""Settlements, sorted into the requests that make them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kernel.contracts.broker import SETTLED, Delivery, Settle, SettleKind, SettleResult
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.contracts.simple import refusals
from kernel.errors import Code, DriverError
from plugin_broker_sqs.api import Api
from plugin_broker_sqs.batches import Batches, Entry
from plugin_broker_sqs.capabilities import LONGEST_LEASE_S
from plugin_broker_sqs.envelope import encode_again
from plugin_broker_sqs.failures import lease_lost
from plugin_broker_sqs.leases import Leases, Receipt
from plugin_broker_sqs.names import FIFO
from plugin_broker_sqs.options import Settings
from plugin_broker_sqs.publishing import grouping
from plugin_broker_sqs.queues import Queues, whole

DEAD_REASON: Final = "kernel-dead-reason"
DEAD_QUEUE: Final = "kernel-dead-queue"
"""Attributes of a rejected message, as JSON text: SQS takes no control characters."""
BURIAL_S: Final = 60
"""How long a rejected message stays hidden while it is moved."""
_NOT_THERE: Final = frozenset({"ReceiptHandleIsInvalid"})
"""Of a handle that we were given: its message was purged, or deleted before. It never comes back, as was asked."""
_REASON_BYTES: Final = 3000
_FIFO_ID: Final = 128

Fates = dict[int, SettleResult]
Chosen = list[tuple[int, Settle]]


class Settling:
    """Settles batches for one broker.

    Args:
        api: the client.
        settings: the options.
        queues: URLs and dead letters.
        caps: what the broker claims.
        clock: Unix time.
    """

    def __init__(
        self, api: Api, settings: Settings, queues: Queues, caps: BrokerCaps, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._queues = queues
        self._caps = caps
        self._clock = clock
        self._delete = Batches(api, "delete_message_batch", harmless=_NOT_THERE)
        self._hide = Batches(api, "change_message_visibility_batch")
        self._send = Batches(api, "send_message_batch", settings.max_message_bytes)

    def settle(self, actions: Sequence[Settle], leases: Leases, deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.Consumer.settle`; ``leases`` are those of the consumer."""
        fates: Fates = {}
        work: dict[tuple[str, SettleKind], Chosen] = {}
        for index, action in enumerate(actions):
            refused = self._refused(action, leases)
            if refused is not None:
                fates[index] = SettleResult(refused)
            else:
                work.setdefault((action.delivery.receipt.queue, action.kind), []).append((index, action))
        for (queue, kind), chosen in work.items():
            fates.update(self._settle(queue, kind, chosen, deadline))
        for index, action in enumerate(actions):
            self._note(action, fates[index], leases)
        return [fates[index] for index in range(len(actions))]

    def _refused(self, action: Settle, leases: Leases) -> DriverError | None:
        """Why it is not even tried; the server would take a receipt that is out of date."""
        receipt = action.delivery.receipt
        if not isinstance(receipt, Receipt):
            cure = "Settle the delivery as received."
            return DriverError(Code.INVALID, f"{receipt!r:.80} is no receipt of this broker", cure=cure)
        refused = refusals.refused_action(action, self._caps)
        if refused is None and not (leases.holds(receipt) and self._remaining(receipt) > 0):
            refused = lease_lost(action.delivery.message.id)
        return refused

    def _settle(self, queue: str, kind: SettleKind, chosen: Chosen, deadline: Deadline) -> Fates:
        try:
            match kind:
                case SettleKind.ACK:
                    return self._deleted(queue, chosen, deadline)
                case SettleKind.REJECT:
                    return self._rejected(queue, chosen, deadline)
                case _:
                    return self._hidden(queue, chosen, deadline)
        except DriverError as error:
            return {index: SettleResult(error) for index, _ in chosen}

    def _deleted(self, queue: str, chosen: Chosen, deadline: Deadline) -> Fates:
        entries = [_entry(action) for _, action in chosen]
        return _of_ours(chosen, self._delete.send(self._queues.url(queue, deadline), entries, deadline))

    def _hidden(self, queue: str, chosen: Chosen, deadline: Deadline) -> Fates:
        """Release and extension are the same request. An extension is counted from before it was sent."""
        asked_at = self._clock()
        seconds = [self._seconds(action) for _, action in chosen]
        entries = [_entry(action, VisibilityTimeout=wait) for (_, action), wait in zip(chosen, seconds, strict=True)]
        errors = self._hide.send(self._queues.url(queue, deadline), entries, deadline)
        fates = _of_ours(chosen, errors)
        for (index, action), wait in zip(chosen, seconds, strict=True):
            if fates[index].ok and action.kind is SettleKind.EXTEND:
                fates[index] = SettleResult(lease_until=asked_at + wait)
        return fates

    def _rejected(self, queue: str, chosen: Chosen, deadline: Deadline) -> Fates:
        """Make sure that it is still ours, send it to the dead letter, delete it.

        Killed in between, it is in both queues, and is rejected again; it is never in neither.
        """
        dead = self._queues.dead_letter(queue, deadline)
        if dead is None:
            return self._deleted(queue, chosen, deadline)
        held = [_entry(action, VisibilityTimeout=BURIAL_S) for _, action in chosen]
        fates = _of_ours(chosen, self._hide.send(self._queues.url(queue, deadline), held, deadline))
        ours = [one for one in chosen if fates[one[0]].ok]
        buried = [self._burial(queue, action, fifo=dead.endswith(FIFO)) for _, action in ours]
        errors = self._send.send(dead, buried, deadline)
        if any(error is not None and error.code is Code.NOT_FOUND for error in errors):
            self._queues.forget_dead_letter(queue)
        fates.update(_fates(ours, errors))
        moved = [one for one in ours if fates[one[0]].ok]
        fates.update(self._deleted(queue, moved, deadline))
        return fates

    def _burial(self, queue: str, action: Settle, *, fifo: bool) -> Entry:
        """The entry for the dead letter."""
        message, receipt = action.delivery.message, action.delivery.receipt
        celery = self._settings.celery
        text = encode_again(message, celery=celery, most=self._settings.max_message_bytes)
        room = max(2, min(_REASON_BYTES, self._settings.max_message_bytes - len(text) - 500))
        attributes = {DEAD_REASON: _json(action.reason, room), DEAD_QUEUE: _json(queue, room)}
        fields: dict[str, Any] = {
            "MessageBody": text,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
            **grouping(message, fifo=fifo, celery=celery),
        }
        if fifo:  # the same message rejected again within minutes, its first burial in doubt, is buried once
            fields["MessageDeduplicationId"] = receipt.message_id[:_FIFO_ID]
        size = len(text) + sum(len(name) + len(value) + 6 for name, value in attributes.items())
        return Entry(f"the dead letter of message {message.id!r}", fields, size)

    def _seconds(self, action: Settle) -> int:
        """How long it is to stay hidden, within the twelve hours that the server allows from the receiving."""
        return min(whole(action.seconds), self._remaining(action.delivery.receipt))

    def _remaining(self, receipt: Receipt) -> int:
        return int(LONGEST_LEASE_S - 1 - max(0.0, self._clock() - receipt.since))

    def _note(self, action: Settle, fate: SettleResult, leases: Leases) -> None:
        """Remember what is held. After an error that leaves it open, the delivery may be settled again."""
        receipt = action.delivery.receipt
        if not isinstance(receipt, Receipt):
            return
        if fate.error is not None:
            if fate.error.code is Code.LEASE_LOST:
                leases.end(receipt)
        elif action.kind is SettleKind.EXTEND:
            leases.extend(receipt, (fate.lease_until or 0.0) - self._clock())
        else:
            leases.end(receipt)


def dead_facts(attributes: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Reason and origin of a message that was rejected here; None for what its attributes do not say."""
    return _text(attributes.get(DEAD_REASON)), _text(attributes.get(DEAD_QUEUE))


def _entry(action: Settle, **fields: Any) -> Entry:
    delivery: Delivery = action.delivery
    return Entry(f"message {delivery.message.id!r}", {"ReceiptHandle": delivery.receipt.handle, **fields})


def _fates(chosen: Chosen, errors: Sequence[DriverError | None]) -> Fates:
    """One result each."""
    pairs = zip(chosen, errors, strict=True)
    return {index: SETTLED if error is None else SettleResult(error) for (index, _), error in pairs}


def _of_ours(chosen: Chosen, errors: Sequence[DriverError | None]) -> Fates:
    """The same for requests to the queue of the deliveries: that it is gone means that they are."""
    return _fates(chosen, [_gone(action, error) for (_, action), error in zip(chosen, errors, strict=True)])


def _gone(action: Settle, error: DriverError | None) -> DriverError | None:
    if error is None or error.code is not Code.NOT_FOUND:
        return error
    found = lease_lost(action.delivery.message.id)
    found.__cause__ = error
    return found


def _json(text: str, room: int) -> str:
    """Text as ASCII, cut to the room there is."""
    while len(found := json.dumps(text)) > room and text:
        text = text[: len(text) // 2]
    return found


def _text(attribute: Any) -> str | None:
    try:
        value = json.loads(attribute["StringValue"])
    except (TypeError, KeyError, ValueError):
        return None
    return value if isinstance(value, str) else None
