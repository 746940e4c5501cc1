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
from kernel.contracts.broker import Delivery, Settle
from kernel.contracts.deadline import Deadline
from kernel.engine.backoff import reconnect_delay
from kernel.engine.records import failure_request
from kernel.errors import DriverError, KernelError
from kernel.model import states
from kernel.runtime.aftermath import Aftermath
from kernel.runtime.boot import Services

logger = logging.getLogger("kernel.worker")

_STORE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ended without its body.

    Attributes:
        delivery: its message.
        headers: the message's headers.
        error: what to store.
        state: the state to store.
        ignored: nothing is stored.
    """

    delivery: Delivery
    headers: Mapping[str, Any]
    error: KernelError
    state: str = states.FAILURE
    ignored: bool = False


@dataclass(slots=True, eq=False)
class _Waiting:
    """One ending on its way.

    ``stored`` is False until the record is written, or turned away because a final one is there; ``failed`` is True
    when errbacks are to be sent.
    """

    ending: Ending
    record: Record
    settle: Settle | None
    tag: int | None
    stored: bool = False
    failed: bool = False


class Endings:
    """Stores results, sends the errbacks of failures, and only then lets the delivery be settled.

    Args:
        services: records and the result backend.
        aftermath: errbacks.
        node: name of the node, for extended results.
    """

    def __init__(self, services: Services, aftermath: Aftermath, node: str) -> None:
        self._services = services
        self._aftermath = aftermath
        self._node = node
        self._waiting: list[_Waiting] = []
        self._failures = 0
        self._retry_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def enabled(self) -> bool:
        """Whether results are stored at all."""
        return self._services.backend_url is not None

    def add(self, ending: Ending, settle: Settle | None, tag: int | None) -> None:
        """Store this with the next :meth:`flush`; then ``settle``, whose lease is that of ``tag``."""
        message = ending.delivery.message
        request = failure_request(ending.headers, str(ending.headers.get("id")), message.reply_to)
        record = self._services.records.failure(request, ending.error, None, self._node, time.time(), ending.state)
        self._waiting.append(
            _Waiting(ending, record, settle, tag, ending.ignored, ending.ignored and ending.state == states.FAILURE)
        )

    def flush(self) -> list[tuple[Settle, int | None]]:
        """Store what waits, unless that failed a moment ago.

        Returns:
            Settlements, with the tags of their leases, that may be made now.
        """
        if not self._waiting or time.monotonic() < self._retry_at:
            return []
        waiting, self._waiting = self._waiting, []
        try:
            left, problem = self._write(waiting)
        except KernelError as error:
            left, problem = waiting, error
        if problem is None:
            self._failures = 0
        else:
            self._later(left, problem)
        return [(each.settle, each.tag) for each in waiting if each.settle is not None and each not in left]

    def _write(self, waiting: list[_Waiting]) -> tuple[list[_Waiting], KernelError | None]:
        """Store, then send errbacks; those that are to be written later, and why."""
        errors = self._store([each for each in waiting if not each.stored])
        left: list[_Waiting] = []
        problem: KernelError | None = None
        for each in waiting:
            error = errors.get(each) or self._follow(each)
            if isinstance(error, DriverError) and error.retryable:
                left.append(each)
                problem = error
            elif error is not None:
                logger.error("The end of task %s could not be written: %s", each.record.id, error.one_line())
        return left, problem

    def _store(self, waiting: list[_Waiting]) -> dict[_Waiting, DriverError]:
        backend = self._services.backend
        errors: dict[_Waiting, DriverError] = {}
        if backend is None or not waiting:
            return errors
        deadline = Deadline.after(_STORE_TIMEOUT_S)
        results = backend.store([each.record for each in waiting], StoreMode.IF_NOT_FINAL, deadline)
        for each, result in zip(waiting, results, strict=True):
            if result.error is not None:
                errors[each] = result.error
            else:
                each.stored = True
                each.failed = result.stored and each.ending.state == states.FAILURE
        return errors

    def _follow(self, waiting: _Waiting) -> KernelError | None:
        ending = waiting.ending
        try:
            self._aftermath.follow(ending.delivery, ending.headers, ending.error, failed=waiting.failed)
        except KernelError as error:
            return error
        return None

    def _later(self, left: list[_Waiting], error: KernelError) -> None:
        self._waiting[:0] = left
        self._failures += 1
        delay = reconnect_delay(self._failures, random.uniform)
        self._retry_at = time.monotonic() + delay
        logger.error("%d results wait for a server: %s Trying again in %.1f s.", len(left), error.one_line(), delay)
