"""The pool contract, version 1: where task bodies run.

The node hands *jobs* to a pool; the pool hands them to *executors*. An executor turns a job into something finished
(:meth:`Executor.run`), and finished work into reports (:meth:`Executor.commit`: results stored, follow-ups published).
The two steps are apart so that a pool may commit several short tasks with one write, and must commit at once when
nothing else waits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple

from kernel.contracts.broker import SettleKind
from kernel.contracts.capabilities import PoolCaps

NO_DETAIL: Final[Mapping[str, object]] = {}


class Job(NamedTuple):
    """One delivery to run. Picklable; ``payload`` is the executor's business.

    Attributes:
        tag: the node's own number of the delivery.
        task: task name, for run-time estimates and logs.
        id: task id.
        payload: what :meth:`Executor.run` needs.
        soft_limit: seconds until ``SoftTimeLimitExceeded`` is raised in the body; None for no limit.
        hard_limit: seconds until the executor is killed; None for no limit.
    """

    tag: int
    task: str
    id: str
    payload: Any
    soft_limit: float | None = None
    hard_limit: float | None = None


class Report(NamedTuple):
    """What an executor says of one job after commit: how to settle its delivery, and what to tell the world.

    ``state`` is the state reached (features.md 1.4), ``events`` are monitoring events to publish, ``log`` is the line
    for the worker's log with its level, ``detail`` travels to custom request handlers.
    """

    tag: int
    settlement: SettleKind
    state: str
    runtime_s: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    events: tuple[Mapping[str, object], ...] = ()
    log: tuple[int, str] | None = None
    detail: Mapping[str, object] = NO_DETAIL


class LossCause(StrEnum):
    """Why an executor ended without a report."""

    EXITED = "exited"
    HARD_LIMIT = "hard_limit"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Loss:
    """A job whose executor is gone. ``exitcode`` is negative for a signal; ``runtime_s`` is since its start."""

    tag: int
    cause: LossCause
    exitcode: int | None = None
    runtime_s: float = 0.0
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A job that an executor has begun: in which process, and at what Unix time."""

    tag: int
    pid: int
    at: float


class SoftLimiter(ABC):
    """Raises ``SoftTimeLimitExceeded`` in the current body; provided by the pool."""

    @abstractmethod
    def arm(self, seconds: float, expire: Callable[[], bool] | None = None) -> AbstractContextManager[None]:
        """Limit the enclosed block. Leaving the block disarms; nothing is ever raised after it.

        Args:
            seconds: until the exception is raised, above 0.
            expire: asked first when the time is over. True means that it interrupts the body itself and nothing is to
                be raised here. For bodies on an event loop, where raising in the thread would hit the loop instead of
                the body: give ``SoftLimited.expire`` (:mod:`kernel.contracts.soft_limit`).
        """


