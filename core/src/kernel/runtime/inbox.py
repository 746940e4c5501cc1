"""What the node is told by its pool, its lease keeper and its signals, in one queue read by the main loop."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from kernel.contracts.pool import Loss, PoolListener, Report


@dataclass(frozen=True, slots=True)
class Started:
    """An executor began the job ``tag`` at Unix time ``at``."""

    tag: int
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class LeaseGone:
    """The delivery of job ``tag`` belongs to somebody else now."""

    tag: int


class Errand(ABC):
    """Something that another thread wants done in the main loop, where deliveries are."""

    tag = 0
    """It is about no job in particular."""

    @abstractmethod
    def run(self) -> None:
        """Do it; short."""


News = Started | LeaseGone | Report | Loss | Errand


class Inbox(PoolListener):
    """Collects news from any thread and rings while the main loop is blocked in the broker.

    ``SimpleQueue.put`` is reentrant, which a signal handler needs; an ``Event`` or ``Condition`` would deadlock there.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Sequence[News]] = SimpleQueue()
        self._ring: Callable[[], None] | None = None

    def started(self, tag: int, pid: int, at: float) -> None:
        """Pool: an executor began this job."""
        self._put((Started(tag, pid, at),))

    def reported(self, reports: Sequence[Report]) -> None:
        """Pool: these jobs are finished."""
        self._put(reports)

    def lost(self, losses: Sequence[Loss]) -> None:
        """Pool: the executors of these jobs are gone."""
        self._put(losses)

    def room(self) -> None:
        """Pool: capacity grew."""
        self._put(())

    def lease_gone(self, tags: Sequence[int]) -> None:
        """Lease keeper: these deliveries are not ours any more."""
        self._put([LeaseGone(tag) for tag in tags])

    def send(self, errand: Errand) -> None:
        """Anybody: do this."""
        self._put((errand,))

    def poke(self) -> None:
        """Make a blocked main loop look around. Callable from a signal handler."""
        self._put(())

    def listen(self, ring: Callable[[], None] | None) -> None:
        """From now on call ``ring`` for each arrival; None when the main loop is awake anyway."""
        self._ring = ring

    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()

    def drain(self) -> list[News]:
        """Everything that has arrived, in order, without waiting."""
        news: list[News] = []
        while True:
            try:
                news += self._queue.get_nowait()
            except Empty:
                return news

    def wait(self, timeout_s: float) -> list[News]:
        """Like :meth:`drain`, but first wait for an arrival."""
        try:
            first = self._queue.get(timeout=timeout_s)
        except Empty:
            return []
        return [*first, *self.drain()]

    def _put(self, news: Sequence[News]) -> None:
        self._queue.put(news)
        ring = self._ring
        if ring is not None:
            ring()
