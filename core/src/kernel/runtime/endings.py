"""Results that the node itself stores, because no executor lived to do it: unknown, expired and lost tasks.

Each is stored before its message is settled, and both are kept and tried again while the result store is away.
"""

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kernel.contracts.backend import Record, StoreMode
from kernel.contracts.broker import Settle
from kernel.contracts.deadline import Deadline
from kernel.engine.backoff import reconnect_delay
from kernel.engine.records import failure_request
from kernel.errors import DriverError, KernelError
from kernel.model import states
from kernel.runtime.boot import Services
from kernel.runtime.settlement import Settlement

logger = logging.getLogger("kernel.worker")

_STORE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ended without its body: what to store, then how to settle (None when it was acknowledged before).

    ``tag`` is the lease's, when it is watched. ``ignored`` leaves the result out.
    """

    headers: Mapping[str, Any]
    error: KernelError
    state: str = states.FAILURE
    settle: Settle | None = None
    tag: int | None = None
    ignored: bool = False


class Endings:
    """Waits for the result store, then hands the settlement on.

    Args:
        services: records and the result backend; without a backend nothing is stored.
        settlement: where deliveries are settled.
        node: name of the node, for extended results.
    """

    def __init__(self, services: Services, settlement: Settlement, node: str) -> None:
        self._services = services
        self._settlement = settlement
        self._node = node
        self._waiting: list[tuple[Ending, Record]] = []
        self._failures = 0
        self._retry_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, ending: Ending) -> None:
        """End this task."""
        if ending.ignored or self._services.backend_url is None:
            self._settle(ending)
            return
        request = failure_request(ending.headers, str(ending.headers.get("id")))
        record = self._services.records.failure(request, ending.error, None, self._node, time.time(), ending.state)
        self._waiting.append((ending, record))

    def flush(self) -> None:
        """Store what waits, unless the store failed a moment ago; then settle."""
        if not self._waiting or time.monotonic() < self._retry_at:
            return
        waiting, self._waiting = self._waiting, []
        try:
            failed = self._store([record for _, record in waiting])
        except DriverError as error:
            self._later(waiting, error)
            return
        again: list[tuple[Ending, Record]] = []
        reason: DriverError | None = None
        for i, (ending, record) in enumerate(waiting):
            problem = failed.get(i)
            if problem is not None and problem.retryable:
                again.append((ending, record))
                reason = problem
                continue
            if problem is not None:
                logger.error("The result of task %s could not be stored: %s", record.id, problem.one_line())
            self._settle(ending)
        if reason is not None:
            self._later(again, reason)
        else:
            self._failures = 0

    def _store(self, records: list[Record]) -> dict[int, DriverError]:
        backend = self._services.backend
        if backend is None:
            return {}
        results = backend.store(records, StoreMode.IF_NOT_FINAL, Deadline.after(_STORE_TIMEOUT_S))
        return {i: result.error for i, result in enumerate(results) if result.error is not None}

    def _later(self, waiting: list[tuple[Ending, Record]], error: DriverError) -> None:
        self._waiting[:0] = waiting
        self._failures += 1
        delay = reconnect_delay(self._failures, random.uniform)
        self._retry_at = time.monotonic() + delay
        logger.error("%d results wait for the result store: %s Trying again in %.1f s.",
                     len(waiting), error.one_line(), delay)  # fmt: skip

    def _settle(self, ending: Ending) -> None:
        if ending.settle is not None:
            self._settlement.settle(ending.settle, ending.tag)
