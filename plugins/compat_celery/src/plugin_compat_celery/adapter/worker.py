"""``app.Worker()``: a worker in this process, by Celery's options."""

from collections.abc import Mapping
from typing import Any

from kernel.app.kernel import Kernel
from kernel.app.worker import Worker as KernelWorker
from kernel.runtime.shutdown import Level
from plugin_compat_celery.adapter.pools import pool_name

_SAME = (
    "hostname", "concurrency", "max_tasks_per_child", "max_memory_per_child", "time_limit", "soft_time_limit",
    "task_events", "loglevel",
)  # fmt: skip


class Worker(KernelWorker):
    """A :class:`kernel.app.worker.Worker` by the options of Celery's.

    Args:
        app: the application.
        options: ``hostname``, ``concurrency``, ``pool`` (or ``pool_cls``), ``loglevel``, ``queues`` and
            ``exclude_queues`` (lists, or texts with commas), ``task_events``, ``time_limit``, ``soft_time_limit``,
            ``max_tasks_per_child``, ``max_memory_per_child``, ``without_heartbeat``, ``logfile``.

    Raises:
        TypeError: for any other option.
    """

    def __init__(self, app: Kernel, **options: Any) -> None:
        given = dict(options)
        chosen: dict[str, Any] = {name: given.pop(name) for name in _SAME if name in given}
        chosen["pool"] = pool_name(given.pop("pool", None) or given.pop("pool_cls", None))
        chosen["heartbeat"] = not given.pop("without_heartbeat", False)
        chosen["log_path"] = given.pop("logfile", None)
        for name in ("queues", "exclude_queues"):
            chosen[name] = _names(given.pop(name, None))
        _reject(given)
        super().__init__(app, **chosen)

    def terminate(self, in_sighandler: bool = False) -> None:
        """Ask the running node to end at once, and what runs with it. From any thread."""
        del in_sighandler
        self.stop(Level.COLD)


def _names(value: Any) -> list[str] | None:
    if value is None:
        return None
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else list(value)


def _reject(options: Mapping[str, Any]) -> None:
    unknown = [name for name, value in options.items() if value not in {None, False}]
    if unknown:
        raise TypeError(f"Worker() does not know {', '.join(unknown)}; options of the command are not all options here")
