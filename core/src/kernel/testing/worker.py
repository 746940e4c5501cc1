"""A worker inside the test's own process (features.md 2.12)."""

import threading
from types import TracebackType
from typing import Self, Unpack

from kernel.app.kernel import Kernel
from kernel.app.worker import Worker
from kernel.app.worker_options import WorkerOptions
from kernel.errors import ImproperlyConfigured
from kernel.runtime.shutdown import Level

READY_S = 30.0
STOP_S = 10.0


class WorkerThread:
    """Runs a worker in a thread; a context manager, made by :func:`start_worker`.

    Args:
        worker: the worker.
        stop_s: seconds that what still runs is given at the end of the block, before it is ended.

    Attributes:
        worker: the worker.
    """

    def __init__(self, worker: Worker, stop_s: float = STOP_S) -> None:
        self.worker = worker
        self._stop_s = stop_s
        self._error: BaseException | None = None
        self._thread = self._make_thread()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._error is not None and error is None:
            raise self._error

    def restart(self) -> None:
        """Stop the worker, as at the end of the block, and start it again with the tasks that are registered by now."""
        self._stop()
        self.worker.ready.clear()
        self._thread = self._make_thread()
        self._start()

    def _make_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name=f"kernel-{self.worker.hostname}", daemon=True)

    def _start(self) -> None:
        self._thread.start()
        node_ready = self.worker.ready.wait(READY_S)
        if self._error is not None:
            raise self._error
        if not node_ready:
            self.worker.stop(Level.NOW)
            raise TimeoutError(f"The worker {self.worker.hostname} was not ready within {READY_S:g} s")

    def _stop(self) -> None:
        self.worker.stop()
        self._thread.join(self._stop_s)
        if self._thread.is_alive():
            self.worker.stop(Level.NOW)
            self._thread.join(STOP_S)
        if self._thread.is_alive():
            raise TimeoutError(f"The worker {self.worker.hostname} did not stop: a task of the test is still running")

    def _run(self) -> None:
        try:
            self.worker.start(signals=False)
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread instead
            self._error = error
            self.worker.ready.set()


def start_worker(app: Kernel, **options: Unpack[WorkerOptions]) -> WorkerThread:
    """A worker for the length of a ``with`` block; it consumes when the block begins and has stopped when it ends.

    Tasks run in threads of this process, for real: through the broker, the serializer and the result backend. What
    still runs at the end of the block is given 10 s, then ended.

    Args:
        app: the application; ``Kernel(broker="memory://", backend="memory://")`` needs no file and no server.
        options: as of :class:`~kernel.app.worker.Worker`; the pool is ``threads`` with one thread unless they say.

    Raises:
        ImproperlyConfigured: for a pool of processes, which cannot be started from a thread.
    """
    chosen: WorkerOptions = {"pool": "threads", "concurrency": 1, "heartbeat": False, "mingle": False, **options}
    worker = Worker(app, **chosen)
    if worker.pool.capabilities().isolates:
        raise ImproperlyConfigured(
            f"start_worker runs in this process, and pool {worker.config.worker_pool!r} starts others.",
            cure="Use pool='threads' or 'solo', or start 'kernel worker' as a program.",
        )
    return WorkerThread(worker)
