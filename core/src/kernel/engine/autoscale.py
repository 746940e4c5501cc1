"""How many executors a node should have: more while all are busy, fewer after a time of idleness (features.md 2.4)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from kernel.errors import ImproperlyConfigured

KEEPALIVE_S: Final = 30.0
"""How long executors may be idle before they go; the environment's ``AUTOSCALE_KEEPALIVE`` says otherwise."""


def keepalive(environment: Mapping[str, str]) -> float:
    """How long executors may be idle, by the environment.

    Raises:
        ImproperlyConfigured: for something that is no number of seconds.
    """
    text = environment.get("AUTOSCALE_KEEPALIVE") or str(KEEPALIVE_S)
    try:
        return float(text)
    except ValueError:
        raise ImproperlyConfigured(
            f"AUTOSCALE_KEEPALIVE={text!r} is no number of seconds.", cure="Use such as 30."
        ) from None


class Bounds(NamedTuple):
    """The fewest and the most executors."""

    least: int
    most: int

    @classmethod
    def of(cls, one: int, other: int) -> "Bounds":
        """From two numbers in either order.

        Raises:
            ValueError: when one of them is less than 1.
        """
        if min(one, other) < 1:
            raise ValueError(f"a pool keeps at least one executor, not {min(one, other)}")
        return cls(min(one, other), max(one, other))

    def __str__(self) -> str:
        return f"{{min={self.least}, max={self.most}}}"


class Autoscale:
    """Decides; time is passed in. Not safe in several threads.

    A pool all of whose executors are busy grows by half. One that has had idle executors for ``keepalive_s`` without
    a break shrinks to what it needs.

    Args:
        bounds: may be replaced at any time.
        keepalive_s: seconds of patience with idle executors.
    """

    def __init__(self, bounds: Bounds, keepalive_s: float = KEEPALIVE_S) -> None:
        self.bounds = bounds
        self._keepalive_s = keepalive_s
        self._idle_since: float | None = None

    def wanted(self, size: int, busy: int, now: float) -> int:
        """The size the pool should have.

        Args:
            size: what it has.
            busy: tasks that executors have.
            now: monotonic time in seconds.
        """
        if busy >= size:
            self._idle_since = None
            return self._bounded(size + max(1, size // 2))
        if self._idle_since is None:
            self._idle_since = now
        if now - self._idle_since < self._keepalive_s:
            return self._bounded(size)
        return self._bounded(min(size, busy))

    def _bounded(self, size: int) -> int:
        return min(max(size, self.bounds.least), self.bounds.most)
