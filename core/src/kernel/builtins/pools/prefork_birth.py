"""How a child comes to life: after a fork in the nursery, or as a fresh interpreter."""

import contextlib
import faulthandler
import gc
import json
import os
import pickle
import signal
import socket
import sys
import traceback

from kernel.builtins.pools import prefork_link as link_
from kernel.builtins.pools.prefork_child import Child, ChildOptions
from kernel.builtins.pools.prefork_link import Link
from kernel.builtins.pools.prefork_mark import Mark, Marks
from kernel.contracts.pool import ExecutorFactory

IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""A terminal sends these to every process of the group; what they mean is the node's decision."""
_DEFAULT = (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)
_FAILED = 70
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import main; main()"


def reset_signals() -> None:
    """The dispositions of a child: what the node installed is the node's alone."""
    signal.set_wakeup_fd(-1)
    for each in IGNORED:
        signal.signal(each, signal.SIG_IGN)
    for each in _DEFAULT:
        signal.signal(each, signal.SIG_DFL)


def live(link: Link, mark: Mark, factory: ExecutorFactory, options: ChildOptions) -> int:
    """Be a child to its end; the exit code."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no stderr: then no dump
        faulthandler.register(signal.SIGUSR1, all_threads=True)
    try:
        executor = factory()
        executor.number = mark.number + 1
        executor.open()
    except BaseException:  # noqa: BLE001 - the node is told, whatever it was
        link.send((link_.FAILED, traceback.format_exc()))
        return _FAILED
    Child(link, mark, executor, options).work()
    executor.close()
    return 0


def leave(code: int) -> None:
    """End this process without the parent's exit handlers."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def become_interpreter(sock: socket.socket, marks: Marks, cell: int) -> None:
    """Replace this process by a fresh interpreter that calls :func:`main`."""
    for fd in (sock.fileno(), marks.fd):
        os.set_inheritable(fd, True)
    arguments = [json.dumps(sys.path), *map(str, (sock.fileno(), marks.fd, marks.cells, cell))]
    os.execv(sys.executable, [sys.executable, "-c", _BOOT.format(module=__name__), *arguments])  # noqa: S606 - our own interpreter and arguments


def setup(factory: ExecutorFactory, options: ChildOptions) -> link_.Frame:
    """The first frame to a fresh interpreter.

    Raises:
        Exception: what pickle raises for a factory it cannot carry.
    """
    return (link_.SETUP, pickle.dumps((factory, options), 5))


def main() -> None:
    """A fresh interpreter: its factory comes through the pipe."""
    sock, marks_fd, cells, cell = map(int, sys.argv[2:6])
    for fd in (sock, marks_fd):
        os.set_inheritable(fd, False)
    link = Link(socket.socket(fileno=sock))
    mark = Marks(marks_fd, cells).cell(cell)
    code = _FAILED
    try:
        frame = None
        while frame is None and not link.ended:
            frame = _first(link)
        if frame is not None:
            factory, options = pickle.loads(frame[1])  # noqa: S301 - from our own parent, over a private pipe
            gc.freeze()
            code = live(link, mark, factory, options)
    except BaseException:  # noqa: BLE001 - the node is told, whatever it was
        link.send((link_.FAILED, traceback.format_exc()))
    finally:
        leave(code)


def _first(link: Link) -> link_.Frame | None:
    """The setup frame; it is sent alone, jobs follow only after READY."""
    frames = link.read(wait=True)
    return frames[0] if frames else None
