"""Keeps the leases of deliveries that are being worked on (architecture.md 4, pains P02)."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernel.contracts.broker import Delivery, Settle, SettleKind, SettleResult
from kernel.errors import Code, DriverError
from kernel.runtime.inbox import Inbox
from kernel.runtime.link import Link
from kernel.runtime.timer import Timer

logger = logging.getLogger("kernel.worker")

_IDLE_S = 60.0
_RETRY_S = 0.5
_SHORTEST_S = 0.05


@dataclass(slots=True)
class _Lease:
    delivery: Delivery
    seconds: float
    until: float
    renew_at: float


class LeaseKeeper:
    """Extends each watched lease when a third of what remained has passed, many in one call.

    Times are Unix seconds, as in :class:`Delivery`.
    """

    def __init__(self, link: Link, inbox: Inbox) -> None:
        self._link = link
        self._inbox = inbox
        self._leases: dict[int, _Lease] = {}
        self._lock = threading.Lock()
        self._next = float("inf")
        self._timer = Timer("kernel-leases", self._renew)
        self.lost = 0

    def start(self) -> None:
        """Start the thread."""
        self._timer.start()

    def close(self) -> None:
        """Stop it; leases then end by time or by settlement."""
        self._timer.close()

    def watch(self, leased: Iterable[tuple[int, Delivery]]) -> None:
        """Keep these deliveries until :meth:`forget`; one without a lease needs nothing."""
        now = time.time()
        with self._lock:
            before = self._next
            for tag, delivery in leased:
                if delivery.lease_until is not None:
                    remaining = max(_SHORTEST_S, delivery.lease_until - now)
                    lease = _Lease(delivery, remaining, delivery.lease_until, now + remaining / 3.0)
                    self._leases[tag] = lease
                    self._next = min(self._next, lease.renew_at)
            sooner = self._next < before
        if sooner:
            self._timer.hurry()

    def forget(self, tag: int) -> None:
        """The delivery is settled."""
        with self._lock:
            self._leases.pop(tag, None)

    def _renew(self) -> float:
        now = time.time()
        with self._lock:
            # Whoever is due within the next twelfth of its lease goes along: many leases, few calls.
            due = {tag: lease for tag, lease in self._leases.items() if lease.renew_at <= now + lease.seconds / 12.0}
        failed = bool(due) and not self._extend(due)
        with self._lock:
            self._next = min((lease.renew_at for lease in self._leases.values()), default=now + _IDLE_S)
            pause = _RETRY_S if failed else self._next - time.time()
        return max(pause, 0.0)

    def _extend(self, due: dict[int, _Lease]) -> bool:
        actions = [Settle(lease.delivery, SettleKind.EXTEND, lease.seconds) for lease in due.values()]
        try:
            results = self._link.settle(actions)
        except DriverError as error:
            logger.warning("%d leases could not be extended yet: %s", len(actions), error.one_line())
            return False
        self._note(list(due), results)
        return True

    def _note(self, tags: Sequence[int], results: Sequence[SettleResult]) -> None:
        gone = []
        now = time.time()
        with self._lock:
            for tag, result in zip(tags, results, strict=True):
                lease = self._leases.get(tag)
                if lease is None:
                    continue  # settled while it was being extended
                if result.ok:
                    lease.until = result.lease_until or now + lease.seconds
                    lease.renew_at = now + (lease.until - now) / 3.0
                elif result.error is not None and result.error.code is Code.LEASE_LOST:
                    del self._leases[tag]
                    gone.append(tag)
                else:
                    lease.renew_at = now + _RETRY_S
        if gone:
            self.lost += len(gone)
            self._inbox.lease_gone(gone)
