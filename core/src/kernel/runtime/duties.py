"""What the thread of remote control does besides listening."""

from kernel.contracts.pool import Pool
from kernel.runtime.inbox import Inbox
from kernel.runtime.ledger import Ledger
from kernel.runtime.revoking import Revoking
from kernel.runtime.tell import Tell

IDLE_S = 5.0
LOOK_S = 1.0
"""Time between two looks at what runs, while somebody wants to know."""


class Duties:
    """A turn now and then.

    Args:
        revoking: stores REVOKED, forgets what is over.
        tell: publishes what began, where the pool does not tell it.
        pool: knows what runs.
        ledger: knows the tasks.
        inbox: of the main loop, which publishes.
    """

    def __init__(self, revoking: Revoking, tell: Tell, pool: Pool, ledger: Ledger, inbox: Inbox) -> None:
        self._revoking = revoking
        self._tell = tell
        self._pool = pool
        self._ledger = ledger
        self._inbox = inbox

    def do(self) -> float:
        """A short turn; seconds until the next is wanted, at the latest."""
        self._revoking.do()
        if not self._tell.wanted:
            return IDLE_S
        running = [(self._ledger.get(each.tag), each.at) for each in self._pool.running()]
        if self._tell.begun([(entry, at) for entry, at in running if entry is not None]):
            self._inbox.poke()
        return LOOK_S
