"""The memcached result backend."""

import time
from collections.abc import Mapping, Sequence

from kernel.contracts.backend import JoinState, Record, ResultBackend, StoreMode, StoreResult
from kernel.contracts.capabilities import BackendCaps, Limits
from kernel.contracts.deadline import Deadline
from kernel.contracts.document import Documents
from kernel.contracts.driver import PluginContext
from kernel.contracts.simple import FORKS
from plugin_backend_memcached import address, counters
from plugin_backend_memcached.expiry import GRANULARITY_S, expiry
from plugin_backend_memcached.fleet import Fleet
from plugin_backend_memcached.graves import GRAVE, bury
from plugin_backend_memcached.joins import Joins
from plugin_backend_memcached.keys import Keys
from plugin_backend_memcached.shelf import Shelf
from plugin_backend_memcached.storing import Storing
from plugin_backend_memcached.tls import tls_of
from plugin_backend_memcached.values import Values


class MemcachedBackend(ResultBackend):
    """``memcached://host:port;host:port/``, or the same with Celery's scheme ``cache+memcached``.

    What is stored may be evicted at any time when the servers have too little memory, and is gone when one of them
    ends. A server that cannot be reached is UNAVAILABLE for every call that needs it: never a value that is not there.
    """

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        nodes = address.nodes(url)
        self._fleet = Fleet(nodes, tls_of(options))
        keys = Keys(ctx.namespace)
        self._shelf = Shelf(
            fleet=self._fleet,
            keys=keys,
            values=Values(self._fleet, keys, address.size(options, "item_size")),
            documents=Documents(ctx.formats),
            clock=ctx.clock or time.time,
            max_size=address.size(options, "max_size"),
            tombstone_s=address.tombstone_s(options),
        )
        self._joins = Joins(self._shelf)
        self._caps = BackendCaps(
            autoexpire=True,
            counter=True,
            join=True,
            tombstone=self._shelf.tombstone_s is not None,
            cluster=len(nodes) > 1,
            volatile=True,
            limits=Limits(max_body=self._shelf.max_size, granularity_s=GRANULARITY_S),
        )

    def capabilities(self) -> BackendCaps:
        """Everything but what needs a store that keeps: no persistence, and waiting is polling."""
        return self._caps

    def open(self, deadline: Deadline) -> None:
        """Connect to every server."""
        FORKS.watch(self)
        self._fleet.open(deadline)

    def close(self, deadline: Deadline) -> None:
        """Close every connection."""
        self._fleet.close()

    def ping(self, deadline: Deadline) -> None:
        """Ask every server for its version."""
        self._fleet.ping(deadline)

    def after_fork(self) -> None:
        """Let go of the parent's connections."""
        self._fleet.abandon()

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.backend.ResultBackend.store`."""
        self._fleet.check_open()
        return Storing(self._shelf, mode, deadline).run(records)

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """See :meth:`kernel.contracts.backend.ResultBackend.fetch`."""
        self._fleet.check_open()
        keys = {one: self._shelf.keys.task(one) for one in ids}
        found_items = self._fleet.values(keys.values(), "reading results", deadline)
        items = {key: item for key, item in found_items.items() if item != GRAVE}
        values = self._shelf.values.whole(items, deadline)
        found = {one: self._shelf.documents.read(one, values[key]) for one, key in keys.items() if key in values}
        return [found.get(one) for one in ids]

    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.forget`. Parts of large values end by themselves."""
        self._fleet.check_open()
        keys = [self._shelf.keys.task(one) for one in ids]
        if self._shelf.tombstone_s is None:
            return self._fleet.remove(keys, "forgetting results", deadline)
        return bury(self._shelf, keys, self._shelf.tombstone_s, deadline)

    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.add`."""
        return counters.add(self._shelf, key, delta, ttl_s, deadline)

    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        """See :meth:`kernel.contracts.backend.ResultBackend.join`."""
        return self._joins.report(key, member, payload, size, ttl_s, deadline)

    def joined(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.joined`."""
        self._joins.finish(key, ttl_s, deadline)

    def save_group(self, group_id: str, structure: bytes, ttl_s: float | None, deadline: Deadline) -> None:
        """Under Celery's key for groups (wire.md 11.1)."""
        key, expire = self._shelf.keys.group(group_id), expiry(ttl_s, self._shelf.clock())
        item = self._shelf.values.cut(self._shelf.documents.write_group(structure), "", expire, deadline)
        with self._fleet.at(self._fleet.home(key), "saving a group", deadline) as connection:
            connection.send([connection.write("set", key, item, expire)])

    def fetch_group(self, group_id: str, deadline: Deadline) -> bytes | None:
        """See :meth:`kernel.contracts.backend.ResultBackend.fetch_group`."""
        key = self._shelf.keys.group(group_id)
        items = self._fleet.values([key], "reading a group", deadline)
        found = self._shelf.values.whole(items, deadline).get(key)
        return None if found is None else self._shelf.documents.read_group(group_id, found)

    def forget_group(self, group_id: str, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.forget_group`."""
        self._fleet.remove([self._shelf.keys.group(group_id)], "forgetting a group", deadline)
