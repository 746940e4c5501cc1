"""Result records and counters in the file. Functions that take a connection run inside the caller's transaction."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from kernel.contracts.backend import Record, StoreMode, StoreResult
from kernel.errors import Code, DriverError

STORED = StoreResult()
KEPT = StoreResult(stored=False)
CHUNK = 512
"""Records written, and ids read, at a time."""
_SIZES = (1, 8, 64, CHUNK)
"""Ids per reading statement: few statements, each compiled once."""
_UPSERT = """INSERT INTO result VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET status = excluded.status,
             ends = excluded.ends, result = excluded.result, fields = excluded.fields"""
STORE = {
    StoreMode.UPSERT: _UPSERT + " WHERE ?6 IS NOT NULL",  # always: the time is given to each statement
    StoreMode.IF_ABSENT: _UPSERT + " WHERE ends <= ?6",
    StoreMode.IF_NOT_FINAL: _UPSERT + " WHERE status NOT IN ('SUCCESS', 'FAILURE', 'REVOKED') OR ends <= ?6",
    StoreMode.IF_NOT_SUCCESS: _UPSERT + " WHERE status <> 'SUCCESS' OR ends <= ?6",
}
"""Mode → the statement that checks and writes in one step. A record whose time is over counts as absent."""
_ELSEWHERE = frozenset({"id", "status", "result", "reply_to"})
"""Fields with a column of their own, and the one that is not stored."""
_REST = tuple((field.name, field.default) for field in fields(Record) if field.name not in _ELSEWHERE)
_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
INT64 = 1 << 63


def row(record: Record, key: str, now: float) -> tuple[Any, ...]:
    """The parameters of a statement in :data:`STORE`; ``key`` is the id with its namespace."""
    rest = {name: value for name, default in _REST if (value := getattr(record, name)) != default}
    ends = None if record.ttl_s is None else now + record.ttl_s
    return (key, record.status, ends, record.result, _dumps(rest), now)


def read(record_id: str, found: Sequence[Any]) -> Record:
    """The record of a row that :func:`select` gives."""
    return Record(record_id, found[1], found[2], **json.loads(found[3]))


def refusal(record: Record, limit: int | None) -> DriverError | None:
    """Why this record cannot be stored; None when it can."""
    if not storable(record.id) or not storable(record.status):
        return DriverError(
            Code.INVALID, f"The record {record.id!r} ({record.status!r}) is not valid Unicode", cure="Use another id."
        )
    if limit is not None and record.result is not None and len(record.result) > limit:
        return DriverError(
            Code.TOO_LARGE,
            f"The result of {record.id!r} has {len(record.result)} bytes; the limit is max_body={limit}",
            cure="Return a reference to the data instead.",
        )
    return None


def store(connection: sqlite3.Connection, record: Record, key: str, mode: StoreMode, now: float) -> StoreResult:
    """Write one record as the mode allows."""
    return STORED if connection.execute(STORE[mode], row(record, key, now)).rowcount else KEPT


def select(keys: Sequence[str], now: float) -> tuple[str, list[Any]]:
    """The statement, and its parameters, that reads the live ones of at most :data:`CHUNK` records."""
    size = next(size for size in _SIZES if size >= len(keys))
    return _SELECT[size], [now, *keys, *[None] * (size - len(keys))]


def forget(connection: sqlite3.Connection, keys: Iterable[str], now: float) -> int:
    """Remove records; how many of them had not expired."""
    live = 0
    for one in keys:
        gone = connection.execute("DELETE FROM result WHERE id = ? RETURNING ends", (one,)).fetchall()
        live += sum(ends is None or ends > now for (ends,) in gone)
    return live


def sweep(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Remove up to ``limit`` records whose time is over, and counters and joins likewise; how many records."""
    for statement in _SWEEP:
        connection.execute(statement, (now, limit))
    sql = "DELETE FROM result WHERE rowid IN (SELECT rowid FROM result WHERE ends <= ? LIMIT ?)"
    return connection.execute(sql, (now, limit)).rowcount


def add(connection: sqlite3.Connection, key: str, delta: int, ends: float | None, now: float) -> int:
    """Change a counter, and its end; the new value.

    Raises:
        DriverError: INVALID when it would leave the range of 64 bits.
    """
    sql = "SELECT value FROM counter WHERE key = ? AND (ends IS NULL OR ends > ?)"
    found = connection.execute(sql, (key, now)).fetchone()
    value: int = delta + (found[0] if found else 0)
    if not -INT64 <= value < INT64:
        raise DriverError(Code.INVALID, f"Counter {key!r} would leave the 64-bit range", cure="Use another counter.")
    connection.execute("INSERT OR REPLACE INTO counter VALUES (?, ?, ?)", (key, value, ends))
    return value


def storable(text: str) -> bool:
    """Whether it is valid Unicode; a lone surrogate is not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_storable(*texts: str) -> None:
    """Refuse names that cannot be stored.

    Raises:
        DriverError: INVALID.
    """
    for text in texts:
        if not storable(text):
            raise DriverError(Code.INVALID, f"The name {text!r} is not valid Unicode", cure="Use another name.")


def _select(size: int) -> str:
    marks = ", ".join("?" * size)
    return f"SELECT id, status, result, fields FROM result WHERE (ends IS NULL OR ends > ?) AND id IN ({marks})"  # noqa: S608 - only question marks


_SELECT = {size: _select(size) for size in _SIZES}
_SWEEP = (
    "DELETE FROM counter WHERE key IN (SELECT key FROM counter WHERE ends <= ? LIMIT ?)",
    """DELETE FROM fanin_member WHERE key IN (SELECT key FROM fanin WHERE ends <= ? LIMIT ?)""",
    "DELETE FROM fanin WHERE key IN (SELECT key FROM fanin WHERE ends <= ? LIMIT ?)",
)
