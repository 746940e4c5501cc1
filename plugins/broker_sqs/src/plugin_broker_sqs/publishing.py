"""Messages on their way to the server."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from kernel.contracts.broker import PUBLISHED, Outgoing, PublishResult
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.contracts.simple import refusals
from kernel.errors import Code, DriverError
from plugin_broker_sqs.api import Api
from plugin_broker_sqs.batches import Batches, Entry, connection_lost
from plugin_broker_sqs.capabilities import RESERVED_BYTES, caps_of_queue
from plugin_broker_sqs.celery_envelope import DEDUP, GROUP
from plugin_broker_sqs.envelope import encode, too_large
from plugin_broker_sqs.names import QueueNames
from plugin_broker_sqs.options import Settings
from plugin_broker_sqs.queues import Queues, whole

CELERY_GROUP: Final = "default"
"""The group of messages without one on a FIFO queue shared with Celery (wire.md 8)."""


class Publishing:
    """Publishes batches.

    Args:
        api: the client.
        settings: the options.
        names: says which queues are FIFO queues.
        queues: finds their URLs.
        caps: what the broker claims.
    """

    def __init__(self, api: Api, settings: Settings, names: QueueNames, queues: Queues, caps: BrokerCaps) -> None:
        self._settings = settings
        self._names = names
        self._queues = queues
        self._caps = caps
        self._most = settings.max_message_bytes - RESERVED_BYTES
        self._batches = Batches(api, "send_message_batch", settings.max_message_bytes)

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """See :meth:`kernel.contracts.Broker.publish`."""
        errors: dict[int, DriverError | None] = {}
        by_queue: dict[str, list[int]] = {}
        entries: dict[int, Entry] = {}
        for index, item in enumerate(items):
            try:
                entries[index] = self._entry(item)
                by_queue.setdefault(item.queue, []).append(index)
            except DriverError as error:
                errors[index] = error
        lost: DriverError | None = None
        for queue, indexes in by_queue.items():
            chosen = [entries[index] for index in indexes]
            found = [lost] * len(chosen) if lost is not None else self._send(queue, chosen, deadline)
            errors.update(zip(indexes, found, strict=True))
            lost = lost or connection_lost(found)
        fates = [errors[index] for index in range(len(items))]
        return [PUBLISHED if fate is None else PublishResult(fate) for fate in fates]

    def _send(self, queue: str, entries: Sequence[Entry], deadline: Deadline) -> list[DriverError | None]:
        try:
            url = self._queues.url(queue, deadline)
        except DriverError as error:
            return [error] * len(entries)
        found = self._batches.send(url, entries, deadline)
        if any(error is not None and error.code is Code.NOT_FOUND for error in found):
            self._queues.forget(queue)
        return found

    def _entry(self, item: Outgoing) -> Entry:
        """The entry of a message.

        Raises:
            DriverError: it cannot be sent as it is.
        """
        fifo = self._names.is_fifo(item.queue)
        refused = refusals.refused_item(item, caps_of_queue(self._caps, fifo=fifo, fair=self._settings.fair))
        if refused is not None:
            raise refused
        text = encode(item, celery=self._settings.celery)
        if len(text) > self._most:
            raise too_large(item, len(text), self._most)
        fields: dict[str, Any] = {"MessageBody": text, **grouping(item, fifo=fifo, celery=self._settings.celery)}
        if item.delay_s:
            fields["DelaySeconds"] = whole(item.delay_s)
        return Entry(f"message {item.id!r}", fields, len(text))


def grouping(item: Outgoing, *, fifo: bool, celery: bool) -> dict[str, str]:
    """Group and deduplication id as the server wants them.

    A message of a FIFO queue without a group is a group of its own, so that it waits for nobody; beside Celery it
    belongs to Celery's default group. Without a deduplication id every publishing is another message: the id of the
    task would not do, for a retry of the task has the same.
    """
    group = item.group or item.properties.get(GROUP)
    if not fifo:
        return {GROUP: str(group)} if group else {}
    dedup = item.dedup_id or item.properties.get(DEDUP)
    alone = CELERY_GROUP if celery else str(uuid.uuid4())
    return {GROUP: str(group or alone), DEDUP: str(dedup or uuid.uuid4())}
