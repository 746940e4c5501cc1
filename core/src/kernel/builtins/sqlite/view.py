"""Queues, exchanges and bindings as they were at one version of the file, kept in memory.

Every write checks the version inside its transaction, so a stale view can never send a message to a wrong place.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from kernel.builtins import envelope
from kernel.builtins.sqlite import layout
from kernel.contracts.broker import Outgoing
from kernel.model.topology import QueueSpec, binding_matches


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as stored. ``spec`` holds the properties declarations must agree on; ``owner`` is set when temporary."""

    id: int
    name: str
    spec: QueueSpec
    owner: int | None
    implied: bool

    @property
    def span(self) -> tuple[int, int]:
        """First and last id of its ready and claimed messages."""
        return layout.span(self.id)


@dataclass(frozen=True, slots=True)
class View:
    """What version ``version`` of the topology says."""

    version: int
    queues: Mapping[str, Queue]
    by_id: Mapping[int, Queue]
    exchanges: Mapping[str, str]
    bindings: Mapping[str, tuple[tuple[str, Queue], ...]]
    _routes: dict[tuple[str, str], tuple[Queue, ...]] = field(default_factory=dict)

    def queue(self, name: str) -> Queue:
        """The queue of that name.

        Raises:
            DriverError: NOT_FOUND.
        """
        found = self.queues.get(name)
        if found is None:
            raise envelope.unknown_queue(name)
        return found

    def targets(self, item: Outgoing) -> tuple[Queue, ...]:
        """The queues a message goes to.

        Raises:
            DriverError: NOT_FOUND for a queue that is named and does not exist.
        """
        if item.queue or not item.exchange:
            return (self.queue(item.queue or item.routing_key),)
        key = (item.exchange, item.routing_key)
        found = self._routes.get(key)
        if found is None:
            if len(self._routes) >= ROUTES_KEPT:
                self._routes.clear()
            found = self._routes[key] = self._route(*key)
        return found

    def _route(self, exchange: str, routing_key: str) -> tuple[Queue, ...]:
        kind = self.exchanges.get(exchange, "direct")
        bound = self.bindings.get(exchange, ())
        return tuple({queue.id: queue for key, queue in bound if binding_matches(kind, key, routing_key)}.values())


ROUTES_KEPT = 10_000
NO_VIEW = View(-1, {}, {}, {}, {})


def load(connection: sqlite3.Connection) -> View:
    """Read the topology; call it inside a transaction."""
    execute = connection.execute
    version = execute("SELECT version FROM topology").fetchone()[0]
    rows = execute("SELECT id, name, spec, owner, implied FROM queue").fetchall()
    by_id = {
        row[0]: Queue(row[0], row[1], QueueSpec(row[1], **json.loads(row[2])), row[3], bool(row[4])) for row in rows
    }
    bindings: dict[str, list[tuple[str, Queue]]] = {}
    for exchange, routing_key, queue in execute("SELECT exchange, routing_key, queue FROM binding").fetchall():
        bindings.setdefault(exchange, []).append((routing_key, by_id[queue]))
    return View(
        version,
        {queue.name: queue for queue in by_id.values()},
        by_id,
        dict(execute("SELECT name, type FROM exchange").fetchall()),
        {exchange: tuple(bound) for exchange, bound in bindings.items()},
    )
