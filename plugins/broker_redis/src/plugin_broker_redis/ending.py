"""How entries of ``unacked`` end: settled by their holder, or given back when their time is over."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kernel.contracts import Deadline, Settle, SettleKind, SettleResult
from kernel.contracts.broker import SETTLED
from kernel.contracts.simple import refusals
from kernel.errors import Code, DriverError
from plugin_broker_redis import envelope, patterns
from plugin_broker_redis.desk import Desk
from plugin_broker_redis.names import delayed_tag, is_delayed, is_receipt, queue_of_tag
from plugin_broker_redis.queues import Queues
from plugin_broker_redis.scripts import ACK, DUE, SETTLE
from plugin_common_redis import Wire, Word

CHUNK: Final = 500
DUE_CHUNK: Final = 200
_DELIVERS: Final = "RPUSH"
"""To the end that is taken next."""
_APPENDS: Final = "LPUSH"


class Entries:
    """Rows for the script that settles, and their outcome."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keys: list[Word] = [desk.names.unacked, desk.names.index]
        self._places: dict[str, int] = {}
        self._rows: list[list[Word]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, verb: str, tag: Word, a: Word = "", b: Word = "", payload: Word = "") -> None:
        """One row; see :data:`plugin_broker_redis.scripts.SETTLE`."""
        self._rows.append([verb, tag, a, b, payload])

    def move(self, verb: str, tag: Word, command: str, key: str, payload: Word) -> None:
        """Into a list: ``M``; ``T`` when its time is over; ``N`` into one more."""
        place = self._places.get(key)
        if place is None:
            self._keys.append(key)
            place = self._places[key] = len(self._keys)
        self.add(verb, tag, command, place, payload)

    def run(self, wire: Wire, deadline: Deadline) -> list[bool]:
        """Carry them out, in order; whether each entry was still there."""
        found: list[bool] = []
        while len(found) < len(self._rows):
            args: list[Word] = [self._desk.visibility_s]
            for number, row in enumerate(self._rows[len(found) :]):
                if number >= CHUNK and row[0] != "N":  # which belongs to the row before it
                    break
                args += row
            found += [held == 1 for held in SETTLE.run(wire, self._keys, args, deadline)]
        return found


