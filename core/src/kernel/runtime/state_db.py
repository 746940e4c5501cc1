"""The file in which a worker keeps what was revoked, over a restart and a crash (setting ``worker_state_db``).

An SQLite file: every change is on the disk before the command is answered, and a process that dies in the middle of
one leaves the file as it was.
"""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

from kernel.errors import ImproperlyConfigured

logger = logging.getLogger("kernel.worker")

_APPLICATION_ID = 0x6B73_7462
"""Marks the file as ours."""
_BUSY_S = 5.0
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE IF NOT EXISTS revoked (id TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revoked_stamps (
    name TEXT NOT NULL, value TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (name, value)
) WITHOUT ROWID;
"""

Ids = dict[str, float]
Stamps = dict[str, dict[Hashable, float]]


class StateDb:
    """The file, opened by the first call. From any thread; for one worker at a time, and safe for several.

    Args:
        path: of the file; missing folders are an error.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def read(self) -> tuple[Ids, Stamps]:
        """What is in the file, oldest first.

        Raises:
            ImproperlyConfigured: the file is none of ours, or cannot be read or written.
        """
        with self._lock:
            try:
                connection = self._open()
                ids = dict(connection.execute("SELECT id, until FROM revoked ORDER BY until"))
                stamps: Stamps = {}
                for name, value, until in connection.execute("SELECT name, value, until FROM revoked_stamps"):
                    stamps.setdefault(name, {})[json.loads(value)] = until
            except (sqlite3.Error, ValueError) as error:
                raise ImproperlyConfigured(
                    f"The state file {str(self._path)!r} cannot be used: {error}.",
                    cure="Name a file of the kernel's own, or a new one, in worker_state_db (--statedb).",
                ) from error
        return ids, stamps

    def add(self, ids: Mapping[str, float]) -> None:
        """Keep these. A file that cannot be written is named in the log; the worker goes on with what it remembers."""
        self._write("INSERT OR REPLACE INTO revoked VALUES (?, ?)", [*ids.items()])

    def add_stamps(self, stamps: Mapping[str, Mapping[Hashable, float]]) -> None:
        """Likewise."""
        rows = [(name, json.dumps(value), until) for name, each in stamps.items() for value, until in each.items()]
        self._write("INSERT OR REPLACE INTO revoked_stamps VALUES (?, ?, ?)", rows)

    def purge(self) -> None:
        """Remove what is over."""
        for table in ("revoked", "revoked_stamps"):
            self._write(f"DELETE FROM {table} WHERE until <= ?", [(time.time(),)])  # noqa: S608 - names of ours

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock:
            try:
                connection = self._open()
                with connection:
                    connection.executemany(statement, rows)
            except (sqlite3.Error, ValueError) as error:  # the latter for a text that is none
                logger.error("Revoked tasks are not kept in %s: %s", self._path, error)  # noqa: TRY400 - one line says it

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
            try:
                _check(connection)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(_SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _check(connection: sqlite3.Connection) -> None:
    """Refuse somebody else's database.

    Raises:
        sqlite3.DatabaseError: it is no database, or not ours.
    """
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and owner != _APPLICATION_ID:
        raise sqlite3.DatabaseError("it is a database of something else")
