"""The logical clock of an application, for ordering events (features.md 1.17, 2.6)."""

import threading


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
        """Hear of a time elsewhere; the time afterwards."""
        with self._lock:
            self.value = max(self.value, other) + 1
            return self.value

    def after_fork(self) -> None:
        """In a forked child: a thread that is not there may have held the lock."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<LogicalClock: {self.value}>"
