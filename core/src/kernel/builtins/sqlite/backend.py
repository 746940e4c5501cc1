"""The SQLite result backend: records, counters and joins in one file, for any number of processes."""

import time
from collections.abc import Mapping, Sequence

from kernel.builtins.sqlite import address, results
from kernel.builtins.sqlite.database import Database
from kernel.builtins.sqlite.fanin import FanIn
from kernel.builtins.sqlite.names import Names
from kernel.builtins.sqlite.pulse import Pulse
from kernel.contracts.backend import JoinState, Record, ResultBackend, StoreMode, StoreResult
from kernel.contracts.capabilities import BackendCaps, Limits
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.waker import Waker
from kernel.errors import DriverError

OPTIONS = {"synchronous": address.SYNCHRONOUS}
CAPS = BackendCaps(
    persist=True,
    autoexpire=True,
    notify=True,
    counter=True,
    join=True,
    limits=Limits(max_body=64 * 1024 * 1024, granularity_s=0.05),
)
SWEEP_EVERY_S = 1.0
SWEEP = 500
"""Old records one sweep removes; storing does one now and then, so that the file does not grow."""
REST = 5.0
"""Rest between two looks of a waiting thread, in units of the time a look takes."""


class SqliteBackend(ResultBackend):
    """``sqlite:///relative.db`` or ``sqlite:////absolute.db``; it may be the broker's file."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        self._database = Database(address.path(url), address.synchronous(options))
        self._clock = ctx.clock or time.time
        self._key = Names(ctx.namespace).key
        self._waiting: set[Waker] = set()
        self._sweep_at = 0.0

    def capabilities(self) -> BackendCaps:
        """All but what needs a server."""
        return CAPS

    def open(self, deadline: Deadline) -> None:
        """Connect; a missing file is made."""
        self._database.open(deadline)

    def close(self, deadline: Deadline) -> None:
        """Close the file; a blocked ``wait`` ends."""
        self._database.close()
        self._wake()

    def ping(self, deadline: Deadline) -> None:
        """Read from the file."""
        self._database.query(deadline, "SELECT version FROM topology")

    def after_fork(self) -> None:
        """Forget the parent's waiting threads; the connection was dropped at the fork itself."""
        self._waiting = set()

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.backend.ResultBackend.store`."""
        stored: list[StoreResult] = []
        for start in range(0, len(records), results.CHUNK):
            chunk = records[start : start + results.CHUNK]
            try:
                stored += self._store(chunk, mode, deadline)
            except DriverError as error:
                if not start:
                    raise
                stored += [StoreResult(stored=False, error=error)] * len(chunk)
        self._wake()
        return stored

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """See :meth:`kernel.contracts.backend.ResultBackend.fetch`."""
        wanted = {self._key(one): one for one in ids if results.storable(one)}
        keys = list(wanted)
        found: dict[str, Record] = {}
        for start in range(0, len(keys), results.CHUNK):
            sql, parameters = results.select(keys[start : start + results.CHUNK], self._clock())
            for row in self._database.query(deadline, sql, parameters):
                one = wanted[row[0]]
                found[one] = results.read(one, row)
        return [found.get(one) for one in ids]

    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.forget`."""
        with self._database.write(deadline) as connection:
            return results.forget(connection, map(self._key, filter(results.storable, ids)), self._clock())

    def expire(self, now: float, limit: int, deadline: Deadline) -> int:
        """Remove records whose time is over, at most ``limit``; counters and joins go with them."""
        with self._database.write(deadline) as connection:
            return results.sweep(connection, now, limit)

    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        """See :meth:`kernel.contracts.backend.ResultBackend.wait`."""
        waker = Waker()
        self._waiting.add(waker)
        try:
            return self._wait(ids, need, deadline, Pulse(self._database, waker))
        finally:
            self._waiting.discard(waker)

    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.add`."""
        now = self._clock()
        results.check_storable(key)
        with self._database.write(deadline) as connection:
            return results.add(connection, self._key(key), delta, None if ttl_s is None else now + ttl_s, now)

    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        """See :meth:`kernel.contracts.backend.ResultBackend.join`."""
        now = self._clock()
        results.check_storable(key, member)
        with self._database.write(deadline) as connection:
            return FanIn(connection, self._key(key), now).report(member, payload, size, ttl_s)

    def joined(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.joined`."""
        now = self._clock()
        results.check_storable(key)
        with self._database.write(deadline) as connection:
            FanIn(connection, self._key(key), now).finish(ttl_s)

    def _store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        now = self._clock()
        refusals = [results.refusal(record, CAPS.limits.max_body) for record in records]
        sweep = time.monotonic() >= self._sweep_at
        if len(records) == 1 and not sweep and refusals[0] is None:
            stored = self._database.change(
                deadline, results.STORE[mode], results.row(records[0], self._key(records[0].id), now)
            )
            return [results.STORED if stored else results.KEPT]
        with self._database.write(deadline) as connection:
            if sweep:
                results.sweep(connection, now, SWEEP)
                self._sweep_at = time.monotonic() + SWEEP_EVERY_S
            return [
                StoreResult(stored=False, error=refused)
                if refused
                else results.store(connection, record, self._key(record.id), mode, now)
                for record, refused in zip(records, refusals, strict=True)
            ]

    def _wait(self, ids: Sequence[str], need: int, deadline: Deadline, pulse: Pulse) -> list[Record]:
        missing = dict.fromkeys(ids)
        ready: dict[str, Record] = {}
        reading: int | None = None
        while True:
            began = time.monotonic()
            for found in self.fetch(list(missing), deadline):
                if found is not None and found.ready:
                    ready[found.id] = found
                    del missing[found.id]
            known = [ready[one] for one in ids if one in ready]
            if len(known) >= need or deadline.passed:
                return known
            if reading is None:  # then look once more: something may have been written in between
                reading = pulse.reading()
                continue
            # Looking for many ids takes a while; on a file others write to, that must not fill a CPU.
            reading = pulse.wait(reading, deadline.left(), REST * (time.monotonic() - began))

    def _wake(self) -> None:
        for waker in tuple(self._waiting):
            waker.wake()
