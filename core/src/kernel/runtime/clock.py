"""The logical clock of an application, for ordering events (features.md 1.17, 2.6)."""

import threading
from typing import Final

_MOST: Final = 2**62
"""Whoever took over a greater one would send what brokers cannot carry, for as long as it lives."""


class LogicalClock:
    """Lamport's clock: goes up by one per event, and past every time it hears of. Safe in any thread."""

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self._lock = threading.Lock()

    def forward(self) -> int:
        """The next time."""
        with self._lock:
            self.value += 1
            return self.value

    def adjust(self, other: int) -> int:
        """Hear of a time elsewhere; the time afterwards. One that no counting can have reached is passed over."""
        with self._lock:
            self.value = max(self.value, other if other < _MOST else 0) + 1
            return self.value

    def after_fork(self) -> None:
        """In a forked child: a thread that is not there may have held the lock."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<LogicalClock: {self.value}>"
