"""The result backend in memory: the reference model of its contract."""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernel.builtins.memory.broker import store_name
from kernel.contracts.backend import CLAIM_S, JoinState, Record, ResultBackend, StoreMode, StoreResult
from kernel.contracts.capabilities import BackendCaps, Limits
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError
from kernel.model.states import READY_STATES, SUCCESS

FOREVER = float("inf")
OPTIONS: dict[str, Option] = {}
CAPS = BackendCaps(
    autoexpire=True,
    notify=True,
    counter=True,
    join=True,
    limits=Limits(max_body=64 * 1024 * 1024, in_process=True, granularity_s=0.02),
)
DONE_KEPT_S = 86_400.0
"""How long a join that is done is remembered without a time to live, so that a late report cannot begin it anew."""
COUNTER_MAX = 2**63 - 1
"""Counters are signed 64-bit numbers, as in the stores this one stands for."""


@dataclass(slots=True)
class Join:
    """Members that reported, by name; when the winner's claim ends, Unix time; whether it said ``joined``."""

    ends: float
    size: int
    payloads: dict[str, bytes] = field(default_factory=dict)
    claimed: float = 0.0
    done: bool = False

    def report(self, member: str, payload: bytes, now: float) -> JoinState:
        """Count a member, once; the report that finds the join complete and unclaimed takes the claim."""
        if len(self.payloads) < self.size or not self.size:
            self.payloads.setdefault(member, payload)
        if len(self.payloads) < self.size or not self.size or self.claimed > now:
            return JoinState(len(self.payloads), self.size, won=False)
        self.claimed = now + CLAIM_S
        return JoinState(
            self.size, self.size, won=True, payloads=tuple(self.payloads[m] for m in sorted(self.payloads))
        )


class ResultStore:
    """The state behind ``memory://<name>``, and the condition that says when it changed."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.records: dict[str, tuple[Record, float]] = {}
        self.counters: dict[str, tuple[int, float]] = {}
        self.joins: dict[str, Join] = {}

    def record(self, record_id: str, now: float) -> Record | None:
        """The live record of that id."""
        found = self.records.get(record_id)
        if found is None or found[1] <= now:
            return None
        return found[0]


_STORES: dict[tuple[int, str, str], ResultStore] = {}
"""By process, namespace and name."""


class MemoryBackend(ResultBackend):
    """``memory://<name>``; all backends of one name and namespace share their records within a process."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        self._name = store_name(url)
        self._namespace = ctx.namespace
        self._clock = ctx.clock or time.time
        self._opened: ResultStore | None = None

    def capabilities(self) -> BackendCaps:
        """Expiry, notification, counters and joins; nothing survives the process."""
        return CAPS

    def open(self, deadline: Deadline) -> None:
        """Join the store of this name."""
        self._opened = self._shared()

    def close(self, deadline: Deadline) -> None:
        """Leave it; the records stay for other backends of the name. A blocked ``wait`` ends."""
        store, self._opened = self._opened, None
        if store is not None:
            with store.changed:
                store.changed.notify_all()

    def ping(self, deadline: Deadline) -> None:
        """Only a closed backend fails."""
        self._store()

    def after_fork(self) -> None:
        """Start over with an empty store."""
        if self._opened is not None:
            self._opened = self._shared()

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.backend.ResultBackend.store`."""
        store = self._store()
        with store.changed:
            results = [self._put(store, record, mode) for record in records]
            store.changed.notify_all()
        return results

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """See :meth:`kernel.contracts.backend.ResultBackend.fetch`."""
        store = self._store()
        with store.changed:
            now = self._clock()
            return [store.record(one, now) for one in ids]

    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.forget`."""
        store = self._store()
        with store.changed:
            now = self._clock()
            there = {one for one in ids if store.record(one, now) is not None}
            for one in ids:
                store.records.pop(one, None)
            return len(there)

    def expire(self, now: float, limit: int, deadline: Deadline) -> int:
        """Remove records, counters and joins whose time is over; only records count towards ``limit``."""
        store = self._store()
        with store.changed:
            old = [one for one, (_, ends) in store.records.items() if ends <= now][:limit]
            for one in old:
                del store.records[one]
            store.counters = {key: held for key, held in store.counters.items() if held[1] > now}
            store.joins = {key: held for key, held in store.joins.items() if held.ends > now}
            return len(old)

    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        """See :meth:`kernel.contracts.backend.ResultBackend.wait`."""
        store = self._store()
        with store.changed:
            while True:
                now = self._clock()
                ready = [r for r in (store.record(one, now) for one in ids) if r is not None and r.ready]
                if len(ready) >= need or deadline.passed:
                    return ready
                store.changed.wait(min(deadline.left(), threading.TIMEOUT_MAX))
                self._store()

    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        """See :meth:`kernel.contracts.backend.ResultBackend.add`."""
        store = self._store()
        with store.changed:
            now = self._clock()
            value, ends = store.counters.get(key, (0, FOREVER))
            value = delta + (value if ends > now else 0)
            if not -COUNTER_MAX - 1 <= value <= COUNTER_MAX:
                raise DriverError(Code.INVALID, f"Counter {key!r} would leave the 64-bit range", cure="Reset it.")
            store.counters[key] = (value, _end(now, ttl_s))
            return value

    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        """See :meth:`kernel.contracts.backend.ResultBackend.join`."""
        store = self._store()
        with store.changed:
            now = self._clock()
            state = store.joins.get(key)
            if state is None or state.ends <= now:
                state = store.joins[key] = Join(FOREVER, size)
            if state.done:
                return JoinState(size, size, won=False, done=True)
            state.ends = _end(now, ttl_s)
            return state.report(member, payload, now)

    def joined(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.backend.ResultBackend.joined`."""
        store = self._store()
        with store.changed:
            now = self._clock()
            store.joins[key] = Join(now + (DONE_KEPT_S if ttl_s is None else ttl_s), 0, done=True)

    def _shared(self) -> ResultStore:
        return _STORES.setdefault((os.getpid(), self._namespace, self._name), ResultStore())

    def _put(self, store: ResultStore, record: Record, mode: StoreMode) -> StoreResult:
        limit = CAPS.limits.max_body
        if record.result is not None and limit is not None and len(record.result) > limit:
            return StoreResult(stored=False, error=too_large(record, limit))
        now = self._clock()
        old = store.record(record.id, now)
        if old is not None and keeps(mode, old.status):
            return StoreResult(stored=False)
        store.records[record.id] = (record, _end(now, record.ttl_s))
        return StoreResult()

    def _store(self) -> ResultStore:
        if self._opened is None:
            raise DriverError(Code.CLOSED, f"The backend memory://{self._name} is not open", cure="Call open() first.")
        return self._opened


def keeps(mode: StoreMode, status: str) -> bool:
    """Whether that mode leaves a record of that state untouched."""
    match mode:
        case StoreMode.UPSERT:
            return False
        case StoreMode.IF_ABSENT:
            return True
        case StoreMode.IF_NOT_FINAL:
            return status in READY_STATES
        case StoreMode.IF_NOT_SUCCESS:
            return status == SUCCESS


def too_large(record: Record, limit: int) -> DriverError:
    """The error for a result above the declared limit."""
    size = len(record.result or b"")
    return DriverError(
        Code.TOO_LARGE,
        f"The result of {record.id!r} has {size} bytes; the limit is max_body={limit}",
        cure="Return a reference to the data instead.",
    )


def _end(now: float, ttl_s: float | None) -> float:
    return FOREVER if ttl_s is None else now + ttl_s
