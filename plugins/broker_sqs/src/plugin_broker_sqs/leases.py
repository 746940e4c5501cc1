"""What this process holds: the fence in front of a server that also takes receipts that are out of date."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from kernel.contracts.broker import Delivery


class Receipt(NamedTuple):
    """What settles a delivery, in any process.

    Attributes:
        queue: where it was received.
        handle: the server's receipt handle, another one for each delivery.
        message_id: the server's id of the message.
        since: when it was received, Unix time.
        until: when the lease ends as it was given, Unix time.
    """

    queue: str
    handle: str
    message_id: str
    since: float
    until: float


class Leases:
    """Deliveries by receipt handle, with the end of each lease on a clock that nobody sets.

    A delivery that another process received is known by its receipt only, whose end is Unix time.

    Args:
        clock: Unix time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[Delivery, float]] = {}
        self._ended: dict[str, float] = {}

    def add(self, delivery: Delivery, lease_s: float) -> None:
        """It is held from now on."""
        with self._lock:
            self._held[delivery.receipt.handle] = (delivery, time.monotonic() + lease_s)

    def holds(self, receipt: Receipt) -> bool:
        """Whether it may still be settled: not settled here, its lease not over."""
        with self._lock:
            held = self._held.get(receipt.handle)
            if held is not None:
                return time.monotonic() < held[1]
            return receipt.handle not in self._ended and self._clock() < receipt.until

    def extend(self, receipt: Receipt, lease_s: float) -> None:
        """Its lease ends so many seconds from now."""
        with self._lock:
            held = self._held.get(receipt.handle)
            if held is not None:
                self._held[receipt.handle] = (held[0], time.monotonic() + lease_s)

    def end(self, receipt: Receipt) -> None:
        """It is settled, or lost; nothing settles it again. Remembered until its lease would have been over."""
        with self._lock:
            self._held.pop(receipt.handle, None)
            now = self._clock()
            if receipt.until > now:
                self._ended[receipt.handle] = receipt.until
            while self._ended and self._ended[oldest := next(iter(self._ended))] <= now:
                del self._ended[oldest]

    def count(self) -> int:
        """How many are held; those whose lease is over are forgotten."""
        with self._lock:
            self._forget_expired()
            return len(self._held)

    def take_all(self) -> list[Delivery]:
        """Everything that is held, to give it back; it is held no more."""
        with self._lock:
            self._forget_expired()
            held = [delivery for delivery, _ in self._held.values()]
            self._held.clear()
            return held

    def _forget_expired(self) -> None:
        now = time.monotonic()
        for handle in [handle for handle, (_, until) in self._held.items() if until <= now]:
            del self._held[handle]
