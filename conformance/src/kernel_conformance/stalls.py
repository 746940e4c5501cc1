"""How long a machine stood still, so that a test can tell a late answer from a machine that ran nobody."""

import threading
import time
from types import TracebackType
from typing import Self

STEP_S = 0.05
IGNORED_S = 0.1
"""A thread that wakes up so late had to wait for its turn among others of its process; more is the machine."""


class Stalls:
    """Watches, as a context manager, a thread that has nothing to do but to wake up in time.

    What it oversleeps is time in which the machine ran something else, or nothing. Slowness without such gaps does
    not count: with half of a processor an answer may take twice as long, and a limit must allow for that.
    """

    def __init__(self) -> None:
        self._gaps: list[tuple[float, float]] = []
        self._due = float("inf")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def since(self, began: float) -> float:
        """Seconds from a moment of the monotonic clock to now, not counted what the machine stood still."""
        now = time.monotonic()
        return now - began - self.between(began, now)

    @property
    def total(self) -> float:
        """Seconds that it has stood still so far."""
        return self.between(float("-inf"), float("inf"))

    def between(self, began: float, ended: float) -> float:
        """Seconds that the machine stood still from one moment of the monotonic clock to another."""
        gaps = [*self._gaps, *_gap(self._due, time.monotonic())]
        return sum(max(0.0, min(ended, until) - max(began, since)) for since, until in gaps)

    def woken(self, due: float, now: float) -> None:
        """A wake-up was due at one moment and came at another."""
        self._gaps += _gap(due, now)

    def _watch(self) -> None:
        while True:
            self._due = time.monotonic() + STEP_S
            ended = self._end.wait(STEP_S)
            self.woken(self._due, time.monotonic())
            if ended:
                self._due = float("inf")
                return


def _gap(due: float, now: float) -> list[tuple[float, float]]:
    return [(due, now)] if now - due > IGNORED_S else []
