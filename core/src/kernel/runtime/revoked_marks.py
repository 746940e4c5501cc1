"""Stores REVOKED for tasks that nobody has begun, as soon as they are revoked (wire.md 12, the last line)."""

import logging
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence

from kernel.contracts.backend import Record, ResultBackend, StoreMode
from kernel.contracts.deadline import Deadline
from kernel.engine.backoff import reconnect_delay
from kernel.errors import DriverError, TaskRevokedError
from kernel.model import states
from kernel.model.context import Request
from kernel.runtime.boot import Services

logger = logging.getLogger("kernel.worker")

_TIMEOUT_S = 2.0
_BATCH = 1000
_MOST = 50_000
_UNBEGUN = frozenset({states.PENDING, states.RECEIVED, states.RETRY, states.REJECTED})


class RevokedMarks:
    """What is to be stored; kept and tried again while the result store is away. Of one thread.

    Args:
        services: records and the result backend.
        node: name of the node, for extended results.
    """

    def __init__(self, services: Services, node: str) -> None:
        self._services = services
        self._node = node
        self._ids: deque[str] = deque(maxlen=_MOST)
        self._failures = 0
        self._retry_at = 0.0

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: Iterable[str]) -> None:
        """These were revoked."""
        # By rpc:// a result goes to whoever sent the task, and only its message knows who that is.
        if self._services.backend_url is not None and self._services.replies is None:
            self._ids.extend(ids)

    def flush(self) -> None:
        """Store what waits, unless that failed a moment ago."""
        while self._ids and time.monotonic() >= self._retry_at:
            batch = [self._ids[index] for index in range(min(_BATCH, len(self._ids)))]
            try:
                self._mark(batch)
            except DriverError as error:
                if error.retryable:
                    self._later(error)
                    return
                # Trying again would keep all others waiting; each is marked when its message arrives, too.
                logger.error("%d tasks cannot be marked as revoked: %s", len(batch), error.one_line())  # noqa: TRY400 - one line says it
            self._failures = 0
            for _ in batch:
                self._ids.popleft()

    def _mark(self, ids: Sequence[str]) -> None:
        deadline = Deadline.after(_TIMEOUT_S)
        backend = self._services.open_backend(deadline)
        if backend is None:
            return
        records = [self._record(task_id) for task_id in self._unbegun(backend, ids, deadline)]
        for result in backend.store(records, StoreMode.IF_NOT_FINAL, deadline) if records else ():
            if result.error is not None and result.error.retryable:
                raise result.error

    def _unbegun(self, backend: ResultBackend, ids: Sequence[str], deadline: Deadline) -> list[str]:
        """Those nobody has begun: another node's task keeps the state that node gave it."""
        found = backend.fetch(ids, deadline)
        return [each for each, record in zip(ids, found, strict=True) if record is None or record.status in _UNBEGUN]

    def _record(self, task_id: str) -> Record:
        error = TaskRevokedError("revoked")
        request = Request(id=task_id)
        return self._services.records.failure(request, error, None, self._node, time.time(), states.REVOKED)

    def _later(self, error: DriverError) -> None:
        self._failures += 1
        delay = reconnect_delay(self._failures, random.uniform)
        self._retry_at = time.monotonic() + delay
        logger.warning("%d tasks could not be marked as revoked yet: %s", len(self._ids), error.one_line())
