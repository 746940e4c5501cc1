"""Which child gets which job: the least loaded one, unless the job would wait behind something long."""

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from kernel.builtins.pools.prefork_hand import Hand
from kernel.contracts.pool import Job


class Desk:
    """Jobs that no child has."""

    def __init__(self) -> None:
        self._backlog: deque[Job] = deque()
        self.closed = False
        """While closed nothing is given out."""

    def __len__(self) -> int:
        return len(self._backlog)

    def tags(self) -> list[int]:
        """Tags waiting here."""
        return [job.tag for job in self._backlog]

    def put(self, jobs: Iterable[Job]) -> None:
        """New jobs."""
        self._backlog.extend(jobs)

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Jobs that a child had and did not begin: they come first."""
        self._backlog.extendleft(reversed(jobs))

    def clear(self) -> list[int]:
        """Forget all; their tags."""
        tags = self.tags()
        self._backlog.clear()
        return tags

    def discard(self, tags: Collection[int]) -> list[int]:
        """Forget those of these that are here; their tags."""
        found = [job.tag for job in self._backlog if job.tag in tags]
        if found:
            self._backlog = deque(job for job in self._backlog if job.tag not in tags)
        return found

    def room(self, hands: Iterable[Hand], now: float) -> int:
        """How many jobs the children take beyond those that wait here."""
        return max(0, sum(hand.room(now) for hand in hands) - len(self._backlog))

    def hand_out(self, hands: Iterable[Hand], now: float) -> list[tuple[Job, Exception]]:
        """Give out what can be given, in order; jobs that cannot be sent come back with the reason."""
        if not self._backlog or self.closed:
            return []
        least = [(hand.load.seconds, len(hand.jobs), hand.number, hand) for hand in hands if hand.takes(now)]
        heapq.heapify(least)
        given: dict[Hand, list[Job]] = {}
        while self._backlog and least:
            hand = least[0][-1]
            if hand.full():
                heapq.heappop(least)
                continue
            if not hand.load.accepts(self._backlog[0].task):
                break
            job = self._backlog.popleft()
            hand.add(job, now)
            given.setdefault(hand, []).append(job)
            heapq.heapreplace(least, (hand.load.seconds, len(hand.jobs), hand.number, hand))
        return [bad for hand, jobs in given.items() for bad in hand.give(jobs)]
