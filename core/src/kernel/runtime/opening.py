"""Opening a driver once for all threads of a process, and never waiting longer than asked.

A server that does not answer makes the first thread wait; those that come meanwhile wait with it and share its
failure, instead of trying one after the other.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import Driver
from kernel.errors import Code, DriverError

D = TypeVar("D", bound=Driver)


class Opening(Generic[D]):
    """One driver, opened when it is first needed, and again after it was taken.

    Args:
        make: builds the driver without opening it.
        name: what it is, for messages.
    """

    def __init__(self, make: Callable[[], D], name: str) -> None:
        self._make = make
        self._name = name
        self._lock = threading.Lock()
        self._failure: tuple[float, DriverError] | None = None
        self.driver: D | None = None

    def get(self, deadline: Deadline) -> D:
        """The open driver.

        Raises:
            DriverError: as its ``open``; TIMEOUT when another thread still tries at the deadline.
        """
        if self.driver is not None:
            return self.driver
        came = time.monotonic()
        if not self._lock.acquire(timeout=deadline.left()):
            raise DriverError(Code.TIMEOUT, f"The {self._name} was not open in time: another thread still tries")
        try:
            if self.driver is None:
                self._share_failure(came)
                self.driver = self._opened(deadline)
            return self.driver
        finally:
            self._lock.release()

    def take(self) -> D | None:
        """Let go of the driver, to close it; a later :meth:`get` makes a new one."""
        driver, self.driver = self.driver, None
        return driver

    def after_fork(self) -> None:
        """In a child process."""
        self._lock = threading.Lock()
        if self.driver is not None:
            self.driver.after_fork()

    def _opened(self, deadline: Deadline) -> D:
        driver = self._make()
        try:
            driver.open(deadline)
        except DriverError as error:
            self._failure = time.monotonic(), error
            raise
        return driver

    def _share_failure(self, came: float) -> None:
        """Fail as the thread did that tried while this one waited."""
        if self._failure is None or self._failure[0] < came:
            return
        error = self._failure[1]
        raise DriverError(
            Code(error.code), str(error), retryable=error.retryable, retry_after=error.retry_after, cure=error.cure
        ) from error
