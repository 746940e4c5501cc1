"""When the next child may be born: at once, unless children fail before they have done anything."""

import logging
import math

_FIRST_S = 0.1
_LONGEST_S = 30.0
MOST_FAILURES = 5
"""Failures in a row after which a pool that never had a child ready gives up."""
logger = logging.getLogger("kernel.worker")


class Births:
    """Backs off while children fail.

    Attributes:
        not_before: monotonic time of the next attempt.
        failures: in a row.
        ever: whether a child was ready at any time.
        why: the last failure.
    """

    def __init__(self) -> None:
        self.not_before = -math.inf
        self.failures = 0
        self.ever = False
        self.why = ""

    @property
    def hopeless(self) -> bool:
        """Whether to give up."""
        return not self.ever and self.failures >= MOST_FAILURES

    def ready(self) -> None:
        """A child is ready."""
        self.ever = True

    def worked(self) -> None:
        """A child has done something: whatever failed before is over."""
        self.failures = 0
        self.not_before = -math.inf

    def failed(self, why: str, now: float) -> None:
        """A child failed before it had done anything."""
        self.failures += 1
        self.why = why
        wait = min(_LONGEST_S, _FIRST_S * 2 ** min(self.failures - 1, 20))
        self.not_before = max(self.not_before, now + wait)
        logger.error("A pool child failed %d times in a row; the next starts in %.1f s. %s", self.failures, wait, why)
