"""Soft time limits: by a signal in the main thread, by an asynchronous exception in any other (features.md 2.2)."""

import ctypes
import heapq
import math
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType, TracebackType

from kernel.contracts.pool import SoftLimiter
from kernel.errors import SoftTimeLimitExceeded

_EARLY_S = 0.001
"""A signal this much before its time is ours; an earlier one is left over from a block that has ended."""
_SHORTEST_S = 1e-6
"""A timer set to zero would be a timer switched off."""
_KEEP = 64


class SignalLimiter(SoftLimiter):
    """Limits bodies of the main thread with SIGALRM: interrupts sleeping and waiting in the system, too.

    The handler stays installed and does nothing while no block is armed.
    """

    def __init__(self) -> None:
        self._alarm: _SignalAlarm | None = None

    def install(self) -> None:
        """Take SIGALRM. Called in the main thread."""
        signal.signal(signal.SIGALRM, self._ring)

    def arm(self, seconds: float, expire: Callable[[], bool] | None = None) -> "_SignalAlarm":
        """Limit the enclosed block."""
        return _SignalAlarm(self, seconds, expire)

    def start(self, alarm: "_SignalAlarm") -> None:
        """Begin a block."""
        self._alarm = alarm
        signal.setitimer(signal.ITIMER_REAL, max(alarm.seconds, _SHORTEST_S))

    def finish(self) -> None:
        """End a block. The first line decides: a signal handled after it finds no block."""
        self._alarm = None
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def _ring(self, _signum: int, _frame: FrameType | None) -> None:
        alarm = self._alarm
        if alarm is None or time.monotonic() < alarm.due - _EARLY_S:
            return
        self._alarm = None
        if alarm.expire is not None and alarm.expire():
            return
        raise SoftTimeLimitExceeded(alarm.seconds)


class _SignalAlarm:
    """One armed block."""

    __slots__ = ("_limiter", "due", "expire", "seconds")

    def __init__(self, limiter: SignalLimiter, seconds: float, expire: Callable[[], bool] | None) -> None:
        self._limiter = limiter
        self.seconds = seconds
        self.expire = expire
        self.due = math.inf

    def __enter__(self) -> None:
        self.due = time.monotonic() + self.seconds
        self._limiter.start(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter.finish()


class ThreadLimiter(SoftLimiter):
    """Limits bodies of any thread by raising in it asynchronously.

    CPython delivers such an exception between two bytecodes: a body inside one long call of C code (a sleep, a
    system call) sees it when that call returns. One thread keeps the time of all blocks; it is started by the first.
    """

    def __init__(self) -> None:
        self._came: deque[_ThreadAlarm] = deque()
        self._woken: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._next = math.inf
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def arm(self, seconds: float, expire: Callable[[], bool] | None = None) -> "_ThreadAlarm":
        """Limit the enclosed block of the calling thread."""
        if self._thread is None:
            self._start()
        return _ThreadAlarm(self, seconds, expire)

    def add(self, alarm: "_ThreadAlarm") -> None:
        """Keep the time of a block. Only C calls here: an exception of the alarm itself may strike at once."""
        self._came.append(alarm)
        if alarm.due < self._next:
            self._woken.put(True)

    def close(self) -> None:
        """End the time keeper."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._woken.put(False)
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="kernel-soft-limits", daemon=True)
                self._thread.start()

    def _keep(self) -> None:
        waiting: list[_ThreadAlarm] = []
        compact_at = _KEEP
        while True:
            self._next = math.inf  # an alarm that comes from here on wakes the wait below
            while self._came:
                heapq.heappush(waiting, self._came.popleft())
            now = time.monotonic()
            while waiting and (waiting[0].due <= now or not waiting[0].active):
                heapq.heappop(waiting).ring()
            if len(waiting) >= compact_at:  # blocks left long before their time
                waiting = [alarm for alarm in waiting if alarm.active]
                heapq.heapify(waiting)
                compact_at = max(_KEEP, 2 * len(waiting))
            self._next = waiting[0].due if waiting else math.inf
            if not self._wait():
                return

    def _wait(self) -> bool:
        """Until the next alarm is due or a nearer one comes; False at the end."""
        timeout = None if self._next == math.inf else max(0.0, self._next - time.monotonic())
        try:
            return self._woken.get(timeout=timeout)
        except queue.Empty:
            return True


class _ThreadAlarm:
    """One armed block of one thread."""

    __slots__ = ("_limiter", "_lock", "_thread", "active", "due", "expire", "rung", "seconds")

    def __init__(self, limiter: ThreadLimiter, seconds: float, expire: Callable[[], bool] | None) -> None:
        self._limiter = limiter
        self._lock = threading.Lock()
        self._thread = threading.get_ident()
        self.seconds = seconds
        self.expire = expire
        self.active = True
        self.rung = False
        self.due = math.inf

    def __lt__(self, other: "_ThreadAlarm") -> bool:
        return self.due < other.due

    def ring(self) -> None:
        """The time is over, unless the block has been left. Called by the time keeper."""
        with self._lock:
            if not self.active:
                return
            self.active = False
            if self.expire is not None and self.expire():
                return
            self.rung = True
            _raise_in(self._thread, SoftTimeLimitExceeded)

    def __enter__(self) -> None:
        self.due = time.monotonic() + self.seconds
        self._limiter.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:  # a lock of C code: an exception that strikes here still gives it back
            self.active = False
            if self.rung:
                _deliver_here()  # whatever was not delivered yet must not be, outside the block
        if isinstance(error, SoftTimeLimitExceeded) and not error.args:
            error.args = (self.seconds,)


class _Delivered(BaseException):
    """Takes the place of an exception that was not delivered in time."""


def _deliver_here() -> None:
    """Receive this thread's pending asynchronous exception, if there is one, and drop it.

    Taking it back with NULL would leave CPython's flag for pending exceptions set for ever: every thread would look for
    one at every call, and on Python 3.11 a trace or profile function would never get past it.
    """
    try:
        _raise_in(threading.get_ident(), _Delivered)
        while True:
            pass  # the next jump back delivers it
    except _Delivered:
        pass


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise in a thread, in place of what may be pending there."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def end_thread(thread: int) -> None:
    """Raise SystemExit in a thread that is to end."""
    _raise_in(thread, SystemExit)
