"""What the listener of a prefork pool is still to be told."""

import logging
from dataclasses import dataclass, field

from kernel.contracts.pool import Loss, PoolListener, Report

logger = logging.getLogger("kernel.worker")


@dataclass(slots=True)
class Told:
    """News in the order of their kinds: a job is started before it is reported."""

    starts: list[tuple[int, int, float]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    room: bool = False

    def tell(self, listener: PoolListener) -> None:
        """Tell it all. An exception of the listener ends nothing but this round, and is logged."""
        try:
            for tag, pid, at in self.starts:
                listener.started(tag, pid, at)
            if self.reports:
                listener.reported(self.reports)
            if self.losses:
                listener.lost(self.losses)
            if self.room:
                listener.room()
        except Exception:
            logger.exception("The listener of the pool failed")

    def __bool__(self) -> bool:
        return bool(self.starts or self.reports or self.losses or self.room)
