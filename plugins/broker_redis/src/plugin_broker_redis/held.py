"""The deliveries a consumer has given out and nobody has settled."""

import threading
from collections.abc import Callable
from typing import Final

FULL_S: Final = 0.1
"""How often a consumer that holds all it may looks whether leases have ended; settling wakes it at once."""


class Held:
    """Counts them against a bound.

    Args:
        prefetch: the bound; 0 means none.
        clock: Unix time, to forget those whose lease is over.

    Attributes:
        full: whether the last look found no room.
    """

    def __init__(self, prefetch: int, clock: Callable[[], float]) -> None:
        self.full = False
        self._prefetch = prefetch
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def room(self, wanted: int) -> int:
        """How many more may be taken, at most ``wanted``."""
        if not self._prefetch:
            return wanted
        with self._lock:
            self._forget()
            room = max(0, min(wanted, self._prefetch - len(self._until)))
        self.full = room <= 0
        return room

    def rest_s(self) -> float:
        """How long to wait while it is full."""
        return FULL_S

    def add(self, receipt: str, until: float | None) -> None:
        """Count one in; ``until`` is the end of its lease, None for ever."""
        with self._lock:
            self._until[receipt] = float("inf") if until is None else until

    def extend(self, receipt: str, until: float) -> None:
        """Its lease ends later."""
        with self._lock:
            if receipt in self._until:
                self._until[receipt] = until

    def remove(self, receipt: str) -> None:
        """It is settled, or lost."""
        with self._lock:
            self._until.pop(receipt, None)

    def close(self) -> list[str]:
        """Count no more; what is unsettled and leased."""
        with self._lock:
            self._forget()
            held = [receipt for receipt, until in self._until.items() if until != float("inf")]
            self._until.clear()
            return held

    def _forget(self) -> None:
        now = self._clock()
        for receipt in [receipt for receipt, until in self._until.items() if until <= now]:
            del self._until[receipt]