class Ending:
    """Settles and restores for one broker. Safe in any thread."""

    def __init__(self, desk: Desk, queues: Queues) -> None:
        self._desk = desk
        self._queues = queues

    def settle(self, wire: Wire, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.Consumer.settle`."""
        if all(action.kind is SettleKind.ACK and is_receipt(action.delivery.receipt) for action in actions):
            return self._acknowledge(wire, actions, deadline)
        results = [_refusal(action, self._desk) for action in actions]
        wanted = [index for index, result in enumerate(results) if result is None]
        texts = self._texts(wire, [actions[index] for index in wanted], deadline)
        entries = Entries(self._desk)
        now = self._desk.clock()
        for index in wanted:
            self._row(wire, entries, actions[index], texts, deadline)
        for index, held in zip(wanted, entries.run(wire, deadline), strict=True):
            results[index] = self._result(actions[index], now) if held else SettleResult(_lease_lost(actions[index]))
        return [result or SETTLED for result in results]

    def _acknowledge(self, wire: Wire, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """What most settlements are, in one short request."""
        keys: list[Word] = [self._desk.names.unacked, self._desk.names.index]
        results: list[SettleResult] = []
        for start in range(0, len(actions), CHUNK):
            some = actions[start : start + CHUNK]
            held = ACK.run(wire, keys, [action.delivery.receipt for action in some], deadline)
            results += [
                SETTLED if one else SettleResult(_lease_lost(action)) for action, one in zip(some, held, strict=True)
            ]
        return results

    def restore(self, wire: Wire, deadline: Deadline) -> int:
        """Give back what is over: leases, delays, and what a Celery worker left; how many (wire.md 7.3)."""
        names = self._desk.names
        tags, values = DUE.run(wire, [names.unacked, names.index], [self._desk.visibility_s, DUE_CHUNK], deadline)
        if not tags:
            return 0
        entries, delayed = Entries(self._desk), Entries(self._desk)
        pairs = list(zip(tags, values, strict=True))
        for tag, value in pairs:
            if value is not None and is_delayed(tag.decode()):
                self._appear(delayed, tag.decode(), value)
        for tag, value in reversed(pairs):  # what was taken first shall be taken first again
            if value is None:
                entries.add("X", tag)
            elif not is_delayed(tag.decode(errors="replace")):
                self._come_back(wire, entries, tag, value, deadline)
        return sum(delayed.run(wire, deadline)) + sum(entries.run(wire, deadline))

    def bury(self, wire: Wire, entries: Entries, tag: str, reason: str, text: bytes, deadline: Deadline) -> None:
        """A row that moves what ``tag`` holds to its queue's dead letter; without one, it is dropped."""
        queue = queue_of_tag(tag) or ""
        facts = self._queues.known(queue) or self._queues.look(wire, [queue], deadline).get(queue)
        dead = facts.dead_letter if facts is not None else None
        if dead is None:
            entries.add("A", tag)
            return
        target = self._queues.known(dead) or self._queues.look(wire, [dead], deadline).get(dead)
        life = target.ttl_s if target is not None else None
        letter = envelope.parsed(text, queue)
        until = None if life is None else self._desk.clock() + life
        payload = envelope.buried(letter, reason.encode(errors="replace").decode(), queue, until)
        top = target.max_priority if target is not None else None
        priority = envelope.priority_of(letter)
        place = self._desk.names.list_of(dead, priority if top is None else min(priority, top))
        entries.move("M", tag, _APPENDS, place, payload)

    def give_back(self, wire: Wire, tags: Sequence[str], deadline: Deadline) -> None:
        """Release what a consumer holds, so that it is taken again in its old order."""
        if not tags:
            return
        values = wire.ask(["HMGET", self._desk.names.unacked, *tags], deadline)
        entries = Entries(self._desk)
        for tag, value in sorted(zip(tags, values, strict=True), reverse=True):
            if value is not None:
                self._release(entries, tag, _text_of(tag, value), counted=True)
        entries.run(wire, deadline)

    def _texts(self, wire: Wire, actions: Sequence[Settle], deadline: Deadline) -> Mapping[str, bytes]:
        """The envelopes of what is released or rejected: they are written anew."""
        tags = [one.delivery.receipt for one in actions if one.kind in {SettleKind.RELEASE, SettleKind.REJECT}]
        if not tags:
            return {}
        values = wire.ask(["HMGET", self._desk.names.unacked, *tags], deadline)
        return {tag: _text_of(tag, value) for tag, value in zip(tags, values, strict=True) if value is not None}

    def _row(
        self, wire: Wire, entries: Entries, action: Settle, texts: Mapping[str, bytes], deadline: Deadline
    ) -> None:
        tag: str = action.delivery.receipt
        text = texts.get(tag)
        if action.kind is SettleKind.EXTEND:
            entries.add("E", tag, action.seconds)
        elif action.kind is SettleKind.ACK or text is None:
            entries.add("A", tag)
        elif action.kind is SettleKind.REJECT:
            self.bury(wire, entries, tag, action.reason, text, deadline)
        else:
            self._release(entries, tag, text, counted=action.started, seconds=action.seconds)

    def _release(self, entries: Entries, tag: str, text: bytes, *, counted: bool, seconds: float = 0.0) -> None:
        queue = queue_of_tag(tag) or ""
        letter = envelope.parsed(text, queue)
        payload = envelope.given_back(letter, counted=counted)
        if seconds > 0:
            later = delayed_tag(tag.replace("\x06\x16", "."), queue)
            entries.add("D", tag, later, seconds, envelope.kept(payload, queue))
            return
        place = self._desk.names.list_of(queue, envelope.priority_of(letter))
        entries.move("M", tag, _DELIVERS, place, payload)

    def _appear(self, entries: Entries, tag: str, value: bytes) -> None:
        """A delay is over: the message takes its place at the end of its queue."""
        queue = queue_of_tag(tag) or ""
        text = _text_of(tag, value)
        place = self._desk.names.list_of(queue, envelope.priority_of(envelope.parsed(text, queue)))
        entries.move("T", tag, _APPENDS, place, text)

    def _come_back(self, wire: Wire, entries: Entries, tag: bytes, value: bytes, deadline: Deadline) -> None:
        """A lease is over, ours or that of another client of the database."""
        name = tag.decode(errors="surrogateescape")
        queue = queue_of_tag(name)
        if queue is not None:
            letter, targets = envelope.parsed(_text_of(name, value), queue), [queue]
        else:
            letter, targets = self._foreign(wire, value, deadline)
        payload = envelope.given_back(letter, counted=True)
        priority = envelope.priority_of(letter)
        for number, target in enumerate(targets):  # every queue it was routed to, as its own client would do
            place = self._desk.names.list_of(target, priority)
            entries.move("N" if number else "T", tag, _DELIVERS, place, payload)

    def _foreign(self, wire: Wire, value: bytes, deadline: Deadline) -> tuple[dict[str, Any], list[str]]:
        """What another client kept, and the queues it belongs to; what nobody can read goes to a queue of its own."""
        try:
            letter, exchange, routing_key = json.loads(value)
            if not isinstance(letter, dict):
                raise TypeError("no envelope")  # noqa: TRY301 - handled with the rest
        except (ValueError, TypeError, RecursionError):
            return envelope.parsed(b"\x00" + value, UNREADABLE), [UNREADABLE]
        if not exchange:
            return letter, [str(routing_key)]
        kind = self._queues.kind(wire, exchange, deadline)
        members = wire.ask(["SMEMBERS", self._desk.names.bindings(exchange)[0]], deadline)
        return letter, patterns.reached(members, kind, str(routing_key)) or [str(routing_key)]

    def _result(self, action: Settle, now: float) -> SettleResult:
        return SettleResult(lease_until=now + action.seconds) if action.kind is SettleKind.EXTEND else SETTLED


UNREADABLE: Final = "_kernel.unreadable"
"""The list that keeps entries of ``unacked`` which are no JSON, so that nothing is dropped silently."""


def _text_of(tag: str, value: bytes) -> bytes:
    """The envelope inside a value of ours."""
    end = envelope.ending(queue_of_tag(tag) or "").encode()
    return value[1 : -len(end)] if value.endswith(end) else value


def _refusal(action: Settle, desk: Desk) -> SettleResult | None:
    if not is_receipt(action.delivery.receipt):
        return SettleResult(
            DriverError(
                Code.INVALID,
                f"{action.delivery.receipt!r:.80} is no receipt of this broker",
                cure="Settle the delivery as received.",
            )
        )
    refused = refusals.refused_action(action, desk.caps)
    return None if refused is None else SettleResult(refused)


def _lease_lost(action: Settle) -> DriverError:
    return DriverError(
        Code.LEASE_LOST,
        f"The delivery of message {action.delivery.message.id!r} is no longer held by this receipt",
        cure="Do nothing: it was settled, or somebody else has it now.",
    )