class Executor(ABC):
    """Runs jobs. Built in the process that runs them, after fork.

    A pool may call ``commit`` in one thread while ``run`` is busy in another, and, where bodies run in threads, both
    of them in several threads at once.

    Attributes:
        number: from 1, set before :meth:`open` by a pool whose executors are processes of their own; the one that
            replaces another may get its number. 0 elsewhere.
    """

    number: int = 0

    @abstractmethod
    def open(self) -> None:
        """Prepare this process: task registry, hooks, lazily connecting drivers."""

    @abstractmethod
    def run(self, job: Job, limiter: SoftLimiter | None) -> Any:
        """Run the body, an ``async def`` one too. Never raises what a body, message or result can cause.

        Returns:
            Something finished, to be given to :meth:`commit`. If it has an attribute ``urgent`` that is true, the
            pool commits it at once.
        """

    @abstractmethod
    async def run_async(self, job: Job, limiter: SoftLimiter | None) -> Any:
        """The same on the running event loop.

        The soft limit of an ``async def`` body is the executor's to keep
        (:class:`~kernel.contracts.soft_limit.SoftLimited`). A plain function body runs in a thread of the loop, where
        ``limiter`` works.
        """

    @abstractmethod
    def commit(self, finished: Sequence[Any]) -> list[Report]:
        """Publish what follows and store results, retrying; then say how to settle. 1:1 in input order."""

    @abstractmethod
    def close(self) -> None:
        """Close drivers and run process-shutdown hooks."""


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How a pool is set up.

    Attributes:
        size: executors, or tasks at a time.
        max_tasks_per_child: jobs after which a child is replaced; None for never.
        max_memory_per_child_kib: resident memory after which a child is replaced; None for never.
        start_method: ``fork`` or ``spawn``.
        lost_wait_s: how long children of a dead node may finish their running task.
        start_timeout_s: how long a child may take to get ready.
        handout_s: run time that one hand-out of short tasks may add up to.
        handout_max: most jobs in one hand-out.
        most: the size it may be asked to grow to; less than ``size`` when nobody knows.
    """

    size: int = 1
    max_tasks_per_child: int | None = None
    max_memory_per_child_kib: int | None = None
    start_method: str = "fork"
    lost_wait_s: float = 10.0
    start_timeout_s: float = 30.0
    handout_s: float = 0.02
    handout_max: int = 128
    most: int = 0


class PoolListener(ABC):
    """The node's ear. Methods are called from the pool's own thread and return quickly."""

    @abstractmethod
    def started(self, tag: int, pid: int, at: float) -> None:
        """An executor began this job at Unix time ``at``. Only called when the pool was asked to tell starts."""

    @abstractmethod
    def reported(self, reports: Sequence[Report]) -> None:
        """Jobs finished and were committed; capacity may have grown."""

    @abstractmethod
    def lost(self, losses: Sequence[Loss]) -> None:
        """Executors ended while running these jobs. Jobs behind them were handed to other executors."""

    @abstractmethod
    def room(self) -> None:
        """Capacity grew without a report, as when a child got ready."""


ExecutorFactory = Callable[[], Executor]


class Pool(ABC):
    """Runs jobs on executors (contract ``pool/1``).

    Args:
        options: sizes and limits.
        factory: builds an executor; called in every process that runs bodies. Picklable for ``spawn``.
        listener: told what happens.
        tell_starts: whether ``listener.started`` is wanted.
    """

    name: ClassVar[str]

    @abstractmethod
    def __init__(
        self, options: PoolOptions, factory: ExecutorFactory, listener: PoolListener, tell_starts: bool = False
    ) -> None: ...

    @classmethod
    @abstractmethod
    def capabilities(cls) -> PoolCaps:
        """What this pool can enforce."""

    @abstractmethod
    def prepare(self) -> None:
        """Called first, while the process has a single thread and no driver is open: fork what must be forked."""

    @abstractmethod
    def start(self) -> None:
        """Begin: start executors and the pool's own thread.

        Raises:
            WorkerLostError: no executor gets ready; the message says why.
        """

    @abstractmethod
    def room(self) -> int:
        """How many jobs ``submit`` takes now without one waiting behind a long-running task.

        Raises:
            WorkerLostError: the pool is broken and can run nothing any more.
        """

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> None:
        """Run these; at most what ``room`` said."""

    @abstractmethod
    def outstanding(self) -> frozenset[int]:
        """Tags submitted and not yet reported or lost."""

    @abstractmethod
    def withdraw(self) -> list[int]:
        """Take back jobs that certainly have not begun; their tags. For shutdown."""

    def running(self) -> list[Running]:
        """What executors have begun and not finished, as far as known: for people who look. From any thread.

        The default body knows nothing.
        """
        return []

    def discard(self, tags: Collection[int]) -> list[int]:
        """Take back those of these jobs that certainly have not begun; their tags. Of the others nothing changes.

        The default body takes none back: they run.
        """
        return []

    def resize(self, size: int) -> None:
        """Have this many executors, or tasks at a time (capability ``resize``). Returns at once, from any thread.

        New executors get ready in a while; of those that are too many, busy ones go when they have finished.

        Raises:
            ValueError: for a size the pool cannot have.
            NotImplementedError: the pool cannot change its size.
        """
        raise NotImplementedError(f"The pool {self.name!r} cannot change its size.")

    @abstractmethod
    def terminate(self, tag: int, signal: int) -> bool:
        """End one running job; False when it is not running or the pool cannot."""

    @abstractmethod
    def join(self, timeout_s: float) -> bool:
        """Wait until nothing is outstanding; whether that was reached."""

    @abstractmethod
    def stop(self) -> None:
        """End all executors: idle ones orderly, running ones by force. No thread or process is left.

        Callable once, also after a failed ``start``. Jobs that were running are neither reported nor lost; the node
        that stops its pool knows them from ``outstanding``.
        """

    @abstractmethod
    def stats(self) -> dict[str, object]:
        """What ``inspect stats`` shows of the pool; at least ``implementation``, ``max-concurrency``, ``processes``."""
