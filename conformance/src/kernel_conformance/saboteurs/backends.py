"""Result backends that are wrong on purpose. Each is the memory backend with one thing spoilt."""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kernel.contracts import (
    BackendCaps,
    Deadline,
    JoinState,
    PluginContext,
    Record,
    ResultBackend,
    StoreMode,
    StoreResult,
)
from kernel_conformance.harness import BackendHarness
from kernel_conformance.installed import load_installed
from kernel_conformance.saboteurs.saboteur import Saboteur

_MONTH_S = 30 * 86_400.0


class Spoilt(ResultBackend):
    """Passes everything on to the memory backend."""

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        self.inner: ResultBackend = load_installed("backend.memory").factory("memory")(url, options, ctx)
        self.ctx = ctx

    def capabilities(self) -> BackendCaps:
        return self.inner.capabilities()

    def open(self, deadline: Deadline) -> None:
        self.inner.open(deadline)

    def close(self, deadline: Deadline) -> None:
        self.inner.close(deadline)

    def ping(self, deadline: Deadline) -> None:
        self.inner.ping(deadline)

    def after_fork(self) -> None:
        self.inner.after_fork()

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        return self.inner.store(records, mode, deadline)

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        return self.inner.fetch(ids, deadline)

    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        return self.inner.forget(ids, deadline)

    def expire(self, now: float, limit: int, deadline: Deadline) -> int:
        return self.inner.expire(now, limit, deadline)

    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        return self.inner.wait(ids, need, deadline)

    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        return self.inner.add(key, delta, ttl_s, deadline)

    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        return self.inner.join(key, member, payload, size, ttl_s, deadline)

    def joined(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        self.inner.joined(key, ttl_s, deadline)


class LastWriteWins(Spoilt):
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        kept = StoreMode.IF_ABSENT if mode is StoreMode.IF_ABSENT else StoreMode.UPSERT
        return self.inner.store(records, kept, deadline)


class CheckThenWrite(Spoilt):
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        if mode is not StoreMode.IF_ABSENT:
            return self.inner.store(records, mode, deadline)
        there = self.inner.fetch([record.id for record in records], deadline)
        time.sleep(0.002)
        for record, old in zip(records, there, strict=True):
            if old is None:
                self.inner.store([record], StoreMode.UPSERT, deadline)
        return [StoreResult(stored=old is None) for old in there]


class LooseCounter(Spoilt):
    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        value = self.inner.add(key, 0, ttl_s, deadline) + delta
        time.sleep(0.001)
        return self.inner.add(key, value - self.inner.add(key, 0, ttl_s, deadline), ttl_s, deadline)


class WinsTwice(Spoilt):
    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        state = self.inner.join(key, member, payload, size, ttl_s, deadline)
        return replace(state, won=state.count >= state.size)


class CountsReports(Spoilt):
    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        return self.inner.join(key, f"{member}-{uuid.uuid4().hex}", payload, size, ttl_s, deadline)


class ClaimsForEver(Spoilt):
    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        state = self.inner.join(key, member, payload, size, ttl_s, deadline)
        if not state.won:
            return state
        first = self.inner.add(f"won-{key}", 1, ttl_s, deadline) == 1
        return state if first else replace(state, won=False, payloads=())


class TakesPayloadsWithIt(Spoilt):
    def join(
        self, key: str, member: str, payload: bytes, size: int, ttl_s: float | None, deadline: Deadline
    ) -> JoinState:
        state = self.inner.join(key, member, payload, size, ttl_s, deadline)
        if state.won and self.inner.add(f"taken-{key}", 1, ttl_s, deadline) > 1:
            return replace(state, payloads=())
        return state


class NeverDone(Spoilt):
    def joined(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        pass


class ExpectedAsMember(Spoilt):
    def expect(self, key: str, size: int, ttl_s: float | None, deadline: Deadline) -> None:
        self.inner.join(key, "", b"", size, ttl_s, deadline)


class GroupsAmongTasks(Spoilt):
    def save_group(self, group_id: str, structure: bytes, ttl_s: float | None, deadline: Deadline) -> None:
        self.inner.store([Record(group_id, "SUCCESS", structure, ttl_s=ttl_s)], StoreMode.UPSERT, deadline)

    def fetch_group(self, group_id: str, deadline: Deadline) -> bytes | None:
        (found,) = self.inner.fetch([group_id], deadline)
        return None if found is None else found.result


class TtlAsEpoch(Spoilt):
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        return self.inner.store([self._spoil(record) for record in records], mode, deadline)

    def _spoil(self, record: Record) -> Record:
        if record.ttl_s is None or record.ttl_s <= _MONTH_S:
            return record
        return replace(record, ttl_s=record.ttl_s - (self.ctx.clock or time.time)())


class MakesUpPending(Spoilt):
    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        found = self.inner.fetch(ids, deadline)
        return [record or Record(one, "PENDING") for one, record in zip(ids, found, strict=True)]


class OwnOrder(Spoilt):
    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        return self.inner.fetch(sorted(ids), deadline)


class ForgetsFields(Spoilt):
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        return self.inner.store([replace(one, worker=None, stamps=None) for one in records], mode, deadline)


class MergesFields(Spoilt):
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        olds = self.inner.fetch([record.id for record in records], deadline)
        merged = [
            replace(new, traceback=new.traceback or old.traceback, group_id=new.group_id or old.group_id)
            if old
            else new
            for new, old in zip(records, olds, strict=True)
        ]
        return self.inner.store(merged, mode, deadline)


class CutsIds(Spoilt):
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        return self.inner.store([replace(one, id=one.id[:250]) for one in records], mode, deadline)

    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        return self.inner.fetch([one[:250] for one in ids], deadline)


class DropsLast(Spoilt):
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        kept = records[:-1] if len(records) > 100 else records
        return [*self.inner.store(kept, mode, deadline), *[StoreResult()] * (len(records) - len(kept))]


class PollsEverySecond(Spoilt):
    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        while True:
            ready = [one for one in self.inner.fetch(ids, deadline) if one is not None and one.ready]
            if len(ready) >= need or deadline.passed:
                return ready
            time.sleep(min(1.0, deadline.left()))


class WaitsForAll(Spoilt):
    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        return self.inner.wait(ids, len(ids), deadline)


class SweepsEverything(Spoilt):
    def expire(self, now: float, limit: int, deadline: Deadline) -> int:
        return self.inner.expire(now + 10 * 365 * 86_400.0, limit, deadline)


class OneNamespace(Spoilt):
    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        super().__init__(url, options, replace(ctx, namespace="shared"))


class LeaksNative(Spoilt):
    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        try:
            return self.inner.fetch(ids, deadline)
        except Exception as error:
            raise RuntimeError("the handle is gone") from error


class TextPayloads(Spoilt):
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        return self.inner.store([self._spoil(record) for record in records], mode, deadline)

    def _spoil(self, record: Record) -> Record:
        return replace(record, result=record.result and record.result.decode("utf-8", "replace").encode())


class SpoiltHarness(BackendHarness):
    """Makes backends of one wrong class, each test on a store of its own."""

    embedded = True
    clocked = True

    def __init__(self, factory: Callable[..., ResultBackend]) -> None:
        self._factory = factory

    def current_url(self) -> str:
        return f"memory://{uuid.uuid4().hex}"

    def make(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> Any:
        return self._factory(url, options, ctx)


def _saboteur(name: str, factory: type[Spoilt], wrong: str, *killed_by: str) -> Saboteur:
    return Saboteur(name, "backend", wrong, lambda: SpoiltHarness(factory), killed_by)


SABOTEURS = (
    _saboteur(
        "last-write-wins", LastWriteWins, "A late state overwrites a final one.", "BKD-011", "BKD-012", "BKD-042"
    ),
    _saboteur("check-then-write", CheckThenWrite, "IF_ABSENT reads, then writes.", "BKD-010"),
    _saboteur("loose-counter", LooseCounter, "A counter reads, then writes.", "BKD-026"),
    _saboteur("join-wins-twice", WinsTwice, "Every report after the last one wins again.", "BKD-029", "BKD-030"),
    _saboteur("join-counts-reports", CountsReports, "A member that reports twice counts twice.", "BKD-028"),
    _saboteur("join-claims-for-ever", ClaimsForEver, "A join whose winner died is never won again.", "BKD-043"),
    _saboteur("join-takes-payloads", TakesPayloadsWithIt, "The first winner takes the payloads with it.", "BKD-043"),
    _saboteur("join-never-done", NeverDone, "joined is not remembered.", "BKD-044", "BKD-045"),
    _saboteur("expect-counts", ExpectedAsMember, "Announcing a join counts as a member.", "BKD-045"),
    _saboteur("groups-among-tasks", GroupsAmongTasks, "A saved group takes the place of a task's record.", "BKD-046"),
    _saboteur("ttl-as-epoch", TtlAsEpoch, "A time to live above 30 days is a date.", "BKD-019", "BKD-042"),
    _saboteur("makes-up-pending", MakesUpPending, "An unknown id is a PENDING record.", "BKD-003", "BKD-015"),
    _saboteur("fetch-in-own-order", OwnOrder, "fetch answers in the order of the store.", "BKD-004"),
    _saboteur("forgets-fields", ForgetsFields, "Two fields of a record are not stored.", "BKD-002"),
    _saboteur("merges-fields", MergesFields, "UPSERT keeps fields of the old record.", "BKD-009"),
    _saboteur("cuts-ids", CutsIds, "Ids end after 250 characters.", "BKD-008"),
    _saboteur("drops-last-record", DropsLast, "The last record of a long batch is told to be stored.", "BKD-005"),
    _saboteur("polls-every-second", PollsEverySecond, "notify is claimed, and wait polls.", "BKD-025"),
    _saboteur("waits-for-all", WaitsForAll, "wait ignores how many are needed.", "BKD-023"),
    _saboteur("sweeps-everything", SweepsEverything, "expire removes living records.", "BKD-018", "BKD-020"),
    _saboteur("one-namespace", OneNamespace, "Namespaces are ignored.", "BKD-040"),
    _saboteur("leaks-native-error", LeaksNative, "A closed backend raises the library's own error.", "BKD-001"),
    _saboteur("text-payloads", TextPayloads, "Results pass through a text column.", "BKD-002", "BKD-006"),
)
