"""SQLite's errors as ours: one line, what to do, and whether anything was written."""

import sqlite3

from kernel.errors import Applied, Code, DriverError

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FREE_SPACE = "Free space on that file system."
_MOVE_AWAY = "Restore the file from a copy, or move it away to start with an empty one."
_PERMIT = "Make the file and its directory writable for this user, or name another path."
_KNOWN = {
    sqlite3.SQLITE_BUSY: (Code.TIMEOUT, "is locked by another process", "Find out who holds it, or allow more time."),
    sqlite3.SQLITE_LOCKED: (Code.TIMEOUT, "is locked", "Find out who holds it, or allow more time."),
    sqlite3.SQLITE_FULL: (Code.EXHAUSTED, "cannot grow: the disk is full", _FREE_SPACE),
    sqlite3.SQLITE_NOMEM: (Code.EXHAUSTED, "cannot be read: memory is used up", "Free memory."),
    sqlite3.SQLITE_CANTOPEN: (Code.UNAVAILABLE, "cannot be opened", _PERMIT),
    sqlite3.SQLITE_READONLY: (Code.UNAVAILABLE, "cannot be written", _PERMIT),
    sqlite3.SQLITE_PERM: (Code.UNAVAILABLE, "cannot be opened", _PERMIT),
    sqlite3.SQLITE_IOERR: (Code.UNAVAILABLE, "cannot be read or written", "Check the disk."),
    sqlite3.SQLITE_CORRUPT: (Code.CORRUPT, "is damaged", _MOVE_AWAY),
    sqlite3.SQLITE_NOTADB: (Code.CORRUPT, "is not an SQLite database", _MOVE_AWAY),
    sqlite3.SQLITE_TOOBIG: (Code.TOO_LARGE, "cannot take a value of that size", "Send a reference to the data."),
}
"""Primary result code → our code, what is said of the file, and the cure."""
_LASTING = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
"""Codes that are UNAVAILABLE here and yet not worth a retry: somebody has to change permissions."""


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process holds a lock that will be let go."""
    return _primary(error) in _BUSY


def failure(error: sqlite3.Error, path: str) -> DriverError:
    """What to raise instead of SQLite's error."""
    primary = _primary(error)
    if primary not in _KNOWN:
        return DriverError(Code.INTERNAL, f"SQLite failed on {path}: {error}", cure="Report this as a defect.")
    code, what, cure = _KNOWN[primary]
    outcome = Applied.UNKNOWN if primary == sqlite3.SQLITE_IOERR else Applied.NOT_APPLIED
    retryable = False if primary in _LASTING else None
    return DriverError(code, f"{path} {what} ({error})", retryable=retryable, outcome=outcome, cure=cure)


def _primary(error: sqlite3.Error) -> int | None:
    """The low byte of the extended code; None for errors of the Python module itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
