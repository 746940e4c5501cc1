"""Receive requests and what comes of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from kernel.contracts.broker import SETTLED, Delivery, Settle, SettleKind
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from plugin_broker_sqs.api import Api
from plugin_broker_sqs.batches import MOST, Batches, Entry
from plugin_broker_sqs.envelope import MARK, decode
from plugin_broker_sqs.leases import Leases, Receipt
from plugin_broker_sqs.names import QueueNames
from plugin_broker_sqs.queues import Facts, Queues
from plugin_broker_sqs.settling import Settling, dead_facts

COUNT: Final = "ApproximateReceiveCount"
SOURCE: Final = "DeadLetterQueueSourceArn"
GONE: Final = frozenset({Code.UNAVAILABLE, Code.TIMEOUT, Code.AUTH})
PROVISIONAL_S: Final = 5
"""The lease that a long poll asks for, until its answer has come: so long are messages hidden that a server gives to a
connection which is not there any more, because the network or the process broke."""
ANSWER_S: Final = 5.0
"""What an answer may take beyond the time that the server was asked to wait."""


class Receiving:
    """Receives for the consumers of one broker.

    Args:
        api: the client.
        names: says which queues are FIFO queues, and names the origins of dead letters.
        queues: URLs and leases.
        settling: gives back what nobody wants.
        clock: Unix time.
        epoch: number of the connection.
    """

    def __init__(
        self, api: Api, names: QueueNames, queues: Queues, settling: Settling, clock: Callable[[], float], *, epoch: int
    ) -> None:
        self._api = api
        self._hide = Batches(api, "change_message_visibility_batch")
        self._names = names
        self._queues = queues
        self._settling = settling
        self._clock = clock
        self._epoch = epoch

    def receive(self, queue: str, most: int, wait_s: int, leases: Leases) -> list[Delivery]:
        """One request: up to ``most`` messages, waiting so many seconds for the first. They are held in ``leases``.

        Of a FIFO queue it is one message: more could be of one group, whose second must not run before the first is
        settled, and would be out of order if the first were released.

        Raises:
            DriverError: NOT_FOUND, or the request failed.
        """
        deadline = Deadline.after(wait_s + ANSWER_S)
        facts = self._queues.facts(queue, deadline)
        lease_s = min(facts.lease_s, PROVISIONAL_S) if wait_s else facts.lease_s
        began = self._clock()
        try:
            answer = self._api.call(
                "receive_message",
                deadline,
                QueueUrl=facts.url,
                MaxNumberOfMessages=1 if self._names.is_fifo(queue) else min(most, MOST),
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=lease_s,
                MessageSystemAttributeNames=[COUNT, SOURCE],
                MessageAttributeNames=["kernel-dead-.*"],
            )
        except DriverError as error:
            if error.code is Code.NOT_FOUND:
                self._queues.forget(queue)
            raise
        raw = answer.get("Messages", [])
        if wait_s:
            began = self._clock()
            if raw and not self._keep(facts, raw, lease_s):
                return []
        # Counted from before the request that gave the lease, so that it ends here before it ends there.
        until = began + facts.lease_s
        found = [self._delivery(queue, one, began, until) for one in raw]
        for delivery in found:
            leases.add(delivery, until - self._clock())
        return found

    def _keep(self, facts: Facts, raw: Sequence[Mapping[str, Any]], lease_s: int) -> bool:
        """Turn the provisional leases of a long poll into whole ones; all of them or none, so that order is kept.

        Returns:
            Whether they are ours. If not, or if that took so long that others may have them, they come again.
        """
        deadline = Deadline.after(lease_s * 0.8)
        entries = [
            Entry("a received message", {"ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": facts.lease_s})
            for one in raw
        ]
        errors = self._hide.send(facts.url, entries, deadline)
        if not any(errors) and not deadline.passed:
            return True
        back = [
            Entry("a received message", {**entry.fields, "VisibilityTimeout": 0})
            for entry, error in zip(entries, errors, strict=True)
            if error is None
        ]
        self._hide.send(facts.url, back, Deadline.after(ANSWER_S))
        lost = next((error for error in errors if error is not None and error.code in GONE), None)
        if lost is not None:
            raise lost
        return False

    def give_back(self, deliveries: Sequence[Delivery], leases: Leases, deadline: Deadline) -> None:
        """Make them visible again. One that cannot be comes back when its lease ends."""
        actions = [Settle(one, SettleKind.RELEASE, started=False) for one in deliveries]
        results = self._settling.settle(actions, leases, deadline) if actions else []
        for action, result in zip(actions, results, strict=True):
            if result != SETTLED:
                leases.end(action.delivery.receipt)

    def _delivery(self, queue: str, raw: Mapping[str, Any], since: float, until: float) -> Delivery:
        facts: Mapping[str, str] = raw.get("Attributes", {})
        text, message_id = str(raw.get("Body", "")), str(raw.get("MessageId", ""))
        message = decode(text, queue, message_id)
        attempt = int(facts[COUNT]) if facts.get(COUNT, "").isdecimal() else None
        reason, origin = dead_facts(raw.get("MessageAttributes", {}))
        if origin is None and SOURCE in facts:
            origin = self._names.here(facts[SOURCE].rpartition(":")[2])
        if origin is None and text.startswith(MARK) and message.queue != queue:
            origin = message.queue  # moved by a server that does not say from where
        return Delivery(
            message=message if message.queue == queue else replace(message, queue=queue),
            receipt=Receipt(queue, str(raw["ReceiptHandle"]), message_id, since, until),
            attempt=attempt,
            redelivered=None if attempt is None else attempt > 1,
            lease_until=until,
            epoch=self._epoch,
            dead_reason=reason,
            dead_queue=origin,
        )
