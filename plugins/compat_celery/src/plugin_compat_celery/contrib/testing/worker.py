"""``celery.contrib.testing.worker``: a worker inside the test's own process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kernel.app.blocking import allow_join_result
from kernel.errors import ImproperlyConfigured
from kernel.runtime.signal import Signal
from kernel.testing.worker import READY_S, WorkerThread
from plugin_compat_celery.adapter.worker import Worker
from plugin_compat_celery.contrib.testing.tasks import ping

WORKER_LOGLEVEL = os.environ.get("WORKER_LOGLEVEL", "error")

test_worker_starting = Signal("test_worker_starting")
test_worker_started = Signal("test_worker_started", ("worker", "consumer"))
test_worker_stopped = Signal("test_worker_stopped", ("worker",))


class TestWorkController(Worker):
    """A worker that a test can wait for.

    Attributes:
        thread: what runs it.
    """

    __test__ = False  # pytest takes its name for that of a test
    thread: WorkerThread | None = None

    def ensure_started(self) -> None:
        """Wait until it consumes.

        Raises:
            TimeoutError: it does not within half a minute.
        """
        if not self.ready.wait(READY_S):
            raise TimeoutError(f"The worker {self.hostname} was not ready within {READY_S:g} s")

    def reload(self, modules: Any = None, reload: bool = False, reloader: Any = None) -> None:
        """Start over with the tasks that are registered by now; what runs is finished first.

        Raises:
            TypeError: for modules to reload; a test imports them itself.
        """
        if modules or reload or reloader:
            raise TypeError("reload() of a worker in a test takes no modules: use importlib.reload() for them")
        if self.thread is not None:
            self.thread.restart()


@contextmanager
def start_worker(  # noqa: PLR0913 - the documented parameters
    app: Any,
    concurrency: int = 1,
    pool: str = "solo",
    loglevel: str | int = WORKER_LOGLEVEL,
    logfile: str | None = None,
    perform_ping_check: bool = True,
    ping_task_timeout: float = 10.0,
    shutdown_timeout: float = 10.0,
    **kwargs: Any,
) -> Iterator[TestWorkController]:
    """A worker for the length of a ``with`` block, in a thread of this process.

    Args:
        app: the application; it becomes the current one.
        concurrency: tasks at a time.
        pool: ``solo`` or ``threads``.
        loglevel: lowest level that its tasks log.
        logfile: as of a worker that starts processes.
        perform_ping_check: send ``celery.ping`` first, and wait for its answer.
        ping_task_timeout: seconds to wait for it.
        shutdown_timeout: seconds that what still runs may take at the end, before it is ended.
        kwargs: further options of :class:`plugin_compat_celery.apps.worker.Worker`.

    Raises:
        ImproperlyConfigured: for a pool of processes, which cannot be started from a thread.
    """
    test_worker_starting.send(sender=app)
    setup_app_for_worker(app, loglevel, logfile)
    worker = TestWorkController(app, concurrency=concurrency, pool=pool, loglevel=_level(loglevel), **kwargs)
    if worker.pool.capabilities().isolates:
        raise ImproperlyConfigured(
            f"start_worker runs in this process, and pool {pool!r} starts others.", cure="Use pool='solo' or 'threads'."
        )
    try:
        worker.thread = WorkerThread(worker, shutdown_timeout)
        with worker.thread:
            test_worker_started.send(sender=app, worker=worker, consumer=worker.node)
            if perform_ping_check:
                _ping(ping_task_timeout)
            yield worker
    finally:
        test_worker_stopped.send(sender=app, worker=worker)


def setup_app_for_worker(app: Any, loglevel: str | int, logfile: str | None) -> None:
    """Finalize the application, make it the current one, and let it set up logging if it does that at all."""
    app.finalize()
    app.set_current()
    app.set_default()
    app.log.setup(loglevel=_level(loglevel), logfile=logfile)


def _level(value: str | int) -> str | int:
    return value.upper() if isinstance(value, str) else value


def _ping(timeout_s: float) -> None:
    """The worker runs a task and its result comes back: then a test that hangs does not hang for the worker's sake."""
    with allow_join_result():
        answer = ping.delay().get(timeout=timeout_s)
    if answer != "pong":
        raise AssertionError(f"celery.ping answered {answer!r}")
