"""The deliveries a consumer has given out and nobody has settled."""

import threading
from collections.abc import Callable

from kernel.contracts.broker import Delivery
from kernel.contracts.simple.receipt import Receipt


class Held:
    """Counts them against a bound.

    Args:
        prefetch: the bound; 0 means none.
        clock: Unix time, to forget those whose lease is over; None without leases.
    """

    def __init__(self, prefetch: int, clock: Callable[[], float] | None) -> None:
        self._prefetch = prefetch
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._deliveries: dict[Receipt, Delivery] = {}
        self._until: dict[Receipt, float] = {}

    def room(self, wanted: int) -> int:
        """How many more may be taken, at most ``wanted``."""
        if not self._prefetch:
            return wanted
        with self._lock:
            self._forget_expired()
            return max(0, min(wanted, self._prefetch - len(self._deliveries)))

    def add(self, delivery: Delivery) -> bool:
        """Count one in; False when the consumer was closed meanwhile, so that it must be given back."""
        with self._lock:
            if self._closed:
                return False
            self._deliveries[delivery.receipt] = delivery
            self._set_end(delivery.receipt, delivery.lease_until)
            return True

    def extend(self, receipt: Receipt, until: float | None) -> None:
        """Its lease ends later."""
        with self._lock:
            if receipt in self._deliveries:
                self._set_end(receipt, until)

    def remove(self, receipt: Receipt) -> None:
        """It is settled, or lost."""
        with self._lock:
            self._deliveries.pop(receipt, None)
            self._until.pop(receipt, None)

    def close(self) -> list[Delivery]:
        """Count no more; what is unsettled, to give back."""
        with self._lock:
            self._closed = True
            self._forget_expired()
            held = list(self._deliveries.values())
            self._deliveries.clear()
            self._until.clear()
            return held

    def _set_end(self, receipt: Receipt, until: float | None) -> None:
        if until is not None and self._clock is not None:
            self._until[receipt] = until

    def _forget_expired(self) -> None:
        if not self._until or self._clock is None:
            return
        now = self._clock()
        for receipt in [receipt for receipt, until in self._until.items() if until <= now]:
            del self._until[receipt]
            del self._deliveries[receipt]
