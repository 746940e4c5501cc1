"""Who holds what: a lock that the operating system drops when its process dies, however it dies.

Each connection that consumes or has temporary queues is an *owner*: a row, and a locked file beside the database
that the row's nonce names. Whoever finds that file unlocked or gone knows for certain that the owner is dead: no
process id is compared, so neither reuse of ids nor containers can deceive it. It then gives the owner's deliveries
back, removes its temporary queues, its row and its file.
"""

import contextlib
import fcntl
import os
import secrets
import sqlite3
from pathlib import Path

from kernel.builtins.sqlite import layout
from kernel.builtins.sqlite.database import Database
from kernel.builtins.sqlite.fork import GUARD
from kernel.builtins.sqlite.topology import Topology
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError


class LockFile:
    """A file that is locked while this object has it open."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        GUARD.watch(self)

    @classmethod
    def take(cls, path: Path, *, create: bool) -> "LockFile | None":
        """Lock the file; None when a living process has it.

        Raises:
            FileNotFoundError: when it is missing and not to be created.
            OSError: when the directory may not be written.
        """
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def let_go(self, *, remove: bool) -> None:
        """Unlock, and remove the file if told. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(descriptor)

    def before_fork(self) -> None:
        """Nothing to wait for."""

    def after_fork_in_parent(self) -> None:
        """Nothing was changed."""

    def after_fork_in_child(self) -> None:
        """Close the copy: it would keep the parent's lock alive after the parent's death."""
        self.let_go(remove=False)


class Ownership:
    """The ownership of one connection, and the watch over the others'. ``id`` is 0 before it is registered."""

    def __init__(self, database: Database, topology: Topology) -> None:
        self._database = database
        self._topology = topology
        self.id = 0
        self._lock: LockFile | None = None
        GUARD.watch(self)

    def mine(self, connection: sqlite3.Connection) -> int:
        """The number of this owner, registered in this transaction if it is not yet.

        Raises:
            DriverError: UNAVAILABLE when the lock file cannot be made.
        """
        if not self._registered(connection):
            self._register(connection)
        return self.id

    def leave(self, deadline: Deadline) -> None:
        """End this ownership: temporary queues go. Deliveries that were not released wait for their lease."""
        number, lock = self.id, self._lock
        self.id, self._lock = 0, None
        if lock is None:
            return
        try:
            with self._database.write(deadline) as connection:
                self._remove(connection, number)
        finally:
            lock.let_go(remove=True)

    def reap(self, deadline: Deadline) -> int:
        """Bury the dead: what they held is deliverable again; how many owners were dead."""
        rows = self._database.query(deadline, "SELECT id, nonce FROM owner")
        return sum(self._reap(number, nonce, deadline) for number, nonce in rows if number != self.id)

    def before_fork(self) -> None:
        """Nothing to wait for."""

    def after_fork_in_parent(self) -> None:
        """Nothing was changed."""

    def after_fork_in_child(self) -> None:
        """The owner is the parent."""
        self.id, self._lock = 0, None

    def _reap(self, number: int, nonce: str, deadline: Deadline) -> bool:
        try:
            lock = LockFile.take(self._path(nonce), create=False)
        except FileNotFoundError:
            lock = None
        else:
            if lock is None:
                return False
        try:
            first, last = layout.claims_of(number)
            held = self._database.query(deadline, "SELECT id FROM message WHERE claim BETWEEN ? AND ?", (first, last))
            with self._database.write(deadline) as connection:
                sql = "SELECT 1 FROM owner WHERE id = ? AND nonce = ?"
                if connection.execute(sql, (number, nonce)).fetchone() is None:
                    return False  # somebody else was faster
                connection.executemany(
                    "UPDATE message SET visible = 0, claim = 70368744177664 WHERE id = ? AND claim BETWEEN ? AND ?",
                    [(message, first, last) for (message,) in held],
                )
                self._remove(connection, number)
                return True
        finally:
            if lock is not None:
                lock.let_go(remove=True)

    def _remove(self, connection: sqlite3.Connection, number: int) -> None:
        view = self._topology.current(connection)
        self._topology.delete(connection, [queue.name for queue in view.queues.values() if queue.owner == number])
        connection.execute("DELETE FROM owner WHERE id = ?", (number,))

    def _registered(self, connection: sqlite3.Connection) -> bool:
        """Whether the row is still there: not if the file was replaced, or a stopped process was taken for dead."""
        return connection.execute("SELECT 1 FROM owner WHERE id = ?", (self.id,)).fetchone() is not None

    def _register(self, connection: sqlite3.Connection) -> None:
        sql = """SELECT min(id) FROM (SELECT 1 AS id UNION ALL SELECT id + 1 FROM owner)
                 WHERE id NOT IN (SELECT id FROM owner)"""
        number = connection.execute(sql).fetchone()[0]
        if number > layout.TOP_QUEUE:
            raise DriverError(Code.EXHAUSTED, "The file has too many connections", cure="Close some workers.")
        nonce = secrets.token_hex(8)
        try:
            self._clean(connection)
            lock = LockFile.take(self._path(nonce), create=True)
        except OSError as error:
            raise DriverError(
                Code.UNAVAILABLE,
                f"No lock file can be made beside {self._database.path}: {error.strerror}",
                retryable=False,
                cure="Make the directory writable for this user.",
            ) from error
        assert lock is not None, "nobody else knows the nonce"
        connection.execute("INSERT INTO owner VALUES (?, ?)", (number, nonce))
        if self._lock is not None:
            self._lock.let_go(remove=True)
        self.id, self._lock = number, lock

    def _clean(self, connection: sqlite3.Connection) -> None:
        """Remove lock files no row names: left by a process that died while registering or leaving."""
        known = {nonce for (nonce,) in connection.execute("SELECT nonce FROM owner").fetchall()}
        here = self._path("")
        for path in here.parent.glob(f"{here.name.replace('[', '[[]')}*"):
            if path.name.removeprefix(here.name) not in known:
                with contextlib.suppress(FileNotFoundError):
                    stray = LockFile.take(path, create=False)
                    if stray is not None:
                        stray.let_go(remove=True)

    def _path(self, nonce: str) -> Path:
        return Path(f"{self._database.path}-owner-{nonce}")
