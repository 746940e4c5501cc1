"""Joins: many members report, exactly one report completes."""

import sqlite3

from kernel.contracts.backend import CLAIM_S, JoinState

DONE_KEPT_S = 86_400.0
"""How long a join that is done is remembered without a time to live, so that a late report cannot begin it anew."""


class FanIn:
    """One join, inside the caller's writing transaction."""

    def __init__(self, connection: sqlite3.Connection, key: str, now: float) -> None:
        self._execute = connection.execute
        self._key = key
        self._now = now

    def report(self, member: str, payload: bytes, size: int, ttl_s: float | None) -> JoinState:
        """Count a member, once; the report that finds the join complete and unclaimed takes the claim."""
        wanted, count, claimed, done = self._state(size)
        if done:
            return JoinState(size, size, won=False, done=True)
        size = wanted
        if count < size or not size:
            added = self._execute("INSERT OR IGNORE INTO fanin_member VALUES (?, ?, ?)", (self._key, member, payload))
            count += added.rowcount
        won = count >= size > 0 and claimed <= self._now
        self._execute(
            "UPDATE fanin SET count = ?, claimed = ?, ends = ? WHERE key = ?",
            (count, self._now + CLAIM_S if won else claimed, None if ttl_s is None else self._now + ttl_s, self._key),
        )
        return JoinState(count, size, won, self._payloads() if won else ())

    def finish(self, ttl_s: float | None) -> None:
        """Mark the join as done; its payloads go."""
        self._execute("DELETE FROM fanin_member WHERE key = ?", (self._key,))
        ends = self._now + (DONE_KEPT_S if ttl_s is None else ttl_s)
        self._execute("INSERT OR REPLACE INTO fanin VALUES (?, 0, 0, 0, 1, ?)", (self._key, ends))

    def _state(self, size: int) -> tuple[int, int, float, bool]:
        """Size, count, the claim's end and whether it is done; an absent or expired join begins now."""
        sql = "SELECT size, count, claimed, done FROM fanin WHERE key = ? AND (ends IS NULL OR ends > ?)"
        found = self._execute(sql, (self._key, self._now)).fetchone()
        if found is not None:
            return found[0], found[1], found[2], bool(found[3])
        self._execute("DELETE FROM fanin_member WHERE key = ?", (self._key,))
        self._execute("INSERT OR REPLACE INTO fanin VALUES (?, ?, 0, 0, 0, NULL)", (self._key, size))
        return size, 0, 0.0, False

    def _payloads(self) -> tuple[bytes, ...]:
        sql = "SELECT payload FROM fanin_member WHERE key = ? ORDER BY member"
        return tuple(payload for (payload,) in self._execute(sql, (self._key,)).fetchall())
