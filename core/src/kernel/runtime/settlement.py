"""Settles deliveries in batches, and forgets none while its lease holds."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from kernel.contracts.broker import Delivery, Settle, SettleKind, SettleResult
from kernel.errors import Applied, Code, DriverError
from kernel.runtime.lease import LeaseKeeper
from kernel.runtime.ledger import Entry
from kernel.runtime.link import Link

logger = logging.getLogger("kernel.worker")


@dataclass(slots=True)
class _Pending:
    """One settlement that is wanted. ``entry`` starts when its early acknowledgement is confirmed."""

    settle: Settle
    tag: int | None
    entry: Entry | None
    unknown: bool = False


class Settlement:
    """What is to be settled; the main loop flushes it, everything that waits in one call.

    Args:
        link: the way to the broker.
        leases: stops renewing what is settled.
    """

    def __init__(self, link: Link, leases: LeaseKeeper) -> None:
        self._link = link
        self._leases = leases
        self._pending: list[_Pending] = []
        self._ready: list[Entry] = []
        self.settled: dict[SettleKind, int] = dict.fromkeys(SettleKind, 0)
        self.lost = 0

    def __len__(self) -> int:
        return len(self._pending)

    def settle(self, settle: Settle, tag: int | None = None) -> None:
        """End this delivery; ``tag`` is its lease's, when it is watched."""
        self._pending.append(_Pending(settle, tag, None))

    def begin(self, entry: Entry) -> None:
        """Acknowledge this delivery, and only then let it start (features.md 1.24)."""
        entry.settled = True
        self._pending.append(_Pending(Settle(entry.delivery, SettleKind.ACK), None, entry))

    def ready(self, entry: Entry) -> None:
        """Let this delivery start; it is acknowledged later."""
        self._ready.append(entry)

    def take_ready(self) -> list[Entry]:
        """Entries that may start now."""
        ready, self._ready = self._ready, []
        return ready

    @property
    def starting(self) -> int:
        """Entries that wait for their early acknowledgement."""
        return sum(pending.entry is not None for pending in self._pending)

    def unbegun(self) -> list[Entry]:
        """Entries whose early acknowledgement is not confirmed; they are taken out and must be given back."""
        found = [pending.entry for pending in self._pending if pending.entry is not None]
        self._pending = [pending for pending in self._pending if pending.entry is None]
        return found

    def flush(self) -> bool:
        """Settle everything in one call.

        Returns:
            Whether nothing is left. What failed for want of a connection is kept for the next flush.
        """
        if not self._pending or not self._link.up:
            return not self._pending
        batch, self._pending = self._pending, []
        try:
            results = self._link.settle([pending.settle for pending in batch])
        except DriverError as error:
            self._keep(batch, error)
            return False
        for pending, result in zip(batch, results, strict=True):
            self._note(pending, result)
        return not self._pending

    def _keep(self, batch: Sequence[_Pending], error: DriverError) -> None:
        for pending in batch:
            pending.unknown = pending.unknown or error.outcome is not Applied.NOT_APPLIED
        self._pending[:0] = batch
        self._link.lose(error)

    def _note(self, pending: _Pending, result: SettleResult) -> None:
        error = result.error
        if error is not None and error.retryable:
            pending.unknown = pending.unknown or error.outcome is not Applied.NOT_APPLIED
            self._pending.append(pending)
            return
        if pending.tag is not None:
            self._leases.forget(pending.tag)
        if error is None:
            self.settled[pending.settle.kind] += 1
        else:
            self._complain(pending, error)
        # An acknowledgement of unknown fate that now finds its lease gone has most likely taken effect: without
        # this run the task would be lost; with it, it may run twice. Losing is worse.
        if pending.entry is not None and (error is None or pending.unknown):
            self._ready.append(pending.entry)

    def _complain(self, pending: _Pending, error: DriverError) -> None:
        message = pending.settle.delivery.message
        if error.code is Code.LEASE_LOST:
            self.lost += 1
            logger.warning(
                "Message %s of queue %s: its lease was lost before it could be settled (%s); it may run again.",
                message.id, message.queue, pending.settle.kind,
            )  # fmt: skip
        else:
            logger.error(
                "Message %s of queue %s could not be settled (%s): %s",
                message.id, message.queue, pending.settle.kind, error.one_line(),
            )  # fmt: skip


def release(delivery: Delivery, seconds: float = 0.0, *, started: bool = False) -> Settle:
    """Give a delivery back; by default as one whose body never began."""
    return Settle(delivery, SettleKind.RELEASE, seconds, started=started)
