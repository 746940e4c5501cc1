"""What was declared over this broker: where rejected messages go, and what the server counts."""

import threading
from collections.abc import Iterable

from kernel.model.topology import QueueSpec


class Specs:
    """Queues by name. A queue that somebody else declared is not known here.

    Args:
        queue_type: the type of queues that name none.
    """

    def __init__(self, queue_type: str) -> None:
        self._queue_type = queue_type
        self._lock = threading.Lock()
        self._specs: dict[str, QueueSpec] = {}
        self._exchanges: set[str] = set()
        self._landing: set[str] = set()

    def get(self, name: str) -> QueueSpec | None:
        """The queue."""
        return self._specs.get(name)

    def add(self, spec: QueueSpec) -> None:
        """It was declared."""
        with self._lock:
            self._specs = {**self._specs, spec.name: spec}
            self._exchanges |= {spec.exchange.name, *(binding.exchange.name for binding in spec.bindings)}

    def remove(self, name: str) -> None:
        """It was deleted."""
        with self._lock:
            self._specs = {known: spec for known, spec in self._specs.items() if known != name}
            self._landing.discard(name)

    def knows_exchange(self, name: str) -> bool:
        """Whether an exchange was declared, or found."""
        return name in self._exchanges

    def add_exchange(self, name: str) -> None:
        """It exists."""
        with self._lock:
            self._exchanges.add(name)

    def after_fork(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    def lands(self, queue: str) -> bool:
        """Whether the queue is bound to the bottom of the delay ladder."""
        return queue in self._landing

    def add_landing(self, queue: str) -> None:
        """It is."""
        with self._lock:
            self._landing.add(queue)

    def forget_landings(self) -> None:
        """Another server may answer now, or the same one after losing its data."""
        with self._lock:
            self._landing.clear()
            self._exchanges.clear()

    def type_of(self, queue: str) -> str:
        """``classic``, ``quorum``, or whatever else its arguments say."""
        spec = self._specs.get(queue)
        return self.type_in(spec) if spec is not None else self._queue_type

    def type_in(self, spec: QueueSpec) -> str:
        """The type that a queue will be declared with. Quorum queues are durable and nobody's own."""
        given = spec.arguments.get("x-queue-type")
        if isinstance(given, str):
            return given
        brief = spec.temporary or spec.auto_delete or not spec.durable or spec.max_priority is not None
        return "classic" if brief else self._queue_type

    def temporary(self, queues: Iterable[str]) -> bool:
        """Whether any of them lives on the connection that declared it."""
        return any(spec.temporary for name in queues if (spec := self._specs.get(name)) is not None)
