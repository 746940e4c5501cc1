"""A flag that ends waiting for a socket; raised by any thread or a signal handler."""

import contextlib
import os


class PipeWaker:
    """Sticky: raised before the wait begins, it ends that wait at once. ``fd`` is readable while it is raised."""

    def __init__(self) -> None:
        self.fd, self._end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.raised = False

    def wake(self) -> None:
        """Raise it."""
        self.raised = True
        with contextlib.suppress(OSError):  # full: it is raised already; closed: nobody waits
            os.write(self._end, b"!")

    def lower(self) -> None:
        """Lower it."""
        with contextlib.suppress(OSError):
            while os.read(self.fd, 4096):
                pass
        self.raised = False

    def close(self) -> None:
        """Give the descriptors back."""
        for fd in (self.fd, self._end):
            with contextlib.suppress(OSError):
                os.close(fd)
        self.fd = self._end = -1
