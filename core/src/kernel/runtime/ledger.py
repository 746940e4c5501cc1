"""The deliveries this node is responsible for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kernel.contracts.broker import Delivery
from kernel.engine.admit import Run
from kernel.model.options import TaskOptions


@dataclass(slots=True, eq=False)
class Entry:
    """One delivery on its way through a run.

    Attributes:
        tag: the node's number for it, the same as in its job.
        delivery: what was received.
        headers: its headers, completed from the body for protocol 1.
        run: what admission decided.
        options: those of the task.
        settled: nothing is left to settle: it was acknowledged early, or its lease was lost.
        gone: its lease was lost, so that somebody else has it.
        received_at: Unix time.
        request: the task's own request object, for tasks that replace it (features.md 1.20).
    """

    tag: int
    delivery: Delivery
    headers: Mapping[str, Any]
    run: Run
    options: TaskOptions
    settled: bool = False
    gone: bool = False
    received_at: float = 0.0
    request: Any = None

    @property
    def title(self) -> str:
        """``name[id]`` as in the log."""
        shadow = self.headers.get("shadow")
        return f"{shadow if isinstance(shadow, str) and shadow else self.run.task}[{self.run.id}]"


class Ledger:
    """Entries by tag. Changed by the main loop only; others may iterate."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._next = 0
        self.done: dict[str, int] = {}
        """Runs that ended, by task."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    @property
    def total(self) -> int:
        """Runs that ended."""
        return sum(self.done.copy().values())

    def count(self, task: str) -> None:
        """A run ended."""
        self.done[task] = self.done.get(task, 0) + 1

    def next_tag(self) -> int:
        """A fresh number."""
        self._next += 1
        return self._next

    def add(self, entry: Entry) -> None:
        """Take responsibility."""
        self._entries[entry.tag] = entry

    def get(self, tag: int) -> Entry | None:
        """The entry, if it is still here."""
        return self._entries.get(tag)

    def pop(self, tag: int) -> Entry | None:
        """The run is over, or was taken back."""
        return self._entries.pop(tag, None)
