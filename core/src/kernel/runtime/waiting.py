"""Messages that are due within a moment, kept here instead of going back to the broker (features.md 1.6)."""

import heapq
from collections.abc import Callable

from kernel.contracts.broker import Delivery


class Waiting:
    """Deliveries by the time they are due. Times are Unix seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Delivery]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: float, tag: int, delivery: Delivery) -> None:
        """Keep one; ``tag`` is its lease's."""
        heapq.heappush(self._heap, (due, tag, delivery))

    def next_due(self) -> float | None:
        """When the first is due; None when there is none."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float, limit: int) -> list[tuple[int, Delivery]]:
        """At most ``limit`` that are due, first ones first."""
        due: list[tuple[int, Delivery]] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            _, tag, delivery = heapq.heappop(self._heap)
            due.append((tag, delivery))
        return due

    def look(self) -> list[tuple[float, int, Delivery]]:
        """Everything, with the time it is due, left where it is. From any thread."""
        return sorted(self._heap.copy(), key=lambda each: each[:2])

    def take(self, chosen: Callable[[Delivery], bool]) -> list[tuple[int, Delivery]]:
        """Those that are chosen, with the tags of their leases."""
        taken = [(tag, delivery) for _, tag, delivery in self._heap if chosen(delivery)]
        if taken:
            gone = {tag for tag, _ in taken}
            self._heap = [each for each in self._heap if each[1] not in gone]
            heapq.heapify(self._heap)
        return taken

    def take_all(self) -> list[tuple[float, int, Delivery]]:
        """Everything, with the time it is due."""
        everything, self._heap = self._heap, []
        return everything
