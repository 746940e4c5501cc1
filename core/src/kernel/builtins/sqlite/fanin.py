"""Joins: many members report, exactly one report completes."""

import sqlite3

from kernel.contracts.backend import JoinState

DONE_KEPT_S = 86_400.0
"""How long a completed join without ttl is remembered, so that a late member cannot begin it anew."""


class FanIn:
    """One join, inside the caller's writing transaction."""

    def __init__(self, connection: sqlite3.Connection, key: str, now: float) -> None:
        self._execute = connection.execute
        self._key = key
        self._now = now

    def report(self, member: str, payload: bytes, size: int, ends: float | None) -> JoinState:
        """Count a member, once; the report that completes the join takes all payloads with it."""
        size, count, done = self._state(size, ends)
        if done:
            return JoinState(size, size, won=False)
        added = self._execute("INSERT OR IGNORE INTO fanin_member VALUES (?, ?, ?)", (self._key, member, payload))
        count += added.rowcount
        if count < size:
            self._execute("UPDATE fanin SET count = ? WHERE key = ?", (count, self._key))
            return JoinState(count, size, won=False)
        return JoinState(count, size, won=True, payloads=self._complete(count))

    def _state(self, size: int, ends: float | None) -> tuple[int, int, bool]:
        """Size, count and whether it is done; an absent or expired join begins now."""
        sql = "SELECT size, count, done FROM fanin WHERE key = ? AND (ends IS NULL OR ends > ?)"
        found = self._execute(sql, (self._key, self._now)).fetchone()
        if found is not None:
            return found[0], found[1], bool(found[2])
        self._execute("DELETE FROM fanin_member WHERE key = ?", (self._key,))
        self._execute("INSERT OR REPLACE INTO fanin VALUES (?, ?, 0, 0, ?)", (self._key, size, ends))
        return size, 0, False

    def _complete(self, count: int) -> tuple[bytes, ...]:
        sql = "SELECT payload FROM fanin_member WHERE key = ? ORDER BY member"
        payloads = tuple(payload for (payload,) in self._execute(sql, (self._key,)).fetchall())
        self._execute("DELETE FROM fanin_member WHERE key = ?", (self._key,))
        self._execute(
            "UPDATE fanin SET count = ?, done = 1, ends = coalesce(ends, ?) WHERE key = ?",
            (count, self._now + DONE_KEPT_S, self._key),
        )
        return payloads
