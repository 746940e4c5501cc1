"""The life of messages in the file. Every function runs inside the caller's writing transaction."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from kernel.builtins.sqlite import layout
from kernel.builtins.sqlite.view import Queue, View
from kernel.contracts.broker import Depth

HOUSEKEEPING = 500
"""Messages that one transaction lets become due, or expire."""

_INSERT = """INSERT INTO message (id, visible, claim, deliveries, uncounted, expires, home, meta, body)
             VALUES (?, ?, 70368744177664, 0, 0, ?, ?, ?, ?)"""
INSERT_ONE = """INSERT INTO message (id, visible, claim, deliveries, uncounted, expires, meta, body)
    SELECT coalesce((SELECT max(id) FROM message WHERE id BETWEEN ?1 AND ?2), ?1) + 1,
           ?3, 70368744177664, 0, 0, ?4, ?5, ?6
    FROM topology WHERE version = ?7"""
"""Publish one ready message in a statement of its own, provided the topology is the one it was routed by."""
_CLAIMABLE = """SELECT id, deliveries, uncounted, reason, origin, meta, body FROM message
                WHERE id BETWEEN ?1 AND ?2 AND visible <= ?3 AND (expires IS NULL OR expires > ?3)
                ORDER BY id LIMIT ?4"""
_CLAIM = """UPDATE message SET visible = ?4, claim = ?5, deliveries = deliveries + 1
            WHERE id BETWEEN ?1 AND ?2 AND visible <= ?3 AND (expires IS NULL OR expires > ?3)"""
_MOVE = """UPDATE message SET id = ?, visible = ?, claim = 70368744177664, deliveries = 0, uncounted = 0, expires = ?,
           home = NULL, reason = ?, origin = ? WHERE id = ?"""
DELETE_HELD = "DELETE FROM message WHERE id = ? AND claim = ?"
_RELEASE = """UPDATE message SET visible = ?, claim = 70368744177664, uncounted = uncounted + ?
              WHERE id = ? AND claim = ?"""
_GIVE_BACK = "UPDATE message SET visible = ?1, claim = 70368744177664 WHERE id = ?2 AND claim = ?3 AND visible > ?1"
_POSTPONE = """UPDATE message SET id = ?, home = ?, visible = ?, claim = 70368744177664, uncounted = uncounted + ?
               WHERE id = ? AND claim = ?"""
_EXTEND = "UPDATE message SET visible = ? WHERE id = ? AND claim = ?"
# 70368744177664 is layout.FREE: as a literal it costs no binding per row.


@dataclass(frozen=True, slots=True)
class Draft:
    """A message about to be stored in one queue."""

    queue: Queue
    priority: int
    due: float | None
    expires: float | None
    meta: str
    body: bytes


class Found(NamedTuple):
    """A message as read."""

    id: int
    deliveries: int
    uncounted: int
    reason: str | None
    origin: str | None
    meta: str
    body: bytes

    @property
    def attempt(self) -> int:
        """Deliveries so far that count."""
        return self.deliveries - self.uncounted


class Mailbox:
    """Messages within one transaction."""

    def __init__(self, connection: sqlite3.Connection, view: View, now: float) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._view = view
        self._now = now
        self._next: dict[int, int] = {}

    def put(self, drafts: Iterable[Draft]) -> None:
        """Store new messages, in order."""
        self._executemany(_INSERT, [self._row(draft) for draft in drafts])

    def seen(self, queue: Queue, dedup_id: str, window_s: float) -> bool:
        """Whether the queue was given that id within the window; if not, remember it."""
        self._execute("DELETE FROM dedup WHERE until <= ?", (self._now,))
        until = self._now + window_s
        sql = "INSERT OR IGNORE INTO dedup VALUES (?, ?, ?)"
        return self._execute(sql, (queue.id, dedup_id, until)).rowcount == 0

    def keep_house(self) -> bool:
        """Let happen what time does: messages expire, delays end. Bounded; whether that was all."""
        sql = "SELECT id, home FROM message WHERE expires <= ? AND visible <= ? LIMIT ?"
        old = self._execute(sql, (self._now, self._now, HOUSEKEEPING)).fetchall()
        for message, home in old:
            self.bury(message, message if home is None else home, "expired")
        sql = "SELECT id, home FROM message WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
        last = layout.last_due(self._now)
        due = self._execute(sql, (layout.DELAYED, last, HOUSEKEEPING)).fetchall()
        for message, home in due:
            sql = "UPDATE message SET id = ?, visible = ?, home = NULL WHERE id = ?"
            self._execute(sql, (self._place(home), self._now, message))
        return len(old) < HOUSEKEEPING and len(due) < HOUSEKEEPING

    def claim(self, queue: Queue, number: int, until: float, room: int) -> list[Found]:
        """Lease up to ``room`` messages until that time; ``number`` fences their settlement."""
        low, high = queue.span
        limit = queue.spec.delivery_limit
        while True:
            found = [Found._make(row) for row in self._execute(_CLAIMABLE, (low, high, self._now, room)).fetchall()]
            spent = [one for one in found if limit is not None and one.attempt >= limit]
            if not spent:
                break
            for one in spent:
                self.bury(one.id, one.id, "delivery_limit")
        if found:
            self._execute(_CLAIM, (found[0].id, found[-1].id, self._now, until, number))
        return found

    def look(self, queue: Queue, most: int) -> list[Found]:
        """The messages ``claim`` would give, untouched."""
        low, high = queue.span
        return [Found._make(row) for row in self._execute(_CLAIMABLE, (low, high, self._now, most)).fetchall()]

    def depth(self, queue: Queue) -> Depth:
        """Counts of a queue."""
        low, high = queue.span
        sql = "SELECT count(*), coalesce(sum(visible > ?), 0) FROM message WHERE id BETWEEN ? AND ?"
        total, hidden = self._execute(sql, (self._now, low, high)).fetchone()
        sql = "SELECT count(*) FROM message WHERE id >= ? AND home BETWEEN ? AND ?"
        delayed = self._execute(sql, (layout.DELAYED, low, high)).fetchone()[0]
        return Depth(total - hidden, hidden, delayed)

    def purge(self, queue: Queue, until: float, most: int) -> int:
        """Remove up to ``most`` messages that were ready at that time; how many."""
        low, high = queue.span
        sql = """DELETE FROM message WHERE id IN
                 (SELECT id FROM message WHERE id BETWEEN ? AND ? AND visible <= ? LIMIT ?)"""
        return self._execute(sql, (low, high, until, most)).rowcount

    def acknowledge(self, message: int, claim: int) -> bool:
        """Remove it; whether it was still held by that claim."""
        return self._execute(DELETE_HELD, (message, claim)).rowcount == 1

    def release(self, message: int, claim: int, seconds: float, uncounted: int) -> bool:
        """Give it back, in its old place at once, or at the queue's end after ``seconds``."""
        if seconds <= 0:
            return self._execute(_RELEASE, (self._now, uncounted, message, claim)).rowcount == 1
        place = self._delayed_place(self._now + seconds)
        return (
            self._execute(_POSTPONE, (place, layout.home_of(message), self._now, uncounted, message, claim)).rowcount
            == 1
        )

    def give_back(self, message: int, claim: int) -> None:
        """Release it while its lease runs, whoever extended it last; a lease that is over stays as it is."""
        self._execute(_GIVE_BACK, (self._now, message, claim))

    def reject(self, message: int, claim: int, reason: str) -> bool:
        """Move it to its queue's dead letter, or drop it."""
        if not self._holds(message, claim):
            return False
        self.bury(message, message, reason.encode(errors="replace").decode())
        return True

    def extend(self, message: int, claim: int, until: float) -> bool:
        """Keep it hidden until that time."""
        return self._execute(_EXTEND, (until, message, claim)).rowcount == 1

    def bury(self, message: int, start: int, reason: str) -> None:
        """Move it to the dead letter of the queue it belongs to by ``start``; without one, drop it."""
        queue = self._view.by_id[layout.queue_of(start)]
        dead = self._view.queues.get(queue.spec.dead_letter or "")
        if dead is None:
            self._execute("DELETE FROM message WHERE id = ?", (message,))
            return
        top = layout.TOP_PRIORITY if dead.spec.max_priority is None else dead.spec.max_priority
        place = self._place(layout.home(dead.id, min(layout.priority_of(start), top)))
        expires = None if dead.spec.ttl_s is None else self._now + dead.spec.ttl_s
        self._execute(_MOVE, (place, self._now, expires, reason, queue.name, message))

    def _holds(self, message: int, claim: int) -> bool:
        sql = "SELECT 1 FROM message WHERE id = ? AND claim = ?"
        return self._execute(sql, (message, claim)).fetchone() is not None

    def _row(self, draft: Draft) -> tuple[Any, ...]:
        home = layout.home(draft.queue.id, draft.priority)
        if draft.due is None:
            return (self._place(home), self._now, draft.expires, None, draft.meta, draft.body)
        return (self._delayed_place(draft.due), self._now, draft.expires, home, draft.meta, draft.body)

    def _place(self, home: int) -> int:
        """The next free id at the end of a range of ready messages."""
        return self._after(home, home + layout.RANGE)

    def _delayed_place(self, due: float) -> int:
        """The next free id among messages due at that time."""
        start = layout.delayed(due)
        while (place := self._after(start, start + layout.TICK)) > start + layout.TICK:
            start += layout.TICK + 1  # a million messages are due in that millisecond; the next will do
        return place

    def _after(self, low: int, high: int) -> int:
        last = self._next.get(low)
        if last is None:
            sql = "SELECT max(id) FROM message WHERE id BETWEEN ? AND ?"
            last = self._execute(sql, (low, high)).fetchone()[0] or low
        self._next[low] = last + 1
        return last + 1
