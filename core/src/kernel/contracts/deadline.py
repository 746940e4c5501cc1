"""The moment by which a call must have answered."""

import time
from dataclasses import dataclass

from kernel.errors import Code, DriverError


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock. Every blocking call of a driver takes one and obeys it (plus one second)."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self.at

    def check(self, what: str) -> None:
        """Raise when the deadline has passed.

        Raises:
            DriverError: TIMEOUT, naming ``what``.
        """
        if self.passed:
            raise DriverError(Code.TIMEOUT, f"{what} did not finish by its deadline")
