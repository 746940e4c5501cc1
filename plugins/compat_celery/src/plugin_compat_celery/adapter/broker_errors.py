"""``except kombu.exceptions.OperationalError`` around a call catches what the kernel raises there (features.md 1.9)."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kernel.app.ports import Pool
from kernel.errors import OperationalError
from kernel.model.call import Call


class KombuPool:
    """The producer pool; its errors are kombu's as well, in a process that has imported kombu.

    Args:
        pool: the pool itself.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def limit(self) -> int | None:
        """How many may publish at once; None is no limit."""
        return self._pool.limit

    def acquire(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take a connection; a context manager that gives it back."""
        with kombu_errors():
            return self._pool.acquire(block, timeout)

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch.

        Raises:
            OperationalError: the broker did not take all of them; kombu's, too.
        """
        with kombu_errors():
            self._pool.publish(calls)


@contextmanager
def kombu_errors() -> Iterator[None]:
    """Make an ``OperationalError`` from inside one of kombu, too."""
    try:
        yield
    except OperationalError as error:
        foreign = getattr(sys.modules.get("kombu.exceptions"), "OperationalError", None)
        if foreign is not None and not isinstance(error, foreign):
            error.__class__ = _both(type(error), foreign)
        raise


def _both(ours: type[Exception], theirs: type[Exception]) -> Any:
    """A class that is both; its objects are made by changing those of ours, which keeps all that they carry."""
    return type(ours.__name__, (ours, theirs), {"__module__": ours.__module__, "__doc__": ours.__doc__})
