"""How many may publish at once: the producer pool (features.md 1.12)."""

import os
import weakref
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from kernel.errors import Code, OperationalError
from kernel.model.call import Call

Publish = Callable[[Sequence[Call]], None]


class ProducerPool:
    """Slots for publishing. All of them use the one broker driver of the process, which any thread may call.

    Args:
        publish: sends a batch.
        limit: slots; None or 0 is no limit (``broker_pool_limit``).
        timeout_s: seconds to wait for one; None waits until one is free (``broker_pool_acquire_timeout``).
    """

    def __init__(self, publish: Publish, limit: int | None, timeout_s: float | None) -> None:
        self.limit = limit or None
        self._publish = publish
        self._timeout_s = timeout_s
        self._slots: SimpleQueue[None] | None = None
        self.reset()
        _pools.add(self)

    def reset(self) -> None:
        """All slots are free, as in a forked child, where nobody is left to give one back."""
        if self.limit is None:
            return
        slots: SimpleQueue[None] = SimpleQueue()
        for _ in range(self.limit):
            slots.put(None)
        self._slots = slots

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch, holding a slot for that long."""
        slots = self._slots
        if slots is None:
            self._publish(calls)
            return
        self._take(slots, True, self._timeout_s)
        try:
            self._publish(calls)
        finally:
            slots.put(None)

    def acquire(self, block: bool = True, timeout: float | None = None) -> "PooledConnection":
        """Take a slot; a context manager that gives it back.

        Args:
            block: wait for one.
            timeout: seconds to wait; None follows ``broker_pool_acquire_timeout``.

        Raises:
            OperationalError: when none is free, or none became free in time.
        """
        slots = self._slots
        if slots is not None:
            self._take(slots, block, self._timeout_s if timeout is None else timeout)
        return PooledConnection(self._publish, slots)

    def _take(self, slots: "SimpleQueue[None]", block: bool, timeout: float | None) -> None:
        try:
            slots.get(block, timeout)
        except Empty:
            waited = f" after {timeout} s" if block else ""
            raise OperationalError(
                f"All {self.limit} producers of this process are in use{waited}",
                cure="Raise broker_pool_limit, or give connections back sooner.",
                code=Code.EXHAUSTED,
            ) from None


class PooledConnection:
    """A slot of the pool. Give it back with :meth:`release`, or use it in a ``with`` block."""

    def __init__(self, publish: Publish, slots: "SimpleQueue[None] | None") -> None:
        self._publish: Publish | None = publish
        self._slots = slots

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch.

        Raises:
            OperationalError: when it was given back already.
        """
        if self._publish is None:
            raise OperationalError(
                "This connection was given back to the pool", cure="Use it inside its with block.", code=Code.CLOSED
            )
        self._publish(calls)

    def release(self) -> None:
        """Give it back. Idempotent."""
        publish, self._publish = self._publish, None
        if publish is not None and self._slots is not None:
            self._slots.put(None)

    close = release

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


_pools: "weakref.WeakSet[ProducerPool]" = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool.reset()


os.register_at_fork(after_in_child=_after_fork)
