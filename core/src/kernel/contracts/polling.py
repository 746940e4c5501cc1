"""Waiting for results by looking again and again, at growing intervals."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError

FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.5
LAST_LOOK_S = 0.5
"""What the look after the deadline may take: what became ready during the last pause is found by it."""


class Looked(Protocol):
    """What a look finds: a record."""

    @property
    def id(self) -> str:
        """Of its task."""

    @property
    def ready(self) -> bool:
        """Whether it is final."""


R = TypeVar("R", bound=Looked)


def poll(
    look: Callable[[Sequence[str], Deadline], Sequence[R | None]],
    ids: Sequence[str],
    need: int,
    deadline: Deadline,
    pause: Callable[[float], object] = time.sleep,
) -> list[R]:
    """Look until ``need`` of ``ids`` are ready, or the deadline has passed; only what is missing is looked for.

    Args:
        look: reads records in the order of its ids, as :meth:`kernel.contracts.ResultBackend.fetch` does.
        ids: what is waited for.
        need: how many are enough.
        deadline: when to answer with what is ready.
        pause: waits so many seconds, or until there is something to look at.

    Raises:
        DriverError: what a look came to before the deadline; after it, only when no look has ever succeeded.
    """
    ready: dict[str, R] = {}
    missing = list(dict.fromkeys(ids))
    looked, seconds = False, FIRST_PAUSE_S
    while True:
        last = deadline.passed
        try:
            for record in look(missing, Deadline.after(LAST_LOOK_S) if last else deadline):
                if record is not None and record.ready:
                    ready[record.id] = record
            looked = True
        except DriverError as error:
            in_time = not last and not (error.code is Code.TIMEOUT and deadline.passed)
            if in_time or (last and not looked):
                raise
        missing = [one for one in missing if one not in ready]
        known = [ready[one] for one in ids if one in ready]
        if len(known) >= need or last:
            return known
        pause(min(seconds, deadline.left()))
        seconds = min(seconds * 1.5, LONGEST_PAUSE_S)
