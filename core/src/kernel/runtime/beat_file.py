"""The file of beat: when each entry ran last, and nothing else (docs/adr, beat).

It is a SQLite database, so that a kill or a power cut in the middle of a write leaves the old content. Whoever has it
open holds it alone; the lock goes with the process.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from os import fspath
from pathlib import Path
from typing import NamedTuple

from kernel.errors import ImproperlyConfigured

logger = logging.getLogger("kernel.beat")

_MARK = 0x6B_62_65_61
"""Marks the file as one of beat's (SQLite's ``application_id``)."""
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (name TEXT PRIMARY KEY, last_run_at TEXT, total_run_count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT);
"""
_HELD = ("locked", "busy")


class Ran(NamedTuple):
    """What happened to an entry.

    Attributes:
        last_run_at: when it was sent last, or first seen; aware.
        total_run_count: how often it was sent.
    """

    last_run_at: datetime
    total_run_count: int


class BeatFile:
    """The open file.

    A file that cannot be read (damaged, or of another program, such as the shelve of another beat) is set aside with
    the time in its name, and a new one is begun: only times of last runs are lost by that.

    Args:
        path: where it is; made when it is missing.

    Raises:
        ImproperlyConfigured: when another beat has it open, it is of a later version, or it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            self._refuse(error)
            self._set_aside(error)
            self._db = self._open()

    def read(self) -> dict[str, Ran]:
        """What is known of every entry."""
        rows = self._db.execute("SELECT name, last_run_at, total_run_count FROM entry")
        return {name: Ran(datetime.fromisoformat(at), count) for name, at, count in rows}

    def write(self, changed: Mapping[str, Ran], removed: Iterable[str] = ()) -> None:
        """Keep these, all of them or, killed on the way, none.

        Raises:
            OSError: when the disk is full, or gone.
        """
        rows = [(name, _text(ran.last_run_at), ran.total_run_count) for name, ran in changed.items()]
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", rows)
                self._db.executemany("DELETE FROM entry WHERE name = ?", [(name,) for name in removed])
        except sqlite3.Error as error:
            raise OSError(f"{self.path} cannot be written: {error}") from error

    def facts(self) -> dict[str, str | None]:
        """What is known of the schedule as a whole, such as its time zone."""
        return dict(self._db.execute("SELECT name, value FROM fact"))

    def forget(self, facts: Mapping[str, str | None], *, entries: bool) -> None:
        """Keep these facts, and with ``entries`` forget all that ran."""
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", list(facts.items()))
            if entries:
                self._db.execute("DELETE FROM entry")

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._db.close()

    def _open(self) -> sqlite3.Connection:
        """The database, held alone; raises what SQLite raises."""
        try:
            db = sqlite3.connect(fspath(self.path), timeout=0, check_same_thread=False)
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN EXCLUSIVE")
            self._check_kind(db)
            db.execute(f"PRAGMA application_id = {_MARK}")
            db.execute(f"PRAGMA user_version = {_FORMAT}")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            db.execute("SELECT name, last_run_at, total_run_count FROM entry LIMIT 1")
            db.commit()
        except BaseException:
            db.close()
            raise
        return db

    def _check_kind(self, db: sqlite3.Connection) -> None:
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (mark,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if tables and mark != _MARK:
            raise ImproperlyConfigured(
                f"The file {self.path} is a database of another program.",
                cure="Name another with beat_schedule_filename or -s.",
            )
        if version > _FORMAT:
            raise ImproperlyConfigured(
                f"The file {self.path} was written by a later version of beat (format {version}).",
                cure="Use that version, or name another file with beat_schedule_filename or -s.",
            )
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    def _refuse(self, error: sqlite3.DatabaseError) -> None:
        """Raise for what is no damage."""
        text = str(error)
        if any(word in text for word in _HELD):
            raise ImproperlyConfigured(
                f"Another beat has the file {self.path} open: two would send everything twice.",
                cure="Stop that one, or give this one a schedule file of its own with beat_schedule_filename or -s.",
            ) from error
        if isinstance(error, sqlite3.OperationalError) and "malformed" not in text:
            raise self._unwritable(error) from error

    def _unwritable(self, error: sqlite3.Error) -> ImproperlyConfigured:
        return ImproperlyConfigured(
            f"The schedule file {self.path} cannot be used: {error}.",
            cure="Name one in a folder that can be written with beat_schedule_filename or -s.",
        )

    def _set_aside(self, error: Exception) -> None:
        aside = self.path.with_name(f"{self.path.name}.unreadable-{time.strftime('%Y%m%d-%H%M%S')}")
        self.path.rename(aside)
        for journal in ("-journal", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{journal}").rename(f"{aside}{journal}")
        logger.error(
            "The schedule file %s cannot be read (%s). It was set aside as %s, and a new one is begun: when entries ran"
            " last is not known, so each waits for its next time.",
            self.path,
            error,
            aside.name,
        )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
