"""The publishing side of the broker: one message in one statement, many in few transactions."""

import sqlite3
from collections.abc import Callable, Sequence

from kernel.builtins import envelope
from kernel.builtins.sqlite import layout
from kernel.builtins.sqlite.database import Database
from kernel.builtins.sqlite.mailbox import INSERT_ONE, Draft, Mailbox
from kernel.builtins.sqlite.record import pack
from kernel.builtins.sqlite.topology import Topology
from kernel.builtins.sqlite.view import Queue, View
from kernel.contracts.broker import PUBLISHED, Outgoing, PublishResult
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.errors import DriverError

CHUNK = 500
"""Messages per transaction: others wait for their turn to write for a few milliseconds at most."""


class Publishing:
    """Stores messages. ``window_s`` is how long a deduplication id is remembered."""

    def __init__(
        self,
        database: Database,
        topology: Topology,
        caps: BrokerCaps,
        window_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._topology = topology
        self._caps = caps
        self._window_s = window_s
        self._clock = clock

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """Store a batch; what could not be stored says so at its place.

        Raises:
            DriverError: when nothing was stored.
        """
        if len(items) == 1:
            return [self._publish_one(items[0], deadline)]
        results: list[PublishResult] = []
        for start in range(0, len(items), CHUNK):
            chunk = items[start : start + CHUNK]
            try:
                results += self._publish_chunk(chunk, deadline)
            except DriverError as error:
                if not start:
                    raise
                results += [PublishResult(error)] * len(chunk)
        return results

    def _publish_one(self, item: Outgoing, deadline: Deadline) -> PublishResult:
        """The short way for the usual message; anything special takes the long one."""
        if item.delay_s or item.ttl_s is not None or item.dedup_id is not None or not item.queue:
            return self._publish_chunk([item], deadline)[0]
        view = self._topology.view
        queue = view.queues.get(item.queue)
        if queue is None or queue.spec.ttl_s is not None:
            return self._publish_chunk([item], deadline)[0]
        meta = self._packed(item)
        refused = meta if isinstance(meta, DriverError) else envelope.bad_priority(item, queue.spec.max_priority)
        if refused is not None:
            return PublishResult(refused)
        home = layout.home(queue.id, item.priority or 0)
        row = (home, home + layout.RANGE, self._clock(), None, meta, item.body, view.version)
        if self._database.change(deadline, INSERT_ONE, row) != 1:
            return self._publish_chunk([item], deadline)[0]
        return PUBLISHED

    def _publish_chunk(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        packed = [self._packed(item) for item in items]
        with self._database.write(deadline) as connection:
            return self._store(connection, items, packed)

    def _store(
        self, connection: sqlite3.Connection, items: Sequence[Outgoing], packed: list[str | DriverError]
    ) -> list[PublishResult]:
        now = self._clock()
        view = self._topology.current(connection)
        mailbox = Mailbox(connection, view, now)
        results: list[PublishResult] = []
        drafts: list[Draft] = []
        for item, meta in zip(items, packed, strict=True):
            targets = meta if isinstance(meta, DriverError) else _targets(view, item)
            if isinstance(targets, DriverError):
                results.append(PublishResult(targets))
                continue
            assert isinstance(meta, str)
            results.append(PUBLISHED)
            drafts += [self._draft(item, queue, meta, now) for queue in targets if self._is_new(mailbox, item, queue)]
        mailbox.put(drafts)
        if any(draft.expires is not None and draft.expires <= now for draft in drafts):
            mailbox.keep_house()
        return results

    def _draft(self, item: Outgoing, queue: Queue, meta: str, now: float) -> Draft:
        life = item.ttl_s
        if queue.spec.ttl_s is not None:
            life = queue.spec.ttl_s if life is None else min(life, queue.spec.ttl_s)
        due = now + item.delay_s if item.delay_s else None
        return Draft(queue, item.priority or 0, due, None if life is None else now + life, meta, item.body)

    def _is_new(self, mailbox: Mailbox, item: Outgoing, queue: Queue) -> bool:
        return item.dedup_id is None or not mailbox.seen(queue, item.dedup_id, self._window_s)

    def _packed(self, item: Outgoing) -> str | DriverError:
        """The envelope as text, or why this message cannot be taken."""
        refused = envelope.refusal(item, self._caps)
        if refused is not None:
            return refused
        try:
            if item.dedup_id is not None:
                item.dedup_id.encode()
            return pack(item)
        except (TypeError, ValueError, RecursionError) as error:
            return envelope.invalid(item, str(error))


def _targets(view: View, item: Outgoing) -> tuple[Queue, ...] | DriverError:
    """Where it goes, or why it cannot."""
    try:
        targets = view.targets(item)
    except DriverError as error:
        return error
    for queue in targets:
        refused = envelope.bad_priority(item, queue.spec.max_priority)
        if refused is not None:
            return refused
    return targets
