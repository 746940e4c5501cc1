"""Keeps a pool at the size that what runs asks for (``kernel worker --autoscale``, features.md 2.4)."""

import logging
import time
from typing import Final

from kernel.contracts.pool import Pool
from kernel.engine.autoscale import Autoscale, Bounds
from kernel.runtime.inbox import Inbox
from kernel.runtime.ledger import Ledger
from kernel.runtime.timer import Timer

logger = logging.getLogger("kernel.worker")

_LOOK_S: Final = 1.0


class Autoscaler:
    """Looks every second, in a thread of its own.

    Args:
        pool: can change its size.
        ledger: what runs.
        inbox: of the main loop, which is to notice new room.
        autoscale: decides; None leaves the pool as it is.
    """

    def __init__(self, pool: Pool, ledger: Ledger, inbox: Inbox, autoscale: Autoscale | None) -> None:
        self._pool = pool
        self._ledger = ledger
        self._inbox = inbox
        self._autoscale = autoscale
        self._timer = Timer("kernel-autoscaler", self._look)

    @property
    def bounds(self) -> Bounds | None:
        """The fewest and the most executors; None when the pool stays as it is."""
        return None if self._autoscale is None else self._autoscale.bounds

    def bind(self, bounds: Bounds) -> None:
        """Replace the bounds, if there are any; the pool follows at the next look."""
        if self._autoscale is not None:
            self._autoscale.bounds = bounds
            self._timer.hurry()

    def start(self) -> None:
        """Begin, if there is anything to decide."""
        if self._autoscale is not None:
            self._timer.start()

    def close(self) -> None:
        """End."""
        self._timer.close()

    def _look(self) -> float:
        assert self._autoscale is not None, "the timer was started"
        size = int(str(self._pool.stats()["max-concurrency"]))
        wanted = self._autoscale.wanted(size, len(self._ledger), time.monotonic())
        if wanted != size:
            self._resize(self._autoscale, size, wanted)
        return _LOOK_S

    def _resize(self, autoscale: Autoscale, size: int, wanted: int) -> None:
        try:
            self._pool.resize(wanted)
        except ValueError as error:  # bounds that came later than the pool was made
            autoscale.bounds = Bounds(min(autoscale.bounds.least, size), size)
            logger.warning("Scaling stays within %s: %s", autoscale.bounds, error)
        else:
            logger.info("Scaling from %d to %d executors.", size, wanted)
            self._inbox.poke()
