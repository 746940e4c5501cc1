"""How many tasks a node takes beyond what its executors have room for: none, unless a command asks for some."""

from kernel.contracts.pool import Pool
from kernel.runtime.inbox import Inbox


class Reserve:
    """``state.consumer.qos``: changed from any thread, looked at by the main loop.

    Args:
        pool: knows its size.
        inbox: of the main loop, which is to look again.

    Attributes:
        more: tasks to hold beside those that executors have.
    """

    def __init__(self, pool: Pool, inbox: Inbox) -> None:
        self._pool = pool
        self._inbox = inbox
        self.more = 0

    @property
    def value(self) -> int:
        """Tasks the node holds at most while they are long: one for each executor, and the reserve."""
        return self._size + self.more

    def increment_eventually(self, n: int = 1) -> None:
        """Hold so many more."""
        self.more += n
        self._inbox.poke()

    def decrement_eventually(self, n: int = 1) -> None:
        """Hold so many fewer; never fewer than there are executors."""
        self.more = max(0, self.more - n)

    def room(self, held: int) -> int:
        """How many may be taken into the reserve while the pool holds so many."""
        return max(0, self.more - max(0, held - self._size))

    @property
    def _size(self) -> int:
        return int(str(self._pool.stats()["max-concurrency"]))
