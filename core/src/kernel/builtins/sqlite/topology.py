"""Declaring and deleting queues in the file, and the view of them that this process keeps."""

import json
import sqlite3
from collections.abc import Iterable, Sequence

from kernel.builtins import declaration
from kernel.builtins.sqlite import layout
from kernel.builtins.sqlite.database import Database
from kernel.builtins.sqlite.view import NO_VIEW, Queue, View, load
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec


class Topology:
    """The queues of a database. Methods that take a connection run inside the caller's writing transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._generation = -1
        self._view = NO_VIEW
        self._touched: dict[str, float] = {}

    @property
    def view(self) -> View:
        """The last view; it may be outdated, and is of no version at first and after a reconnection."""
        if self._generation != self._database.generation:
            self._generation, self._view = self._database.generation, NO_VIEW
        return self._view

    def current(self, connection: sqlite3.Connection) -> View:
        """The view of this transaction."""
        view = self.view
        version = connection.execute("SELECT version FROM topology").fetchone()[0]
        if version != view.version:
            view = self._view = load(connection)
        return view

    def refresh(self, deadline: Deadline) -> View:
        """A view that is not older than this call."""
        with self._database.read(deadline) as connection:
            return self.current(connection)

    def declare(self, connection: sqlite3.Connection, spec: QueueSpec, owner: int | None, now: float) -> None:
        """Make one queue exist as ``spec`` says; ``owner`` is this connection's, for a temporary one.

        Raises:
            DriverError: CONFLICT; EXHAUSTED when the file has no room for another queue.
        """
        view = self.current(connection)
        known = view.queues.get(spec.name)
        for binding, _ in declaration.subscriptions(spec):
            kind = binding.exchange.type
            declaration.check_same_type(binding.exchange.name, view.exchanges.get(binding.exchange.name, kind), kind)
        if known is not None and not known.implied:
            declaration.check_same(known.spec, spec)
            _check_owner(known, owner)
        changed = [
            self._put_queue(connection, known, spec, owner, now),
            self._put_dead_letter(connection, view, spec, now),
            self._bind(connection, spec),
        ]
        if any(changed):
            self._changed(connection)

    def delete(self, connection: sqlite3.Connection, names: Iterable[str]) -> None:
        """Remove queues, what they hold and what leads to them; unknown names are ignored."""
        view = self.current(connection)
        gone = [view.queues[name] for name in names if name in view.queues]
        for queue in gone:
            low, high = queue.span
            connection.execute("DELETE FROM message WHERE id BETWEEN ? AND ?", (low, high))
            connection.execute(
                "DELETE FROM message WHERE id >= ? AND home BETWEEN ? AND ?", (layout.DELAYED, low, high)
            )
            connection.execute("DELETE FROM dedup WHERE queue = ?", (queue.id,))
            connection.execute("DELETE FROM binding WHERE queue = ?", (queue.id,))
            connection.execute("DELETE FROM queue WHERE id = ?", (queue.id,))
        if gone:
            self._changed(connection)

    def keep_used(self, names: Sequence[str], now: float, deadline: Deadline) -> None:
        """Mark queues with ``expires_s`` as used by a consumer, and remove those nobody uses any more."""
        lives = {q.name: q.spec.expires_s for q in self.view.queues.values() if q.spec.expires_s is not None}
        if not lives:
            return
        stale = [name for name in names if name in lives and self._touched.get(name, 0.0) + lives[name] / 4 <= now]
        rows = self._database.query(deadline, "SELECT name, used FROM queue")
        gone = [name for name, used in rows if name in lives and name not in names and used + lives[name] <= now]
        if not stale and not gone:
            return
        with self._database.write(deadline) as connection:
            connection.executemany("UPDATE queue SET used = ? WHERE name = ?", [(now, name) for name in stale])
            self.delete(connection, gone)
        self._touched.update(dict.fromkeys(stale, now))

    def _put_queue(
        self, connection: sqlite3.Connection, known: Queue | None, spec: QueueSpec, owner: int | None, now: float
    ) -> bool:
        """Write the queue's row; whether anything a view shows has changed."""
        if known is not None and not known.implied:
            if spec.expires_s is not None:
                connection.execute("UPDATE queue SET used = ? WHERE id = ?", (now, known.id))
            return False
        if known is not None:
            connection.execute(
                "UPDATE queue SET spec = ?, implied = 0, used = ? WHERE id = ?", (_properties(spec), now, known.id)
            )
            return True
        connection.execute(
            "INSERT INTO queue VALUES (?, ?, ?, ?, 0, ?)",
            (_free_id(connection), spec.name, _properties(spec), owner if spec.temporary else None, now),
        )
        return True

    def _put_dead_letter(self, connection: sqlite3.Connection, view: View, spec: QueueSpec, now: float) -> bool:
        if spec.dead_letter is None or spec.dead_letter in view.queues:
            return False
        connection.execute(
            "INSERT INTO queue VALUES (?, ?, ?, NULL, 1, ?)",
            (_free_id(connection), spec.dead_letter, _properties(QueueSpec(spec.dead_letter)), now),
        )
        return True

    def _bind(self, connection: sqlite3.Connection, spec: QueueSpec) -> bool:
        changed = 0
        for binding, key in declaration.subscriptions(spec):
            exchange = binding.exchange
            changed += connection.execute(
                "INSERT OR IGNORE INTO exchange VALUES (?, ?)", (exchange.name, exchange.type)
            ).rowcount
            changed += connection.execute(
                "INSERT OR IGNORE INTO binding SELECT ?, ?, id FROM queue WHERE name = ?",
                (exchange.name, key, spec.name),
            ).rowcount
        return changed > 0

    def _changed(self, connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE topology SET version = version + 1")


def _properties(spec: QueueSpec) -> str:
    return json.dumps({name: getattr(spec, name) for name in declaration.PROPERTIES})


def _check_owner(queue: Queue, owner: int | None) -> None:
    if queue.owner is not None and queue.owner != owner:
        raise DriverError(
            Code.CONFLICT,
            f"Queue {queue.name!r} is private to another connection",
            cure="Choose another name for this temporary queue.",
        )


def _free_id(connection: sqlite3.Connection) -> int:
    """The smallest queue number not in use."""
    sql = """SELECT min(id) FROM (SELECT 1 AS id UNION ALL SELECT id + 1 FROM queue)
             WHERE id NOT IN (SELECT id FROM queue)"""
    found: int = connection.execute(sql).fetchone()[0]
    if found > layout.TOP_QUEUE:
        raise DriverError(
            Code.EXHAUSTED, f"The file holds {layout.TOP_QUEUE} queues, as many as it can", cure="Delete unused queues."
        )
    return found
