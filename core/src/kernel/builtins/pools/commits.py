"""Finished work on its way to its commit: grouped while that costs nobody time, and never lost in silence."""

import logging
import threading
from collections.abc import Sequence
from typing import Any

from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Executor, Job, Report, SoftLimiter
from kernel.model.states import PENDING

GROUP_S = 0.01
"""The longest that finished work waits for more of it."""
_RELEASE_S = 1.0
logger = logging.getLogger("kernel.worker")


class Broken:
    """Stands for the result of a run that raised, against its contract; ``error`` is what it raised."""

    urgent = True

    def __init__(self, error: BaseException) -> None:
        self.error = error


def run_safely(executor: Executor, job: Job, limiter: SoftLimiter | None) -> Any:
    """``executor.run``; an exception, which is a bug of the executor, comes back as :class:`Broken`."""
    try:
        return executor.run(job, limiter)
    except BaseException as error:
        logger.exception("Task %s[%s]: the executor failed", job.task, job.id)
        return Broken(error)


def release(tag: int, error: BaseException) -> Report:
    """The report for a job whose end could not be written down: it is given back, and the reason told."""
    reason = f"{type(error).__name__}: {error}"
    return Report(tag, SettleKind.RELEASE, PENDING, seconds=_RELEASE_S, reason=reason)


def commit_safely(executor: Executor, finished: Sequence[tuple[int, Any]]) -> list[Report]:
    """``executor.commit``; when it fails, every delivery is released so that it runs again."""
    whole = [(tag, value) for tag, value in finished if not isinstance(value, Broken)]
    reports = [release(tag, value.error) for tag, value in finished if isinstance(value, Broken)]
    if not whole:
        return reports
    try:
        committed = executor.commit([value for _, value in whole])
        if len(committed) != len(whole):
            raise RuntimeError(f"commit of {len(whole)} finished jobs gave {len(committed)} reports")  # noqa: TRY301 - one way out for a broken contract
    except Exception as error:
        logger.exception("Results of %d tasks could not be committed; they will run again", len(whole))
        return reports + [release(tag, error) for tag, _ in whole]
    return reports + committed


class Uncommitted:
    """Finished work of one lane. Added by the lane, taken by whoever commits.

    Args:
        most: as many are due at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._finished: list[tuple[int, Any]] = []
        self._since = 0.0
        self._urgent = False

    def __len__(self) -> int:
        return len(self._finished)

    def add(self, tag: int, value: Any, now: float) -> None:
        """A run ended at ``now`` (monotonic seconds)."""
        with self._lock:
            if not self._finished:
                self._since = now
            self._finished.append((tag, value))
            self._urgent = self._urgent or bool(getattr(value, "urgent", False))

    def due(self, now: float) -> bool:
        """Whether it is time to commit though more work waits."""
        held = len(self._finished)
        return held > 0 and (self._urgent or held >= self._most or now - self._since >= GROUP_S)

    def take(self) -> list[tuple[int, Any]]:
        """Everything there is; it is now the caller's to commit."""
        with self._lock:
            taken, self._finished, self._urgent = self._finished, [], False
            return taken
