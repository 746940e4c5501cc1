"""One connection to the file: opened lazily, used under a lock, within deadlines, never across a fork.

SQLite lets one connection write at a time, in all processes together. Waiting for that turn happens here, in small
random steps and without holding the lock of this process, because SQLite's own waiting grows to 100 ms per step and
starves whoever came late.
"""

import contextlib
import os
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kernel.builtins.sqlite import schema
from kernel.builtins.sqlite.failures import failure, is_busy
from kernel.builtins.sqlite.fork import GUARD
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError

Row = tuple[Any, ...]
SYNCHRONOUS = ("off", "normal", "full")
FIRST_PAUSE_S = 0.000_2
LONGEST_PAUSE_S = 0.002
MOVED_CHECK_S = 1.0
_PRAGMAS = (
    "PRAGMA wal_autocheckpoint = 4000",  # 16 MB: fewer checkpoints, each with two flushes to disk
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA secure_delete = 0",  # Debian turns it on: every removed message would be written once more
    "PRAGMA cache_size = -1000",  # KiB; more makes nothing faster here, and each process has two connections
    "PRAGMA temp_store = MEMORY",
)


class Database:
    """The file at ``path``, for one driver.

    Args:
        path: absolute path; created with mode 0600 when missing.
        synchronous: ``off``, ``normal`` or ``full``. All survive the death of any process; ``full`` also keeps every
            commit through a loss of power, ``normal`` at least the file's consistency.
    """

    def __init__(self, path: str, synchronous: str) -> None:
        self.path = path
        self.generation = 0
        self._synchronous = synchronous
        self._opened = False
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._check_at = 0.0

    def open(self, deadline: Deadline) -> None:
        """Connect and make sure the tables are there. Idempotent."""
        with self._lock:
            self._opened = True
            try:
                self._ready(deadline)
            except DriverError:
                self._opened = False
                raise

    def close(self) -> None:
        """Close the connection; whoever is using it right now is waited for."""
        with self._lock:
            self._opened = False
            self._disconnect()

    def query(self, deadline: Deadline, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows of one reading statement."""
        return self._alone(deadline, sql, parameters)[0]

    def change(self, deadline: Deadline, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one writing statement as a transaction of its own; how many rows it changed."""
        return self._alone(deadline, sql, parameters)[1]

    def version(self, deadline: Deadline) -> int:
        """A number that changes whenever another connection has written to the file."""
        found: int = self._alone(deadline, "PRAGMA data_version", ())[0][0][0]
        return found

    def write(self, deadline: Deadline) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A writing transaction: committed at the end of the block, rolled back by any exception."""
        return self._transaction(deadline, "BEGIN IMMEDIATE")

    def read(self, deadline: Deadline) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A reading transaction: everything in it sees one state of the file, and nobody is kept from writing."""
        return self._transaction(deadline, "BEGIN")

    @contextlib.contextmanager
    def _transaction(self, deadline: Deadline, begin: str) -> Iterator[sqlite3.Connection]:
        pause = FIRST_PAUSE_S
        while True:
            with self._lock:
                connection = self._ready(deadline)
                busy = _begin(connection, begin)
                if busy is None:
                    yield from self._committed(connection)
                    return
            pause = self._wait_for_turn(busy, pause, deadline)

    def before_fork(self) -> None:
        """Wait until no statement is running."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Close the inherited connection, so that SQLite knows of no locks; the next call opens a new one."""
        self._disconnect()
        self._lock = threading.Lock()

    def _committed(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        try:
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(connection)
            raise failure(error, self.path) from error
        except BaseException:
            _roll_back(connection)
            raise

    def _alone(self, deadline: Deadline, sql: str, parameters: Sequence[object]) -> tuple[list[Row], int]:
        pause = FIRST_PAUSE_S
        while True:
            try:
                with self._lock:
                    cursor = self._ready(deadline).execute(sql, parameters)
                    return cursor.fetchall(), cursor.rowcount
            except sqlite3.Error as error:
                pause = self._wait_for_turn(error, pause, deadline)

    def _wait_for_turn(self, error: sqlite3.Error, pause: float, deadline: Deadline) -> float:
        """Sleep after a busy error, unless the deadline has passed; how long to sleep next time."""
        left = deadline.left()
        if not is_busy(error) or left <= 0:
            raise failure(error, self.path) from error
        time.sleep(min(pause * (0.5 + random.random()), left))  # noqa: S311 - spreads waiters, guards nothing
        return min(pause * 1.5, LONGEST_PAUSE_S)

    def _ready(self, deadline: Deadline) -> sqlite3.Connection:
        """The connection, made if there is none; the caller has the lock."""
        connection = self._connection
        if connection is None or time.monotonic() >= self._check_at:
            connection = self._checked(deadline)
        if connection.in_transaction:
            # An exception thrown into this thread, as by a soft time limit, left a transaction behind.
            _roll_back(connection)
        return connection

    def _checked(self, deadline: Deadline) -> sqlite3.Connection:
        """The connection, known to be to the file that is at the path now."""
        if not self._opened:
            raise DriverError(Code.CLOSED, f"The driver of {self.path} is not open", cure="Call open() first.")
        if self._connection is not None and _inode(self.path) != self._inode:
            self._disconnect()
            raise DriverError(
                Code.UNAVAILABLE,
                f"{self.path} was removed or replaced while in use",
                cure="Nothing has to be done: the next call opens the file that is there, or makes a new one.",
            )
        if self._connection is None:
            GUARD.watch(self)  # before anything of SQLite is used, also its memory allocator
            self._connection = self._connect(deadline)
            self._inode = _inode(self.path)
            self.generation += 1
        self._check_at = time.monotonic() + MOVED_CHECK_S
        return self._connection

    def _connect(self, deadline: Deadline) -> sqlite3.Connection:
        pause = FIRST_PAUSE_S
        while True:
            try:
                return self._try_connect()
            except sqlite3.Error as error:
                pause = self._wait_for_turn(error, pause, deadline)
            except OSError as error:
                raise DriverError(
                    Code.UNAVAILABLE,
                    f"{self.path} cannot be created: {error.strerror}",
                    retryable=False,
                    cure="Make the directory, and make it writable for this user, or name another path.",
                ) from error

    def _try_connect(self) -> sqlite3.Connection:
        _create_private(Path(self.path))
        connection = sqlite3.connect(
            f"file:{quote(self.path)}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in (f"PRAGMA synchronous = {self._synchronous}", *_PRAGMAS):
                connection.execute(pragma)
            schema.ensure(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # a last checkpoint that fails is done by whoever opens next
                connection.close()


def _begin(connection: sqlite3.Connection, begin: str) -> sqlite3.Error | None:
    """Start a transaction; the error, if it is not this connection's turn."""
    try:
        connection.execute(begin)
    except sqlite3.Error as error:
        return error
    return None


def _roll_back(connection: sqlite3.Connection) -> None:
    # SQLite rolls back by itself after some errors; then there is nothing to do.
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _inode(path: str) -> tuple[int, int]:
    """Which file is at the path; zeros for none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - once a second on the hot path
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _create_private(path: Path) -> None:
    """Make an empty file with mode 0600, unless there is one.

    It is made beside and linked into place, because closing a descriptor of a database file drops the locks that
    other connections of this process have on it.

    Raises:
        OSError: when the directory is missing or may not be written.
    """
    if path.exists():
        return
    handle, draft = tempfile.mkstemp(prefix=f"{path.name}-new-", dir=path.parent)
    os.close(handle)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
