"""Taking messages: one script pops them and registers who has them, so that none can be lost in between.

Waiting is left to the server's own invalidation messages (``CLIENT TRACKING``): the lists are looked at once, and
whoever pushes to one of them makes the server tell us. Nothing is taken by that, so nothing can be lost by it.
"""

import contextlib
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from kernel.contracts import Deadline
from kernel.errors import Code, DriverError
from plugin_broker_redis import envelope
from plugin_broker_redis.desk import Desk
from plugin_broker_redis.ending import Ending, Entries
from plugin_broker_redis.names import reserved_stem, reserved_tag
from plugin_broker_redis.queues import Facts, Queues
from plugin_broker_redis.scripts import RESERVE
from plugin_common_redis import ReplyError, UnknownScript, Wire, Word

MOST: Final = 1000
"""Messages that one script takes: others wait meanwhile."""
RESTORE_S: Final = 0.5
"""How often a busy consumer looks for what is over; one with nothing to do looks when it is."""
UPKEEP_S: Final = 5.0
SLICE_S: Final = 1.0
"""Longest uninterrupted wait: leases may have been changed meanwhile, which nobody tells."""
LEASES_S: Final = 0.02
"""Pause before leases are looked at that somebody changed: all who settle or take change them, which mostly means
nothing to us, and what is put aside for a time tells of itself by nothing else."""
_FIRST_PAUSE_S: Final = 0.001
_LONGEST_PAUSE_S: Final = 0.05
"""Pauses between looks at a server that does not tell of changes."""


class Taken(NamedTuple):
    """A reserved message."""

    tag: str
    facts: Facts
    letter: envelope.Letter
    raw: bytes
    lease_until: float


class _Doubt(NamedTuple):
    """A reservation whose answer never came: what it took may be ours."""

    stem: str
    room: int
    at: float


