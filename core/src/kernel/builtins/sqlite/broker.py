"""The SQLite broker: durable queues in one file, for any number of processes of one machine.

Queues without ``max_priority`` honour priorities 0 to 255. A message without priority counts as 0. A message whose
delay has ended takes its place at the end of its queue; a released one keeps its old place.
"""

import contextlib
import sqlite3
import time
from collections.abc import Mapping, Sequence

from kernel.builtins import declaration
from kernel.builtins.sqlite import address, layout
from kernel.builtins.sqlite.consumer import SqliteConsumer, delivery
from kernel.builtins.sqlite.database import Database
from kernel.builtins.sqlite.desk import Desk
from kernel.builtins.sqlite.mailbox import Mailbox
from kernel.builtins.sqlite.owner import Ownership
from kernel.builtins.sqlite.publishing import Publishing
from kernel.builtins.sqlite.topology import Topology
from kernel.contracts.broker import Broker, Consumer, Delivery, Depth, Outgoing, PublishResult
from kernel.contracts.capabilities import BrokerCaps, Limits
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec

OPTIONS = {
    "synchronous": address.SYNCHRONOUS,
    "lease_s": Option((int, float), 30.0, "seconds a delivery stays hidden, for queues that do not say"),
    "dedup_window_s": Option((int, float), 300.0, "seconds a deduplication id is remembered"),
}
CAPS = BrokerCaps(
    confirm=True,
    persist=True,
    attempts=True,
    lease=True,
    nack_delay=True,
    dlq=True,
    order=True,
    priority=True,
    delay=True,
    ttl=True,
    dedup=True,
    fanout=True,
    exchanges=True,
    depth=True,
    purge=True,
    peek=True,
    prefetch=True,
    binary_headers=True,
    cross_settle=True,
    uncount=True,
    limits=Limits(
        max_body=64 * 1024 * 1024,
        max_delay_s=10 * 366 * 86_400.0,
        max_priority=layout.TOP_PRIORITY,
        granularity_s=0.05,
    ),
)
PURGE_CHUNK = 5_000


class SqliteBroker(Broker):
    """``sqlite:///relative.db`` or ``sqlite:////absolute.db``."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        self._database = Database(address.path(url), address.synchronous(options))
        self._clock = ctx.clock or time.time
        self._topology = Topology(self._database)
        self._ownership = Ownership(self._database, self._topology)
        self._publishing = Publishing(
            self._database, self._topology, CAPS, address.seconds(options, "dedup_window_s", OPTIONS), self._clock
        )
        lease_s = address.seconds(options, "lease_s", OPTIONS)
        self._desk = Desk(self._database, self._topology, self._ownership, self._clock, lease_s, self._wake)
        self._consumers: list[SqliteConsumer] = []

    def capabilities(self) -> BrokerCaps:
        """All but ordering groups, and what needs a server."""
        return CAPS

    def open(self, deadline: Deadline) -> None:
        """Connect; a missing file is made."""
        self._database.open(deadline)

    def close(self, deadline: Deadline) -> None:
        """Give back what consumers hold, remove this connection's temporary queues, and close the file."""
        consumers, self._consumers = self._consumers, []
        # What cannot be given back now, others take when they find this owner gone.
        with contextlib.suppress(DriverError):
            for consumer in consumers:
                consumer.close(release=True, deadline=deadline)
        with contextlib.suppress(DriverError):
            self._ownership.leave(deadline)
        self._database.close()

    def ping(self, deadline: Deadline) -> None:
        """Read from the file."""
        self._database.query(deadline, "SELECT version FROM topology")

    def after_fork(self) -> None:
        """Forget the parent's consumers; the connection was dropped at the fork itself."""
        self._consumers = []

    def declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.broker.Broker.declare`."""
        for spec in specs:
            declaration.check(spec, CAPS.limits)
        try:
            self._declare(specs, deadline)
        except DriverError as error:
            # The private queue of a process that was killed is nobody's, and nobody may have noticed yet.
            if error.code is not Code.CONFLICT or not self._ownership.reap(deadline):
                raise
            self._declare(specs, deadline)

    def _declare(self, specs: Sequence[QueueSpec], deadline: Deadline) -> None:
        with self._database.write(deadline) as connection:
            for spec in specs:
                owner = self._ownership.mine(connection) if spec.temporary else None
                self._topology.declare(connection, spec, owner, self._clock())

    def delete(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.broker.Broker.delete`."""
        with self._database.write(deadline) as connection:
            self._topology.delete(connection, queues)
        self._wake()

    def publish(self, items: Sequence[Outgoing], deadline: Deadline) -> list[PublishResult]:
        """See :meth:`kernel.contracts.broker.Broker.publish`."""
        results = self._publishing.publish(items, deadline)
        self._wake()
        return results

    def consumer(self, queues: Sequence[str], prefetch: int) -> Consumer:
        """See :meth:`kernel.contracts.broker.Broker.consumer`."""
        view = self._topology.refresh(Deadline.after(5.0))
        for name in queues:
            view.queue(name)
        consumer = SqliteConsumer(self._desk, queues, prefetch)
        self._consumers = [one for one in self._consumers if not one.closed]
        self._consumers.append(consumer)
        return consumer

    def depth(self, queues: Sequence[str], deadline: Deadline) -> dict[str, Depth]:
        """See :meth:`kernel.contracts.broker.Broker.depth`. Reads every message of the queues."""
        self._tidy(deadline)
        with self._database.read(deadline) as connection:
            mailbox = self._mailbox(connection)
            return {name: mailbox.depth(self._topology.view.queue(name)) for name in queues}

    def purge(self, queues: Sequence[str], deadline: Deadline) -> dict[str, int | None]:
        """See :meth:`kernel.contracts.broker.Broker.purge`. In steps, so that others can write in between."""
        self._tidy(deadline)
        return {name: self._purge(name, deadline) for name in queues}

    def peek(self, queue: str, max_n: int, deadline: Deadline) -> list[Delivery]:
        """The messages that would be received next, first ones first."""
        self._tidy(deadline)
        with self._database.read(deadline) as connection:
            mailbox = self._mailbox(connection)
            found = self._topology.view.queue(queue)
            return [delivery(one, found, 0, None) for one in mailbox.look(found, max_n)]

    def _tidy(self, deadline: Deadline) -> None:
        """Let happen what time does, in steps, so that counts and looks are exact."""
        done = False
        while not done:
            with self._database.write(deadline) as connection:
                done = self._mailbox(connection).keep_house()

    def _purge(self, name: str, deadline: Deadline) -> int:
        total, now = 0, self._clock()
        while True:
            with self._database.write(deadline) as connection:
                mailbox = self._mailbox(connection)
                removed = mailbox.purge(self._topology.view.queue(name), now, PURGE_CHUNK)
            total += removed
            if removed < PURGE_CHUNK:
                return total

    def _mailbox(self, connection: sqlite3.Connection) -> Mailbox:
        return Mailbox(connection, self._topology.current(connection), self._clock())

    def _wake(self) -> None:
        for consumer in self._consumers:
            consumer.nudge()
