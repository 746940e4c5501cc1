"""What the result backends' tests have at hand."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from kernel.contracts import BackendCaps, PluginContext, Record, ResultBackend, StoreMode
from kernel.errors import DriverError
from kernel_conformance.guarded import Ended, in_child
from kernel_conformance.harness import BackendHarness
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.suite import Suite

T = TypeVar("T")

FULL = Record(
    id="full",
    status="SUCCESS",
    result=bytes(range(256)),
    content_type="application/x-yaml",
    content_encoding="binary",
    traceback="Traceback (most recent call last):\n  ünïcödé \U0001f600\n",
    children='[["child", null]]',
    date_done="2026-11-21T10:00:00.123456+00:00",
    parent_id="parent",
    group_id="group",
    name="tasks.add",
    args="[1, 2]",
    kwargs='{"a": 1}',
    worker="worker@host",
    retries=2,
    queue="default",
    stamps='{"stamp": 1}',
)
"""A record with a value in every field but the time to live."""


class HandClock:
    """Unix time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class BackendSuite(Suite):
    """Base of the backends' suites: a store of its own, and backends on it that are closed at the end."""

    harness: BackendHarness

    def setup(self) -> None:
        """Choose the store."""
        self.url = self.harness.current_url()
        self._made: list[ResultBackend] = []
        self._one: ResultBackend | None = None

    def teardown(self) -> None:
        """Close everything."""
        for backend in self._made:
            with suppress(DriverError):
                backend.close(self.soon(5))
        super().teardown()

    def make(self, url: str = "", **context: Any) -> ResultBackend:
        """A further backend on the same store, open."""
        backend = self.harness.backend(url or self.url, **context)
        self._made.append(backend)
        backend.open(self.soon())
        return backend

    def make_named(self, namespace: str) -> ResultBackend:
        """A further backend on the same store, open, of another namespace."""
        backend: ResultBackend = self.harness.make(self.url, {}, PluginContext(namespace))
        self._made.append(backend)
        backend.open(self.soon())
        return backend

    @property
    def backend(self) -> ResultBackend:
        """The backend most tests need one of, open."""
        if self._one is None:
            self._one = self.make()
        return self._one

    @property
    def caps(self) -> BackendCaps:
        """What it claims."""
        return self.backend.capabilities()

    def put(self, *records: Record, mode: StoreMode = StoreMode.UPSERT, on: ResultBackend | None = None) -> list[bool]:
        """Store without any error; which records were stored."""
        results = (on or self.backend).store(records, mode, self.soon(60))
        assert len(results) == len(records), f"{len(results)} results for {len(records)} records"
        for record, result in zip(records, results, strict=True):
            assert result.error is None, f"storing {record.id!r:.60}: {result.error}"
        return [result.stored for result in results]

    def get(self, *ids: str, on: ResultBackend | None = None) -> list[Record | None]:
        """Fetch."""
        found = (on or self.backend).fetch(ids, self.soon(60))
        assert len(found) == len(ids), f"{len(found)} answers for {len(ids)} ids"
        return found

    def one(self, record_id: str) -> Record:
        """The record of that id, which must be there."""
        (found,) = self.get(record_id)
        assert found is not None, f"{record_id!r:.60} is not there"
        return found

    def kept(self, record: Record) -> None:
        """``record`` must come back, field by field; the time to live need not."""
        self.put(record)
        check_same(record, self.one(record.id))

    def refusal(self, call: Callable[[], object]) -> DriverError | None:
        """The DriverError of a call, None without one; a native exception fails the test."""
        try:
            call()
        except DriverError as error:
            return error
        except Exception as error:
            raise AssertionError(f"a native {type(error).__name__} escaped: {error}") from error
        return None

    def names(self, count: int, stem: str = "id") -> list[str]:
        """Fresh ids."""
        first = self.name(stem)
        return [f"{first}-{number}" for number in range(count)]

    def together(self, work: Callable[[int], T], count: int) -> list[T]:
        """``work(0)`` to ``work(count - 1)`` in as many threads, all let go at one moment; what they returned."""
        barrier = threading.Barrier(count)

        def begin(number: int) -> T:
            barrier.wait(30)
            return work(number)

        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(begin, range(count)))

    @contextmanager
    def through_proxy(self) -> Iterator[tuple[ResultBackend, ChaosProxy]]:
        """A backend, open, that reaches the server through a proxy."""
        address = self.harness.address()
        if address is None:
            self.not_run("the harness knows no address to put a proxy in front of")
        with ChaosProxy(address) as proxy:
            yield self.make(self.harness.url_at(proxy.address)), proxy

    @property
    def processes(self) -> bool:
        """Whether other processes reach the same store."""
        return "proc" in self.harness.faults

    def elsewhere(self, work: Callable[[ResultBackend], Any], *, seconds: float = 60.0) -> Ended:
        """``work`` with a backend of its own in another process."""

        def begin() -> Any:
            backend = self.harness.backend(self.url)
            backend.open(self.soon())
            try:
                return work(backend)
            finally:
                backend.close(self.soon(5))

        return in_child(begin, seconds=seconds)

    def lateness(self) -> float:
        """How late an expiry may be seen, in seconds."""
        return self.slack_s + self.caps.limits.granularity_s

    def pass_time(self, seconds: float, clock: HandClock | None) -> None:
        """Let time pass: on the clock where the store takes its time from it, else really."""
        if clock is not None:
            clock.move(seconds)
        else:
            time.sleep(seconds)

    def clock(self) -> HandClock | None:
        """A clock to be moved by hand, where the store takes its time from the driver."""
        return HandClock() if self.harness.clocked else None


def check_same(wanted: Record, found: Record) -> None:
    """Both must be equal in every field but the time to live."""
    for name in Record.__slots__:
        before, after = getattr(wanted, name), getattr(found, name)
        if name != "ttl_s":
            assert before == after, f"{name}: {before!r:.100} became {after!r:.100}"
            assert type(before) is type(after), f"{name} became a {type(after).__name__}"


def pick(records: Sequence[Record | None]) -> list[str | None]:
    """Their ids."""
    return [None if record is None else record.id for record in records]
