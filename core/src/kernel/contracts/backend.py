"""The result backend contract, version 1: records by task id, counters and joins."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kernel.contracts.capabilities import BackendCaps
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import Driver
from kernel.errors import Code, DriverError
from kernel.model.states import READY_STATES


@dataclass(frozen=True, slots=True)
class Record:
    """One task's state as stored (wire.md 10.1).

    ``result`` is the serialized result (content type ``content_type``, ``content_encoding``), already compressed
    when so configured; ``children`` and the extended ``args``, ``kwargs`` and ``stamps`` are JSON texts. ``date_done``
    is ISO 8601 text, set in ready states only. ``ttl_s`` is seconds to keep the record, None for ever.
    ``reply_to`` is where the caller waits for it, its reply queue (wire.md 10.3): not part of what is stored, so two
    records that differ only there are equal, and ``fetch`` need not give it back.
    """

    id: str
    status: str
    result: bytes | None = None
    content_type: str = "application/json"
    content_encoding: str = "utf-8"
    traceback: str | None = None
    children: str | None = None
    date_done: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    name: str | None = None
    args: str | None = None
    kwargs: str | None = None
    worker: str | None = None
    retries: int | None = None
    queue: str | None = None
    stamps: str | None = None
    ttl_s: float | None = None
    reply_to: str | None = field(default=None, compare=False)

    @property
    def ready(self) -> bool:
        """Whether the state is final (features.md 1.4)."""
        return self.status in READY_STATES


class StoreMode(StrEnum):
    """What a store may overwrite. The check and the write are one atomic step."""

    UPSERT = "upsert"
    """Anything: the whole record is replaced."""
    IF_ABSENT = "if_absent"
    """Nothing."""
    IF_NOT_FINAL = "if_not_final"
    """Records that are not SUCCESS, FAILURE or REVOKED."""
    IF_NOT_SUCCESS = "if_not_success"
    """Records that are not SUCCESS: a stored success is never lost to a second run of the task."""


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The fate of one record: ``stored`` is False when the mode kept what was there. ``error`` is per item."""

    stored: bool = True
    error: DriverError | None = None


@dataclass(frozen=True, slots=True)
class JoinState:
    """A join after one member reported.

    Attributes:
        count: distinct members so far.
        size: members expected.
        won: True for exactly one caller, the one whose report completed the join.
        payloads: for the winner, the payloads ordered by member name; else empty.
    """

    count: int
    size: int
    won: bool
    payloads: tuple[bytes, ...] = ()


class ResultBackend(Driver):
    """Keeps task states and results (contract ``result_backend/1``)."""

    @abstractmethod
    def capabilities(self) -> BackendCaps:
        """What this backend can do, known before ``open``."""

    @abstractmethod
    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """Write a batch of any length; results 1:1 in input order.

        Raises:
            DriverError: when the whole call failed; storing the same batch again is safe.
        """

    @abstractmethod
    def fetch(self, ids: Sequence[str], deadline: Deadline) -> list[Record | None]:
        """Read records in input order; None for an unknown, expired or evicted id. Ids may repeat."""

    @abstractmethod
    def forget(self, ids: Sequence[str], deadline: Deadline) -> int:
        """Remove records; how many were there."""

    def expire(self, now: float, limit: int, deadline: Deadline) -> int:
        """Remove at most ``limit`` records whose time is over at Unix time ``now``; how many."""
        return 0

    def wait(self, ids: Sequence[str], need: int, deadline: Deadline) -> list[Record]:
        """Block until at least ``need`` of ``ids`` are in a ready state, or the deadline.

        Returns:
            The ready records, in input order; fewer than ``need`` only when the deadline passed.
        """
        pause = 0.001
        while True:
            ready = [r for r in self.fetch(ids, deadline) if r is not None and r.ready]
            if len(ready) >= need or deadline.passed:
                return ready
            time.sleep(min(pause, deadline.left()))
            pause = min(pause * 1.5, 0.5)

    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        """Add to an atomic counter that starts at 0; its new value (capability ``counter``)."""
        raise self.unsupported("counter")

    def join(
        self,
        key: str,
        member: str,
        payload: bytes,
        size: int,
        ttl_s: float | None,
        deadline: Deadline,
    ) -> JoinState:
        """Report one member of a join; idempotent per member, exactly one caller wins (capability ``join``)."""
        raise self.unsupported("join")

    def unsupported(self, capability: str) -> DriverError:
        """The error for a capability this backend does not claim."""
        return DriverError(
            Code.UNSUPPORTED,
            f"{type(self).__name__} does not support {capability!r}",
            cure="Choose a result backend that has this capability, or change the setting that needs it.",
        )
