"""Pid files: which process runs under a name, held by a lock for as long as it lives (features.md 2.4).

A number in a file says little: after a crash it may be that of any other process. So the file is locked, and whoever
wants to know whether its process lives asks for the lock.
"""

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kernel.cli.exits import CommandError, Exit

_HANDED_OVER: Final = "KERNEL_PIDFILE_FD"
"""Environment: the descriptor of the locked file, over an exec of the same process."""
_PATIENCE_S: Final = 1.0
"""Somebody may be asking for the lock at this moment; a process that lives keeps it longer."""


class PidFile:
    """The pid file of this process, from ``with`` to its end; then it is removed.

    Args:
        path: where.

    Raises:
        CommandError: when a living process holds it, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._pid = 0

    def __enter__(self) -> Self:
        try:
            self._fd = self._adopt() or self._lock()
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise CommandError(
                Exit.CANT_CREATE,
                f"The pid file {str(self.path)!r} cannot be written: {error.strerror}.",
                cure="Choose a place with --pidfile that this user may write to.",
            ) from error
        self._pid = os.getpid()
        os.register_at_fork(after_in_child=self._let_go)  # or a child would hold it longer than this process lives
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid == os.getpid():
            with contextlib.suppress(OSError):
                if _same(self._fd, self.path):  # somebody may have removed it, and another process made its own
                    self.path.unlink()
            self._let_go()

    def hand_over(self) -> None:
        """Keep the lock over an exec of this process, which opens the same pid file again."""
        os.set_inheritable(self._fd, True)
        os.environ[_HANDED_OVER] = str(self._fd)

    def _adopt(self) -> int:
        """The descriptor handed over, if it is this file's; 0 for none."""
        given = os.environ.pop(_HANDED_OVER, "")
        if not given.isdecimal():
            return 0
        fd = int(given)
        with contextlib.suppress(OSError):
            os.set_inheritable(fd, False)
            if _same(fd, self.path):
                return fd
            os.close(fd)
        return 0

    def _lock(self) -> int:
        due = time.monotonic() + _PATIENCE_S
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if _locked_by_us(fd) and _same(fd, self.path):  # its last owner may have removed it meanwhile
                return fd
            os.close(fd)
            if time.monotonic() > due:
                raise CommandError(
                    Exit.CANT_CREATE,
                    f"The pid file {str(self.path)!r} is held by process {read_pid(self.path) or '?'}, which runs.",
                    cure="It runs already. Stop it first, or give this one a name and a --pidfile of its own.",
                )
            time.sleep(_PATIENCE_S / 20.0)

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def living(path: Path) -> int | None:
    """The pid of the process that holds a pid file; None when the file is missing, or its process is gone.

    Raises:
        CommandError: when it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandError(
            Exit.CANT_CREATE, f"The pid file {str(path)!r} cannot be read: {error.strerror}.", cure="Choose another."
        ) from error
    try:
        return None if _locked_by_us(fd, shared=True) else read_pid(path)
    finally:
        os.close(fd)


def read_pid(path: Path) -> int | None:
    """The number in a pid file, None for anything else."""
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii"))
    return None


def _locked_by_us(fd: int, *, shared: bool = False) -> bool:
    """Whether the lock is free, and so ours now."""
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
            raise
        return False
    return True


def _same(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
