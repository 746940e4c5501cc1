"""Noticing that another connection wrote to the file, without burning the CPU.

SQLite tells nobody that something was written. But every write goes to the log beside the file, whose time of change
costs one system call to see; and every connection can read a number that changes with each write of another one, which
is exact and costs several. So the number is read only shortly after the log has changed, and now and then to be sure.
Right after something was found this looks every half millisecond, later less often: a message is seen within a few
milliseconds of its publication, at about one percent of a CPU.
"""

import os
import time

from kernel.builtins.sqlite.database import Database
from kernel.contracts.deadline import Deadline
from kernel.contracts.waker import Waker

STEPS = ((0.05, 0.000_5), (1.0, 0.002))
"""Idle for less than so many seconds → seconds between two looks."""
LONGEST_S = 0.005
COARSE_NS = 50_000_000
"""File times are only so exact (a tick of the kernel, with room to spare): a change may hide behind one as young."""
SURE_S = 0.25
GRACE_S = 1.0
"""How long a reading may wait for the file while somebody recovers it after a crash."""


class Pulse:
    """Watches one database for one waiting thread."""

    def __init__(self, database: Database, waker: Waker) -> None:
        self._database = database
        self._waker = waker
        self._log = f"{database.path}-wal"
        self._changed_ns = -1
        self._sure_at = 0.0
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
        now = time.monotonic()
        end = now + seconds
        while True:
            woken = self._waker.wait(min(end - now, max(rest, self._pause(now - self._active_at))))
            now = time.monotonic()
            over = woken or now >= end
            if over or self._may_have_changed(now):
                latest = self.reading()
                if over or latest != reading:
                    return latest

    def _may_have_changed(self, now: float) -> bool:
        try:
            changed_ns = os.stat(self._log).st_mtime_ns  # noqa: PTH116 - hundreds of times a second
        except OSError:
            changed_ns = 0  # there is no log before the first write
        if changed_ns == self._changed_ns and now < self._sure_at and time.time_ns() - changed_ns > COARSE_NS:
            return False
        self._changed_ns, self._sure_at = changed_ns, now + SURE_S
        return True

    def _pause(self, idle: float) -> float:
        return next((pause for limit, pause in STEPS if idle < limit), LONGEST_S)