class Reserver:
    """Takes messages for one consumer, over a connection of its own. For the owner's thread only.

    Attributes:
        wire: the connection; None before the first call and after a loss.
        epoch: number of the connection.
        look_s: seconds after which something may be there that nobody tells of.
    """

    def __init__(self, desk: Desk, queues: Queues, ending: Ending, names: Sequence[str], unique: str) -> None:
        self.wire: Wire | None = None
        self.epoch = 0
        self.look_s = SLICE_S
        self._desk = desk
        self._queues = queues
        self._ending = ending
        self._wanted = list(names)
        self._unique = unique
        self._facts: list[Facts] = []
        self._calls = 0
        self._tracking = False
        self._pause = _FIRST_PAUSE_S
        self._doubt: _Doubt | None = None
        self._found: list[Taken] = []  # reserved, and not given out yet: an error in between does not forget them
        self._restored_at = 0.0
        self._kept_at = 0.0

    def take(self, room: int, *, watch: bool) -> list[Taken]:
        """What is there now, at most ``room``; with ``watch`` the server is asked to tell when more comes.

        Raises:
            DriverError: NOT_FOUND for a queue that does not exist.
            Exception: native ones; the connection is given up.
        """
        if not self._wanted:
            return []
        wire = self._connected()
        if self._doubt is not None:
            self._found += self._recovered(wire)
        self._fill(wire, room, watch=watch)
        if self.look_s <= 0 and (len(self._found) < room or time.monotonic() >= self._restored_at + RESTORE_S):
            self._restored_at = time.monotonic()
            if self._ending.restore(wire, self._deadline()):
                self._fill(wire, room, watch=watch)
            self.look_s = max(self.look_s, _LONGEST_PAUSE_S)
        self._fit(wire)
        given, self._found = self._found[:room], self._found[room:]
        if given:
            self._pause = _FIRST_PAUSE_S
        return given

    def change(self, names: Sequence[str]) -> None:
        """Take from these queues from now on."""
        self._wanted = list(names)
        self._facts = []
        self._kept_at = 0.0

    def rest_s(self) -> float:
        """How long to wait, when nothing was there, before looking again."""
        rest = min(self.look_s, SLICE_S)
        if self._wanted and not self._tracking:
            rest = min(rest, self._pause)
            self._pause = min(self._pause * 1.5, _LONGEST_PAUSE_S)
        return rest

    def heard(self) -> bool:
        """Read what the server told while we waited: whether it is worth a look now, and not only leases changed."""
        assert self.wire is not None, "somebody waited for it"
        self.wire.read_push(self._deadline())
        changed = [key for told in self.wire.pushes for key in (told[1] or (b"all of them",))]
        self.wire.pushes.clear()
        leases = {self._desk.names.index.encode(), self._desk.names.unacked.encode()}
        return not leases.issuperset(changed)

    def drop(self) -> None:
        """Give up the connection."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close()

    def _connected(self) -> Wire:
        if self.wire is not None and not self.wire.usable:
            self.drop()
        if self.wire is None:
            deadline = self._deadline()
            wire = self._desk.connector.connect(deadline)
            self.wire = wire
            self._facts = []
            self._tracking = False
            with contextlib.suppress(ReplyError):  # it may not be allowed; then we look again and again
                wire.ask(["CLIENT", "TRACKING", "ON", "NOLOOP"], deadline)
                self._tracking = True
        if not self._facts:
            found = self._queues.look(self.wire, self._wanted, self._deadline())
            for name in self._wanted:
                if name not in found:
                    raise unknown_queue(name)
            self._facts = [found[name] for name in self._wanted]
        self._keep(self.wire)
        return self.wire

    def _keep(self, wire: Wire) -> None:
        """Every few seconds: keep our queues, remove those of processes that are gone."""
        if time.monotonic() >= self._kept_at:
            self._queues.keep(wire, self._facts, self._deadline())
            self._kept_at = time.monotonic() + UPKEEP_S

    def _fill(self, wire: Wire, room: int, *, watch: bool) -> None:
        if len(self._found) < room:
            self._found += self._reserved(wire, room - len(self._found), watch=watch)

    def _reserved(self, wire: Wire, room: int, *, watch: bool) -> list[Taken]:
        room = min(room, MOST)
        self._calls += 1
        turn = self._calls % len(self._facts)
        facts = self._facts[turn:] + self._facts[:turn]
        stem = reserved_stem(f"{self._unique}.{self._calls:08d}")
        keys, args, lists = self._request(facts, room, stem)
        now = self._desk.clock()
        self._doubt = _Doubt(stem, room, now)
        commands: list[Sequence[Word]] = [RESERVE.words(keys, args)]
        if watch and self._tracking:
            commands.append(["EXISTS", *lists])
        replies = wire.ask_all(commands, self._deadline(), self._desk.patience_s)
        answer = replies[0]
        if isinstance(answer, UnknownScript):
            answer = RESERVE.run(wire, keys, args, self._deadline(), self._desk.patience_s)
        if isinstance(answer, ReplyError):
            raise answer  # it may have taken some before it stopped: the doubt remains
        self._doubt = None
        wire.pushes.clear()  # of changes before we looked
        if answer[0]:
            name, self._facts = facts[answer[0] - 1].name, []
            raise unknown_queue(name)
        self.look_s = answer[1] / 1000 if answer[1] >= 0 else SLICE_S
        if len(replies) > 1 and replies[1]:  # something came in between
            self.look_s = 0.0
        found: list[Taken] = []
        for one, texts in zip(answer[2::2], answer[3::2], strict=True):
            mine, first = facts[one - 1], len(found) + 1
            found += [
                self._taken(reserved_tag(stem, number, mine.name), mine, raw, now)
                for number, raw in enumerate(texts, first)
            ]
        return found

    def _request(self, facts: Sequence[Facts], room: int, stem: str) -> tuple[list[Word], list[Word], list[str]]:
        names = self._desk.names
        args: list[Word] = [room, stem, self._desk.visibility_s, len(facts)]
        for one in facts:
            args += [one.name, one.lease_s or self._desk.lease_s, envelope.ending(one.name)]
        by_queue = [names.lists_of(one.name) for one in facts]
        lists: list[str] = []
        for urgency in zip(*by_queue, strict=True):  # of all queues the most urgent first, as Celery's workers do
            lists += urgency
            args += range(1, len(facts) + 1)
        return [names.registry, names.unacked, names.index, *lists], args, lists

    def _taken(self, tag: str, facts: Facts, raw: bytes, now: float) -> Taken:
        letter = envelope.read(raw, facts.name)
        return Taken(tag, facts, letter, raw, now + (facts.lease_s or self._desk.lease_s))

    def _recovered(self, wire: Wire) -> list[Taken]:
        """What a reservation took whose answer was lost, as far as its leases hold."""
        doubt = self._doubt
        assert doubt is not None, "the caller looked"
        tags = [
            (reserved_tag(doubt.stem, number, facts.name), facts)
            for number in range(1, doubt.room + 1)
            for facts in self._facts
        ]
        found: list[Taken] = []
        for start in range(0, len(tags), MOST):
            some = tags[start : start + MOST]
            values = wire.ask(["HMGET", self._desk.names.unacked, *(tag for tag, _ in some)], self._deadline())
            for (tag, facts), value in zip(some, values, strict=True):
                if value is not None:
                    raw = value[1 : -len(envelope.ending(facts.name).encode())]
                    found.append(self._taken(tag, facts, raw, doubt.at))
        self._doubt = None
        return found

    def _fit(self, wire: Wire) -> None:
        """Keep those that may be delivered; others go to the dead letter. What is no envelope is put into one."""
        entries = Entries(self._desk)
        now = self._desk.clock()
        kept = []
        for one in self._found:
            reason = _unfit(one, now)
            if reason:
                self._ending.bury(wire, entries, one.tag, reason, one.raw, self._deadline())
                continue
            if not one.letter.readable:
                text = envelope.write(one.letter.message, one.facts.name, None)
                entries.add("W", one.tag, payload=envelope.kept(text, one.facts.name))
            kept.append(one)
        if len(entries):
            entries.run(wire, self._deadline())
        self._found = kept

    def _deadline(self) -> Deadline:
        return Deadline.after(self._desk.patience_s)


def unknown_queue(name: str) -> DriverError:
    """The error for a queue that was never declared."""
    return DriverError(
        Code.NOT_FOUND, f"There is no queue {name!r}", cure="Declare it first, for example in task_queues."
    )


def _unfit(one: Taken, now: float) -> str:
    """Why it must not be delivered; empty when it may."""
    if one.letter.until is not None and one.letter.until <= now:
        return "expired"
    limit = one.facts.delivery_limit
    return "delivery_limit" if limit is not None and one.letter.attempts >= limit else ""
