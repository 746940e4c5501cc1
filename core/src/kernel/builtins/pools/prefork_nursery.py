"""The nursery: a small process with one thread that forks the children of a prefork pool and outlives a dead node.

The node has threads and open drivers soon after its start and must not be forked then. The nursery is forked from it
before that, has the application imported, and does nothing else: so children can be replaced at any time, share their
memory copy-on-write, and are certain to be ended when the node is killed.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback
from dataclasses import dataclass
from enum import IntEnum

from kernel.builtins.pools.prefork_birth import IGNORED, become_interpreter, leave, live, reset_signals
from kernel.builtins.pools.prefork_child import ChildOptions
from kernel.builtins.pools.prefork_link import Link
from kernel.builtins.pools.prefork_mark import Marks
from kernel.contracts.pool import ExecutorFactory

_RECORD = struct.Struct("=iiqq")
_STOPS_S = 0.2
"""How long a child may take to stop for a look at what it is doing; one in a system call takes longer."""
_CRASHED = 70


class Order(IntEnum):
    """What the node asks: BEAR (child, cell); KILL (child, signal); END (child, signal, tag), while it runs tag."""

    BEAR = 1
    KILL = 2
    END = 3


class News(IntEnum):
    """What the nursery tells: BORN (child, pid) with the socket, UNBORN (child, errno), GONE (child, wait status)."""

    BORN = 1
    UNBORN = 2
    GONE = 3


Record = tuple[int, int, int, int]
"""Kind, child, and two more numbers."""


class Control:
    """The node's and the nursery's line: records of one size, some with a descriptor."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        """The descriptor, for poll and selectors."""
        return self._sock.fileno()

    def send(self, kind: int, child: int, first: int = 0, second: int = 0, fd: int | None = None) -> None:
        """Send one record.

        Raises:
            OSError: the other end is gone.
        """
        record = _RECORD.pack(kind, child, first, second)
        if fd is None:
            self._sock.sendall(record)
        else:
            socket.send_fds(self._sock, [record], [fd])

    def receive(self) -> tuple[Record, int | None] | None:
        """The next record and its descriptor, blocking; None when the other end is gone."""
        data, descriptor = b"", None
        while len(data) < _RECORD.size:
            try:
                came, fds, _, _ = socket.recv_fds(self._sock, _RECORD.size - len(data), 1)
            except OSError:
                came, fds = b"", []
            if not came:
                return None
            data += came
            for fd in fds:
                os.set_inheritable(fd, False)
                descriptor = fd
        return _RECORD.unpack(data), descriptor

    def close(self) -> None:
        """Close this end."""
        self._sock.close()


@dataclass(frozen=True, slots=True)
class Plan:
    """How the nursery makes children.

    Attributes:
        factory: builds the executor of a forked child.
        options: limits of every child.
        spawn: whether children are fresh interpreters, which get factory and options through their pipe.
        lost_wait_s: how long children of a dead node may finish.
    """

    factory: ExecutorFactory
    options: ChildOptions
    spawn: bool
    lost_wait_s: float


class Nursery:
    """The nursery process, from fork to exit."""

    def __init__(self, control: Control, marks: Marks, plan: Plan) -> None:
        self._control = control
        self._marks = marks
        self._plan = plan
        self._pids: dict[int, int] = {}
        self._cells: dict[int, int] = {}
        self._woken = -1
        self._wakes = -1

    def run(self) -> None:
        """Serve the node until it is gone, then see the children off."""
        self._settle_in()
        while self._serve():
            self._reap()
        self._see_off()

    def _settle_in(self) -> None:
        reset_signals()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the node ends it, or the death of the node
        self._woken, self._wakes = os.pipe()
        for fd in (self._woken, self._wakes):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda _signum, _frame: None)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        with contextlib.suppress(OSError), open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted
            os.dup2(nothing.fileno(), 0)
        gc.freeze()

    def _serve(self) -> bool:
        """Wait for an order or a death; False when the node is gone."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        ready = {fd for fd, _ in poll.poll()}
        if self._woken in ready:
            self._drain()
        if self._control.fileno() not in ready:
            return True
        order = self._control.receive()
        if order is None:
            return False
        (kind, child, first, second), _ = order
        match kind:
            case Order.BEAR:
                self._bear(child, first)
            case Order.KILL:
                self._signal(child, first)
            case Order.END:
                self._end(child, first, second)
        return True

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._woken, 4096):
                pass

    def _bear(self, child: int, cell: int) -> None:
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            self._tell(News.UNBORN, child, error.errno or 0)
            return
        if pid == 0:
            self._be_born(theirs, ours, cell)
        theirs.close()
        self._pids[child] = pid
        self._cells[pid] = cell
        self._tell(News.BORN, child, pid, fd=ours.fileno())
        ours.close()

    def _be_born(self, sock: socket.socket, nodes: socket.socket, cell: int) -> None:
        code = _CRASHED
        try:
            reset_signals()
            nodes.close()
            self._control.close()
            os.close(self._woken)
            os.close(self._wakes)
            if self._plan.spawn:
                become_interpreter(sock, self._marks, cell)
            code = live(Link(sock), self._marks.cell(cell), self._plan.factory, self._plan.options)
        except BaseException:  # noqa: BLE001 - nothing may unwind into the nursery's own loop
            traceback.print_exc()
        finally:
            leave(code)

    def _signal(self, child: int, number: int) -> None:
        pid = self._pids.get(child)  # reaped ones are not in it: no other process can be hit
        if pid is not None:
            os.kill(pid, number)

    def _end(self, child: int, number: int, tag: int) -> None:
        """Signal a child while it certainly runs this job: stop it, look, signal, let it go on."""
        pid = self._pids.get(child)
        if pid is None:
            return
        os.kill(pid, signal.SIGSTOP)
        if not self._stops(pid):
            return
        seen = self._marks.cell(self._cells[pid]).read()
        if seen.running and seen.tag == tag:
            os.kill(pid, signal.SIGTERM if number in IGNORED else number)
        os.kill(pid, signal.SIGCONT)

    def _stops(self, pid: int) -> bool:
        """Wait until it has stopped; False when it ended instead."""
        due = time.monotonic() + _STOPS_S
        while time.monotonic() < due:
            found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if found and os.WIFSTOPPED(status):
                return True
            if found:
                self._buried(pid, status)
                return False
            time.sleep(0.0005)
        return True

    def _reap(self) -> None:
        while self._pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._buried(pid, status)

    def _buried(self, pid: int, status: int) -> None:
        child = next((child for child, each in self._pids.items() if each == pid), None)
        if child is not None:
            del self._pids[child], self._cells[pid]
            self._tell(News.GONE, child, status)

    def _tell(self, news: News, child: int, first: int, fd: int | None = None) -> None:
        with contextlib.suppress(OSError):  # the node is gone: the next receive says so
            self._control.send(news, child, first, fd=fd)

    def _see_off(self) -> None:
        """The node is gone. Children end by themselves after the job in progress; later ones are killed."""
        due = time.monotonic() + self._plan.lost_wait_s
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        self._reap()
        while self._pids and (left := due - time.monotonic()) > 0:
            poll.poll(left * 1000)
            self._drain()
            self._reap()
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
        while self._pids:
            self._buried(*os.waitpid(-1, 0))


def fork_nursery(marks: Marks, plan: Plan) -> tuple[Control, int]:
    """Fork the nursery; the node's end of the line and its pid."""
    ours, theirs = socket.socketpair()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()  # or the child writes it a second time
    gc.collect()
    gc.freeze()  # so that the first collection in a child does not copy every page
    pid = os.fork()
    if pid == 0:
        code = _CRASHED
        try:
            ours.close()
            Nursery(Control(theirs), marks, plan).run()
            code = 0
        except BaseException:  # noqa: BLE001 - nothing may unwind into the node's own stack
            traceback.print_exc()
        finally:
            leave(code)
    gc.unfreeze()
    theirs.close()
    return Control(ours), pid
