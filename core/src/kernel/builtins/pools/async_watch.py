"""Notices that an event loop is blocked, and shows where (pains P28)."""

import asyncio
import logging
import sys
import threading
import time
import traceback

BLOCKED_S = 1.0
_PULSE_S = 0.5
_LOOK_S = 0.1
logger = logging.getLogger("kernel.worker")


class LoopWatch:
    """Takes the pulse of a loop while something runs on it, and warns once per blockage.

    Args:
        loop: running in another thread.
        thread: the id of that thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self._loop = loop
        self._of = thread
        self._busy = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="kernel-pool-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def busy(self, something_runs: bool) -> None:
        """Whether anything runs on the loop; while nothing does this thread sleeps."""
        if something_runs is not self._busy.is_set():
            (self._busy.set if something_runs else self._busy.clear)()

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self._busy.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._ended.is_set():
            self._busy.wait()
            self._take_pulse()
            self._ended.wait(_PULSE_S)

    def _take_pulse(self) -> None:
        beat, asked_at = threading.Event(), time.monotonic()
        try:
            self._loop.call_soon_threadsafe(beat.set)
        except RuntimeError:  # the loop is closed: the pool ends
            return
        warned = False
        while not beat.wait(_LOOK_S) and not self._ended.is_set():
            if not warned and time.monotonic() - asked_at > BLOCKED_S:
                warned = True
                self._warn()
        if warned and beat.is_set():
            logger.warning("The event loop goes on after %.1f s", time.monotonic() - asked_at)

    def _warn(self) -> None:
        frame = sys._current_frames().get(self._of)  # noqa: SLF001 - the documented way to see another thread's stack
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "(unknown)\n"
        logger.warning(
            "The event loop of pool async has been blocked for more than %g s: no task makes progress. "
            "Await, or run the blocking call with asyncio.to_thread(). It is here:\n%s",
            BLOCKED_S,
            stack,
        )
