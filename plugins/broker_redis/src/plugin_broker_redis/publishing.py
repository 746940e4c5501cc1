"""Publishing: a batch becomes rows of one script, which stores a message only in queues that exist as we know them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.contracts import Deadline, Outgoing, PublishResult
from kernel.contracts.broker import PUBLISHED
from kernel.contracts.simple import refusals
from kernel.errors import Applied, Code, DriverError
from plugin_broker_redis import envelope, patterns
from plugin_broker_redis.desk import Desk
from plugin_broker_redis.names import TOP_PRIORITY, delayed_tag, is_fanout
from plugin_broker_redis.queues import Facts, Queues
from plugin_broker_redis.scripts import PUBLISH
from plugin_broker_redis.single import Single, is_plain
from plugin_common_redis import Wire, Word

CHUNK: Final = 500
"""Rows that one script stores: others wait meanwhile."""
_TRIES: Final = 4


@dataclass(slots=True)
class _Row:
    """One message on its way to one place."""

    index: int
    item: Outgoing
    queue: str = ""
    channel: str = ""
    known: bool = True


class Publishing:
    """Publishes for one broker. Safe in any thread: a connection is given to each call."""

    def __init__(self, desk: Desk, queues: Queues) -> None:
        self._desk = desk
        self._queues = queues
        self._single = Single(desk, queues)

    def publish(self, wire: Wire, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """See :meth:`kernel.contracts.Broker.publish`."""
        if len(items) == 1 and self._single.send(wire, items[0], deadline):
            return [PUBLISHED]
        errors: dict[int, DriverError] = {}
        rows: list[_Row] = []
        for index, item in enumerate(items):
            plain = is_plain(item) and self._queues.known(item.queue) is not None
            refused = None if plain else refusals.refused_item(item, self._desk.caps)
            if refused is not None:
                errors[index] = refused
            elif item.queue or not item.exchange:
                rows.append(_Row(index, item, item.queue))
            else:
                rows += self._spread(wire, index, item, deadline)
        sent = 0
        try:
            for sent in range(0, len(rows), CHUNK):
                self._store(wire, rows[sent : sent + CHUNK], errors, deadline)
        except Exception as error:
            if sent == 0 and len(rows) <= CHUNK:
                raise
            wire.close()  # nobody else may read what is still to come
            self._broke(error, rows[sent:], errors)
        return [PublishResult(errors[index]) if index in errors else PUBLISHED for index in range(len(items))]

    def _spread(self, wire: Wire, index: int, item: Outgoing, deadline: Deadline) -> list[_Row]:
        """Where an exchange sends a message."""
        names = self._desk.names
        kind = self._queues.kind(wire, item.exchange, deadline)
        members = wire.ask(["SMEMBERS", names.bindings(item.exchange)[0]], deadline)
        if not is_fanout(item.exchange, kind):
            found = patterns.reached(members, kind, item.routing_key)
            return [_Row(index, item, queue, known=False) for queue in found]
        stored = self._queues.look(wire, patterns.reached(members, "fanout", ""), deadline)
        rows = [_Row(index, item, facts.name) for facts in stored.values()]
        return [_Row(index, item, channel=names.channel(item.exchange, item.routing_key)), *rows]

    def _store(self, wire: Wire, rows: list[_Row], errors: dict[int, DriverError], deadline: Deadline) -> None:
        """Store rows; those whose queue is not what we believed are tried again with what it is."""
        self._learn(wire, rows, deadline)
        for _ in range(_TRIES):
            rows = self._attempt(wire, rows, errors, deadline)
            if not rows:
                return
        for row in rows:
            errors[row.index] = DriverError(
                Code.CONFLICT, f"Queue {row.queue!r} is being declared anew all the time", retryable=True
            )

    def _learn(self, wire: Wire, rows: list[_Row], deadline: Deadline) -> None:
        unknown = {row.queue for row in rows if row.queue and row.known and self._queues.known(row.queue) is None}
        if unknown:
            self._queues.look(wire, sorted(unknown), deadline)

    def _attempt(self, wire: Wire, rows: list[_Row], errors: dict[int, DriverError], deadline: Deadline) -> list[_Row]:
        batch = _Batch(self._desk)
        for row in rows:
            facts = self._queues.known(row.queue) if row.known and row.queue else None
            if row.queue and row.known and facts is None:
                errors[row.index] = _unknown_queue(row.queue)
                continue
            try:
                batch.add(row, facts)
            except DriverError as error:
                errors[row.index] = refusals.refused_item(row.item, self._desk.caps) or error
        if not batch.rows:
            return []
        answer = PUBLISH.run(wire, batch.keys, batch.args(), deadline)
        if answer == 1:
            return []
        specs, fates = answer
        for facts, text in zip(batch.facts, specs, strict=True):
            self._queues.learn(facts.name, text)
        return [row for row, fate in zip(batch.rows, fates, strict=True) if not fate]

    def _broke(self, error: Exception, rows: list[_Row], errors: dict[int, DriverError]) -> None:
        """The connection broke between chunks: what went before is stored, the rest is doubtful or was never sent."""
        found = self._desk.natives.translate(error, "publishing")
        unsent = DriverError(
            Code(found.code), f"Not sent, because of an earlier failure: {found}", outcome=Applied.NOT_APPLIED
        )
        unsent.__cause__ = found
        for number, row in enumerate(rows):
            errors[row.index] = found if number < CHUNK else unsent


class _Batch:
    """Keys and arguments of one call of the script."""

    def __init__(self, desk: Desk) -> None:
        names = desk.names
        self.rows: list[_Row] = []
        self.facts: list[Facts] = []
        self.keys: list[Word] = [names.registry, names.unacked, names.index]
        self._desk = desk
        self._args: list[Word] = []
        self._numbers: dict[str, int] = {}
        self._places: dict[str, int] = {}

    def add(self, row: _Row, facts: Facts | None) -> None:
        """One row.

        Raises:
            DriverError: INVALID.
        """
        item = row.item
        if row.channel:
            text = envelope.write(item, "", None)
            self._append(row, [0, "P", row.channel, text, "", ""])
            return
        _check_priority(item, facts)
        now = self._desk.clock()
        own = None if item.ttl_s is None else item.ttl_s + self._desk.grace_s
        lives = [life for life in (own, facts.ttl_s if facts else None) if life is not None]
        text = envelope.write(item, row.queue, now + min(lives) if lives else None)
        number = 0 if facts is None else self._number(facts)
        mark: Word = ""
        if item.dedup_id is not None:
            mark = self._place(self._desk.names.dedup(row.queue, item.dedup_id))
        if item.delay_s:
            tag = delayed_tag(uuid.uuid4().hex, row.queue)
            self._append(row, [number, "D", tag, envelope.kept(text, row.queue), item.delay_s, mark])
            return
        place = self._place(self._desk.names.list_of(row.queue, item.priority or 0))
        life: Word = int(facts.expires_s * 1000) if facts is not None and facts.expires_s is not None else ""
        self._append(row, [number, "L", place, text, life, mark])

    def args(self) -> list[Word]:
        """The script's arguments."""
        head: list[Word] = [self._desk.visibility_s, int(self._desk.window_s * 1000), len(self.facts)]
        for facts in self.facts:
            head += [facts.name, facts.text]
        return head + self._args

    def _append(self, row: _Row, words: list[Any]) -> None:
        self.rows.append(row)
        self._args += words

    def _number(self, facts: Facts) -> int:
        number = self._numbers.get(facts.name)
        if number is None:
            self.facts.append(facts)
            number = self._numbers[facts.name] = len(self.facts)
        return number

    def _place(self, key: str) -> int:
        place = self._places.get(key)
        if place is None:
            self.keys.append(key)
            place = self._places[key] = len(self.keys)
        return place


def _check_priority(item: Outgoing, facts: Facts | None) -> None:
    top = TOP_PRIORITY if facts is None or facts.max_priority is None else facts.max_priority
    if item.priority is not None and item.priority > top:
        raise DriverError(
            Code.INVALID,
            f"priority={item.priority!r} of message {item.id!r} is outside 0 to {top} of queue {item.queue!r}",
            cure="Correct the call.",
        )


def _unknown_queue(name: str) -> DriverError:
    return DriverError(
        Code.NOT_FOUND, f"There is no queue {name!r}", cure="Declare it first, for example in task_queues."
    )
