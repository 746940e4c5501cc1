"""Noticing that another connection wrote to the file, without burning the CPU.

SQLite tells nobody that something was written. But every connection can read a number that changes with each write of
another one, for a few microseconds. Right after something happened it is read every half millisecond, later every two:
then a message is seen a millisecond after it was published, at about one percent of a CPU.
"""

import time

from kernel.builtins.sqlite.database import Database
from kernel.builtins.waker import Waker
from kernel.contracts.deadline import Deadline

BUSY_S = 0.000_5
IDLE_S = 0.002
IDLE_AFTER_S = 0.05
GRACE_S = 1.0
"""How long a reading may wait for the file while somebody recovers it after a crash."""


class Pulse:
    """Watches one database for one waiting thread."""

    def __init__(self, database: Database, waker: Waker) -> None:
        self._database = database
        self._waker = waker

    def reading(self) -> int:
        """What to compare with later; take it before looking for what you wait for."""
        return self._database.version(Deadline.after(GRACE_S))

    def wait(self, reading: int, seconds: float, rest: float = 0.0) -> int:
        """Return when the waker is raised, the file was written since ``reading``, or after so many seconds.

        Writes by others are noticed after ``rest`` seconds at the earliest: for a caller whose look is costly. The
        result is the new reading, taken before whatever the caller looks for next.
        """
        start = time.monotonic()
        end = start + seconds
        while True:
            now = time.monotonic()
            pause = max(rest, BUSY_S if now - start < IDLE_AFTER_S else IDLE_S)
            woken = self._waker.wait(min(end - now, pause))
            latest = self.reading()
            if woken or latest != reading or time.monotonic() >= end:
                return latest
