"""Pool ``prefork``: bodies run in child processes that can be killed, limited and replaced (docs/adr).

Three kinds of processes: the node, which owns this pool; the *nursery*, a quiet process forked from the node before
that has threads, which forks and reaps children; and the children, each with a private pipe to the node.
"""

import contextlib
import logging
import math
import os
import select
import threading
import time
from collections.abc import Collection, Sequence
from signal import SIGKILL

from kernel.builtins.pools import prefork_link as link_
from kernel.builtins.pools.prefork_birth import setup
from kernel.builtins.pools.prefork_child import ChildOptions
from kernel.builtins.pools.prefork_crew import Crew
from kernel.builtins.pools.prefork_mark import Marks
from kernel.builtins.pools.prefork_nursery import Control, Plan, fork_nursery
from kernel.builtins.pools.prefork_told import Told
from kernel.contracts.capabilities import PoolCaps
from kernel.contracts.pool import ExecutorFactory, Job, LossCause, Pool, PoolListener, PoolOptions, Running
from kernel.errors import ImproperlyConfigured, WorkerLostError

_WITHDRAW_S = 1.0
_STOP_S = 15.0
_NURSERY_S = 5.0
_CELLS = 4
_SPARE_CELLS = 256
"""Room for children in the shared memory, which is made before they are, and cannot grow."""
logger = logging.getLogger("kernel.worker")


