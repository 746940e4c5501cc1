"""Noticing that another connection wrote to the file, without burning the CPU.

SQLite tells nobody that something was written. But every connection can read a number that changes with each write of
another one, for a few microseconds. Right after something was found it is read every half millisecond, later less
often: then a message is seen within two milliseconds of its publication, at little more than one percent of a CPU.
"""

import time

from kernel.builtins.sqlite.database import Database
from kernel.contracts.deadline import Deadline
from kernel.contracts.waker import Waker

STEPS = ((0.05, 0.000_5), (1.0, 0.002))
"""Idle for less than so many seconds → seconds between two readings."""
LONGEST_S = 0.004
GRACE_S = 1.0
"""How long a reading may wait for the file while somebody recovers it after a crash."""


class Pulse:
    """Watches one database for one waiting thread."""

    def __init__(self, database: Database, waker: Waker) -> None:
        self._database = database
        self._waker = waker
        self._active_at = time.monotonic()

    def active(self) -> None:
        """Something was found: more may follow soon."""
        self._active_at = time.monotonic()

    def reading(self) -> int:
        """What to compare with later; take it before looking for what you wait for."""
        return self._database.version(Deadline.after(GRACE_S))

    def wait(self, reading: int, seconds: float, rest: float = 0.0) -> int:
        """Return when the waker is raised, the file was written since ``reading``, or after so many seconds.

        Writes by others are noticed after ``rest`` seconds at the earliest: for a caller whose look is costly. The
        result is the new reading, taken before whatever the caller looks for next.
        """
        end = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            woken = self._waker.wait(min(end - now, max(rest, self._pause(now - self._active_at))))
            latest = self.reading()
            if woken or latest != reading or time.monotonic() >= end:
                return latest

    def _pause(self, idle: float) -> float:
        return next((pause for limit, pause in STEPS if idle < limit), LONGEST_S)
