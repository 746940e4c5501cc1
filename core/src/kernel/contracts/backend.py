"""The result backend contract, version 1: records by task id, saved groups, counters and joins."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kernel.contracts.capabilities import BackendCaps
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import Driver
from kernel.contracts.polling import poll
from kernel.errors import Code, DriverError
from kernel.model.states import READY_STATES, SUCCESS

FOLLOW_S = 0.005
"""Seconds between two looks at a task whose every state is wanted."""


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


CLAIM_S = 5.0
"""Seconds of the store's time that the winner of a join has to act and say :meth:`ResultBackend.joined`."""

GROUP_ID = "taskset:{}"
"""Id of the record in which a saved group is kept, unless a backend has a place of its own for groups."""


@dataclass(frozen=True, slots=True)
class JoinState:
    """A join after one member reported.

    Attributes:
        count: distinct members so far, at most ``size``.
        size: members expected.
        won: True for the caller that holds the claim: it acts on the payloads, then says
            :meth:`ResultBackend.joined`. At any time at most one caller holds it.
        payloads: for the winner, the payloads ordered by member name; else empty.
        done: somebody said ``joined``: nothing is left to do, for good. A complete join that is neither ``won`` nor
            ``done`` is claimed by somebody else: ask again after :data:`CLAIM_S`, in case that one died.
    """

    count: int
    size: int
    won: bool
    payloads: tuple[bytes, ...] = ()
    done: bool = False


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

        The default body looks again and again, at growing intervals (:mod:`kernel.contracts.polling`).
        """
        return poll(self.fetch, ids, need, deadline)

    def follow(self, task_id: str, seen: Sequence[Record], deadline: Deadline) -> list[Record]:
        """Block until the task reaches a state after those ``seen``, or the deadline; the new states in order.

        The default body asks :meth:`fetch` every 5 ms, and so misses states that were replaced between two looks; a
        backend that is told of each (capability ``notify``) may know better.
        """
        while True:
            (record,) = self.fetch([task_id], deadline)
            if record is not None and (not seen or record != seen[-1]):
                return [record]
            if deadline.passed:
                return []
            time.sleep(min(FOLLOW_S, deadline.left()))

    def add(self, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
        """Add to an atomic counter that starts at 0; its new value (capability ``counter``)."""
        raise self.unsupported("counter")

    def expect(self, key: str, size: int, ttl_s: float | None, deadline: Deadline) -> None:
        """Announce a join of ``size`` members before the last of them is sent (capability ``join``).

        Idempotent; a join that has begun, or is done, is left as it is. Every :meth:`join` carries the size as well, so
        the default body does nothing; a backend overrides it when a layout shared with others asks for it (wire.md 11).
        """

    def join(
        self,
        key: str,
        member: str,
        payload: bytes,
        size: int,
        ttl_s: float | None,
        deadline: Deadline,
    ) -> JoinState:
        """Report one member of a join (capability ``join``). The whole call is one atomic step of the store.

        * A member counts once; its first payload stays. The ``size`` given first stays too.
        * When ``size`` members reported, this caller and no other takes the claim and wins. A member that reports
          after that adds nothing, whatever its name.
        * The claim ends after :data:`CLAIM_S` of the store's time. If nobody said :meth:`joined` by then, the next
          report of any member takes a new claim and wins, with the same payloads: so they are kept until then. Until
          its end everybody else gets ``won=False, done=False`` and the full ``count``.
        * After :meth:`joined` every report gets ``won=False, done=True`` and ``count == size``.

        Args:
            key: name of the join; the id of a group.
            member: its name, ``f"{index:06d}:{task_id}"``: payloads are ordered by it, as text.
            payload: opaque bytes (the kernel writes the JSON ``[1, task_id, state, result]`` of wire.md 11.2).
            size: members expected; 0 when the reporter does not know it, because a client of another implementation
                announced it in a layout shared with it (wire.md 11): then only that can complete the join.
            ttl_s: seconds after the last report until nothing of an unfinished join is left; None for ever.
            deadline: when the caller gives up.

        Raises:
            DriverError: nothing or everything of the call happened; repeating it with the same member is safe.
        """
        raise self.unsupported("join")

    def joined(self, key: str, ttl_s: float | None, deadline: Deadline) -> None:
        """The winner of a join has acted: it is done for good (capability ``join``).

        Idempotent. The payloads may go; the mark stays for ``ttl_s`` seconds (None: at least a day), also for a join
        the store knows nothing of any more, so that a late report cannot begin it anew.
        """
        raise self.unsupported("join")

    def save_group(self, group_id: str, structure: bytes, ttl_s: float | None, deadline: Deadline) -> None:
        """Keep which results belong to a group: ``structure`` is the JSON of its result tuple (wire.md 3, 11.1).

        The default keeps it as a record; a backend overrides all three verbs when a shared layout has another place.
        """
        record = Record(GROUP_ID.format(group_id), SUCCESS, structure, ttl_s=ttl_s)
        (result,) = self.store([record], StoreMode.UPSERT, deadline)
        if result.error is not None:
            raise result.error

    def fetch_group(self, group_id: str, deadline: Deadline) -> bytes | None:
        """What :meth:`save_group` kept under that id, or None."""
        (record,) = self.fetch([GROUP_ID.format(group_id)], deadline)
        return None if record is None else record.result

    def forget_group(self, group_id: str, deadline: Deadline) -> None:
        """Remove what :meth:`save_group` kept; idempotent."""
        self.forget([GROUP_ID.format(group_id)], deadline)

    def unsupported(self, capability: str) -> DriverError:
        """The error for a capability this backend does not claim."""
        return DriverError(
            Code.UNSUPPORTED,
            f"{type(self).__name__} does not support {capability!r}",
            cure="Choose a result backend that has this capability, or change the setting that needs it.",
        )
