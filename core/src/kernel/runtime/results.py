"""Reads task states from the result backend, and writes those that tasks store by hand (features.md 1.3, 1.4)."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from kernel.contracts.backend import Record, ResultBackend, StoreMode
from kernel.contracts.deadline import Deadline
from kernel.engine.records import Records, ResultMeta
from kernel.errors import BackendGetMetaError, BackendStoreError, DriverError, ResultsDisabled
from kernel.model import states
from kernel.model.config import Config
from kernel.model.context import Request
from kernel.runtime.reply_backend import ReplyBackend

ANSWER_S = 10.0
"""How long one read or write may take, retries included."""

SWEEP = 1000
"""Expired results removed with one call."""

T = TypeVar("T")


class Wiring(Protocol):
    """What is needed around it; :class:`kernel.runtime.boot.Services` has it."""

    @property
    def config(self) -> Config:
        """The effective settings."""

    @property
    def records(self) -> Records:
        """Builds and reads records."""

    def open_backend(self, deadline: Deadline) -> ResultBackend | None:
        """The result backend, open by then at the latest, or None."""

    @property
    def backend_url(self) -> str | None:
        """Its URL, None when results are off."""

    @property
    def replies(self) -> ReplyBackend | None:
        """The backend when results go to the caller by message."""

    @property
    def node(self) -> str:
        """The name of this process."""


class Results:
    """Reads and writes task states for the application.

    Args:
        wiring: settings, records and the backend.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        config = wiring.config
        self._retries = config.result_backend_max_retries if config.result_backend_always_retry else 0
        self._pause_s = config.result_backend_base_sleep_between_retries_ms / 1000
        self._longest_s = config.result_backend_max_sleep_between_retries_ms / 1000

    @property
    def enabled(self) -> bool:
        """Whether there is a result backend."""
        return self._wiring.backend_url is not None

    @property
    def can_watch(self) -> bool:
        """Whether every state of a running task can be followed: the store tells of changes (capability ``notify``)."""
        return self._patient(
            lambda backend, _: backend.capabilities().notify, "Opening the result backend", BackendGetMetaError
        )

    def fetch(self, ids: Sequence[str], within_s: float = ANSWER_S) -> list[ResultMeta]:
        """The states of these tasks, in that order; PENDING where nothing is stored.

        A backend that cannot be reached is asked again meanwhile.

        Args:
            ids: of the tasks.
            within_s: how long it may take, retries included.

        Raises:
            NotImplementedError: :class:`ResultsDisabled`, when no result backend is configured.
            BackendGetMetaError: when the backend does not answer, or a record cannot be read.
        """
        records = self._patient(
            lambda backend, deadline: backend.fetch(ids, deadline), "Reading results", BackendGetMetaError, within_s
        )
        return [
            ResultMeta(task_id, states.PENDING) if record is None else self._wiring.records.meta(record)
            for task_id, record in zip(ids, records, strict=True)
        ]

    def wait(self, ids: Sequence[str], need: int, timeout_s: float) -> list[ResultMeta]:
        """Block until ``need`` of them are ready, or the time is over; those that are ready.

        A backend that cannot be reached meanwhile is asked again until the time is over.
        """
        deadline, pause = Deadline.after(timeout_s), self._pause_s
        while True:
            try:
                ready = self._open(deadline).wait(ids, need, deadline)
            except DriverError as error:
                if not error.retryable or not self._retries:
                    raise BackendGetMetaError(f"Waiting for results failed: {error}", cure=error.cure) from error
                if deadline.passed:
                    return []
            else:
                return [self._wiring.records.meta(record) for record in ready]
            time.sleep(min(pause, deadline.left()))
            pause = min(pause * 2, self._longest_s)

    def watch(self, task_id: str, timeout_s: float) -> Iterator[ResultMeta]:
        """Every state that a task reaches, until it is ready or the time is over (features.md 1.5).

        Raises:
            BackendGetMetaError: as :meth:`wait`.
        """
        deadline = Deadline.after(timeout_s)
        seen: list[Record] = []
        while not (deadline.passed or (seen and seen[-1].ready)):
            try:
                new = self._open(deadline).follow(task_id, seen, deadline)
            except DriverError as error:
                if not error.retryable or not self._retries:
                    raise BackendGetMetaError(f"Waiting for results failed: {error}", cure=error.cure) from error
                time.sleep(min(self._pause_s, deadline.left()))
                continue
            seen += new
            yield from map(self._wiring.records.meta, new)

    def exists(self, task_id: str) -> bool:
        """Whether anything is stored of this task; it need not be readable here.

        Raises:
            NotImplementedError: :class:`ResultsDisabled`, when no result backend is configured.
            BackendGetMetaError: when the backend does not answer.
        """
        (record,) = self._patient(
            lambda backend, deadline: backend.fetch([task_id], deadline), "Reading a result", BackendGetMetaError
        )
        return record is not None

    def forget(self, ids: Sequence[str]) -> None:
        """Remove what is stored of these tasks."""
        self._patient(lambda backend, deadline: backend.forget(ids, deadline), "Forgetting results", BackendStoreError)

    def save_group(self, group_id: str, structure: object) -> None:
        """Keep which results belong to a group, as long as a result, in the form in which results travel (wire.md 3).

        Raises:
            BackendStoreError: when it could not be stored.
        """
        data, ttl_s = json.dumps(structure).encode(), self._wiring.records.ttl_s
        self._patient(
            lambda backend, deadline: backend.save_group(group_id, data, ttl_s, deadline),
            f"Saving group {group_id}",
            BackendStoreError,
        )

    def saved_group(self, group_id: str) -> Any:
        """What :meth:`save_group` kept under that id; None when there is nothing.

        Raises:
            BackendGetMetaError: when the backend does not answer, or what is stored cannot be read.
        """
        data = self._patient(
            lambda backend, deadline: backend.fetch_group(group_id, deadline),
            f"Reading group {group_id}",
            BackendGetMetaError,
        )
        try:
            return None if data is None else json.loads(data)
        except ValueError as error:
            raise BackendGetMetaError(f"The saved group {group_id} cannot be read: {error}") from error

    def forget_group(self, group_id: str) -> None:
        """Remove what :meth:`save_group` kept."""
        self._patient(
            lambda backend, deadline: backend.forget_group(group_id, deadline),
            f"Forgetting group {group_id}",
            BackendStoreError,
        )

    def sweep(self) -> int:
        """Remove expired results where the backend does not do it by itself; how many.

        Raises:
            BackendStoreError: when the backend does not answer.
        """
        removed, gone = 0, SWEEP
        while gone == SWEEP:
            gone = self._patient(
                lambda backend, deadline: backend.expire(time.time(), SWEEP, deadline),
                "Removing old results",
                BackendStoreError,
            )
            removed += gone
        return removed

    def store_state(self, request: Request, state: str, meta: object) -> None:
        """Store a state with its ``meta``; a stored success is never overwritten (wire.md 10.1).

        Raises:
            EncodeError: for a ``meta`` that the result serializer cannot carry.
            BackendStoreError: when it could not be stored.
        """
        if request.reply_to is None and self._wiring.replies is not None:
            raise BackendStoreError(
                f"State {state} of task {request.id} has nobody to go to: by rpc:// it goes to the process that sent"
                " the task, and only the running task knows which",
                cure="Store states of other tasks with a result backend that processes share.",
            )
        record = self._wiring.records.state(request, state, meta, self._wiring.node, time.time())
        (stored,) = self._patient(
            lambda backend, deadline: backend.store([record], StoreMode.IF_NOT_SUCCESS, deadline),
            f"Storing state {state} of task {request.id}",
            BackendStoreError,
        )
        if stored.error is not None:
            raise BackendStoreError(f"State {state} of task {request.id} was not stored: {stored.error}")

    def _patient(
        self,
        ask: Callable[[ResultBackend, Deadline], T],
        what: str,
        kind: type[BackendGetMetaError] | type[BackendStoreError],
        within_s: float = ANSWER_S,
    ) -> T:
        deadline, pause, tries = Deadline.after(within_s), self._pause_s, 0
        while True:
            try:
                return ask(self._open(deadline), deadline)
            except DriverError as error:
                tries += 1
                if not error.retryable or tries > self._retries or pause >= deadline.left():
                    raise kind(f"{what} failed: {error}", cure=error.cure) from error
            time.sleep(pause)
            pause = min(pause * 2, self._longest_s)

    def _open(self, deadline: Deadline) -> ResultBackend:
        backend = self._wiring.open_backend(deadline)
        if backend is None:
            raise ResultsDisabled(
                "No result backend is configured, so there are no results to read",
                cure="Set result_backend, or give Kernel(backend=...), such as backend='sqlite:///results.sqlite3'.",
            )
        return backend