class PreforkPool(Pool):
    """``size`` child processes; the only pool that can enforce everything."""

    name = "prefork"

    def __init__(
        self, options: PoolOptions, factory: ExecutorFactory, listener: PoolListener, tell_starts: bool = False
    ) -> None:
        self._options = options
        self._factory = factory
        self._listener = listener
        self._child = ChildOptions(
            options.max_tasks_per_child, options.max_memory_per_child_kib, options.handout_max, tell_starts
        )
        self._changed = threading.Condition(threading.Lock())
        self._crew: Crew | None = None
        self._control: Control | None = None
        self._marks: Marks | None = None
        self._nursery = 0
        self._thread: threading.Thread | None = None
        self._woken, self._wakes = -1, -1
        self._sleeps_until = -math.inf
        self._telling = False
        self._ended = False

    @classmethod
    def capabilities(cls) -> PoolCaps:
        """Everything."""
        return PoolCaps(hard_limit=True, soft_limit=True, terminate=True, recycle=True, isolates=True, resize=True)

    def prepare(self) -> None:
        """Fork the nursery.

        Raises:
            ImproperlyConfigured: the factory cannot be pickled and the start method is ``spawn``, or there is no such
                start method.
        """
        if self._options.start_method not in ("fork", "spawn"):
            raise ImproperlyConfigured(
                f"There is no start method {self._options.start_method!r}",
                cure="Set worker_pool_start_method to 'fork' or 'spawn'.",
            )
        spawn = self._options.start_method == "spawn"
        first = self._setup() if spawn else None
        if threading.active_count() > 1:
            names = ", ".join(thread.name for thread in threading.enumerate()[1:])
            logger.warning("The pool is forked while threads run (%s); their locks may stay locked in children", names)
        self._marks = Marks.create(_CELLS * max(self._options.size, self._options.most) + _SPARE_CELLS)
        plan = Plan(self._factory, self._child, spawn, self._options.lost_wait_s)
        self._control, self._nursery = fork_nursery(self._marks, plan)
        self._crew = Crew(self._options, self._control, self._marks, first)

    def start(self) -> None:
        """Start children, and return when the first is ready."""
        if self._crew is None:
            raise RuntimeError("start() before prepare()")
        crew = self._crew
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wakes, False)
        self._thread = threading.Thread(target=self._serve, args=(crew,), name="kernel-pool", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: crew.births.ever or crew.births.hopeless or bool(crew.broken))
            ready, why = crew.births.ever, crew.births.why or crew.broken
        if not ready:
            last = why.strip().splitlines()[-1] if why.strip() else "for no known reason"
            raise WorkerLostError(
                f"No pool child gets ready: {last}", cure="Start with --pool solo to see the failure in this process."
            )

    def room(self) -> int:
        """How many jobs the children take now."""
        with self._changed:
            return self._sound().room(time.monotonic())

    def submit(self, jobs: Sequence[Job]) -> None:
        """Hand jobs to children, in this thread: a job for an idle child costs no other thread's turn."""
        with self._changed:
            crew, now = self._sound(), time.monotonic()
            crew.submit(jobs, now)
            if crew.told or crew.nearest(now) < self._sleeps_until:
                self._wake()

    def outstanding(self) -> frozenset[int]:
        """Tags submitted and not reported or lost."""
        with self._changed:
            return frozenset(self._crew.tags() if self._crew else ())

    def withdraw(self) -> list[int]:
        """Take back what has not begun: here at once, from children within a second at most."""
        with self._changed:
            if self._crew is None:
                return []
            crew = self._crew
            crew.ask_back()
            self._wake()
            self._changed.wait_for(crew.answered, _WITHDRAW_S)
            return crew.take_back()

    def running(self) -> list[Running]:
        """See :meth:`Pool.running`: what the children's marks say."""
        with self._changed:
            hands = list(self._crew.hands.values()) if self._crew else []
            return [running for hand in hands if (running := hand.running()) is not None]

    def discard(self, tags: Collection[int]) -> list[int]:
        """See :meth:`Pool.discard`: what no child has been given, or was asked back."""
        with self._changed:
            return [] if self._crew is None else self._crew.discard(tags)

    def resize(self, size: int) -> None:
        """See :meth:`Pool.resize`."""
        with self._changed:
            crew = self._sound()
            most = 0 if self._marks is None else self._marks.cells // 2
            if not 1 <= size <= most:
                raise ValueError(f"This pool can have 1 to {most} children, not {size}.")
            crew.size = size
            self._wake()

    def terminate(self, tag: int, signal: int) -> bool:
        """Signal the child that runs this job, if it still does when the signal comes.

        The signals that children ignore (INT, QUIT, HUP) are sent as TERM.
        """
        with self._changed:
            return self._crew is not None and self._crew.end(tag, signal, LossCause.TERMINATED)

    def join(self, timeout_s: float) -> bool:
        """Wait until everything is reported or lost, and the listener knows."""
        with self._changed:
            return self._changed.wait_for(self._at_rest, timeout_s)

    def stop(self) -> None:
        """End all children, the nursery and the thread."""
        if self._crew is not None and self._thread is not None:
            with self._changed:
                crew = self._crew
                crew.dismiss(time.monotonic())
                self._wake()
                self._changed.wait_for(lambda: not crew.hands, _STOP_S)
                self._ended = True
                self._wake()
            self._thread.join()
            self._thread = None
            crew.close()
            os.close(self._woken)
            os.close(self._wakes)
        self._end_nursery()
        if self._marks is not None:
            self._marks.close()
            self._marks = None

    def stats(self) -> dict[str, object]:
        """What ``inspect stats`` shows."""
        with self._changed:
            crew = self._crew
            pids = [hand.pid for hand in crew.hands.values() if hand.ready] if crew else []
            done, size = (crew.done, crew.size) if crew else (0, self._options.size)
        return {
            "implementation": "kernel.builtins.pools.prefork:PreforkPool",
            "max-concurrency": size,
            "processes": pids,
            "max-tasks-per-child": self._options.max_tasks_per_child,
            "max-memory-per-child": self._options.max_memory_per_child_kib,
            "timeouts": [None, None],
            "start-method": self._options.start_method,
            "writes": {"total": done},
        }

    def _setup(self) -> link_.Frame:
        try:
            return setup(self._factory, self._child)
        except Exception as error:
            raise ImproperlyConfigured(
                f"Start method 'spawn' needs a factory that can be pickled: {error}",
                cure="Name the application by its import path, or use the start method 'fork'.",
            ) from error

    def _sound(self) -> Crew:
        if self._crew is None:
            raise RuntimeError("The pool has not been prepared")
        if self._crew.broken:
            raise WorkerLostError(f"The pool cannot go on: {self._crew.broken}", cure="Restart the worker.")
        return self._crew

    def _at_rest(self) -> bool:
        return self._crew is None or not (self._crew.tags() or self._crew.told or self._telling)

    def _wake(self) -> None:
        if self._thread is not None:
            with contextlib.suppress(BlockingIOError):  # full of wishes to wake: it will
                os.write(self._wakes, b"!")

    def _serve(self, crew: Crew) -> None:
        """The pool's thread: hears children and the nursery, keeps limits, tells the listener."""
        try:
            self._loop(crew)
        except Exception as error:
            logger.critical("The thread of the pool failed", exc_info=True)
            with self._changed:
                crew.broken = f"its thread failed: {type(error).__name__}: {error}"
                self._changed.notify_all()

    def _loop(self, crew: Crew) -> None:
        ready: set[int] = set()
        while True:
            with self._changed:
                if self._ended:
                    return
                told = self._step(crew, ready)
                self._telling = bool(told)
                if not told:
                    now = time.monotonic()
                    self._sleeps_until = crew.check(now)
                    poll = self._poll(crew)
                    wait_ms = None if self._sleeps_until == math.inf else max(0.0, self._sleeps_until - now) * 1000 + 1
                self._changed.notify_all()
            if told:
                told.tell(self._listener)
                ready = set()
            else:
                ready = {fd for fd, _ in poll.poll(wait_ms)}

    def _step(self, crew: Crew, ready: set[int]) -> Told:
        now = time.monotonic()
        if self._woken in ready:
            os.read(self._woken, 4096)
        for hand in list(crew.hands.values()):
            if hand.link is not None and hand.link.fileno() in ready:
                crew.hear(hand, now)
        if self._control is not None and self._control.fileno() in ready:
            crew.hear_nursery(now)
        told, crew.told = crew.told, Told()
        return told

    def _poll(self, crew: Crew) -> select.poll:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        if self._control is not None and not crew.broken:
            poll.register(self._control, select.POLLIN)
        for hand in crew.hands.values():
            if hand.link is not None and not hand.link.ended:
                poll.register(hand.link, select.POLLIN | (select.POLLOUT if hand.link.waiting else 0))
        return poll

    def _end_nursery(self) -> None:
        """It ends when its line is closed; by force when it does not."""
        control, self._control = self._control, None
        if control is None:
            return
        control.close()
        due = time.monotonic() + _NURSERY_S
        while time.monotonic() < due:
            if os.waitpid(self._nursery, os.WNOHANG)[0]:
                return
            time.sleep(0.002)
        os.kill(self._nursery, SIGKILL)
        os.waitpid(self._nursery, 0)
