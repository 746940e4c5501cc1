"""What a worker may be told, and which settings that stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypedDict

from kernel.app.settings import Settings
from kernel.engine.autoscale import Bounds
from kernel.errors.near import did_you_mean
from kernel.model.config import Config

_SETTINGS: Final[Mapping[str, str]] = {
    "concurrency": "worker_concurrency",
    "pool": "worker_pool",
    "max_tasks_per_child": "worker_max_tasks_per_child",
    "max_memory_per_child": "worker_max_memory_per_child",
    "time_limit": "task_time_limit",
    "soft_time_limit": "task_soft_time_limit",
    "task_events": "worker_send_task_events",
    "state_db": "worker_state_db",
    "pool_start_method": "worker_pool_start_method",
}
"""Options that stand for a setting; None leaves it as it is."""


class WorkerOptions(TypedDict, total=False):
    """Options of :class:`Worker`; those left out follow the settings.

    ``queues`` and ``exclude_queues`` are names; without ``queues`` all configured ones are consumed. ``hostname`` is
    as after ``-n``. ``beat`` runs beat in the node, once it consumes. ``loglevel`` is a name or number. ``heartbeat``
    False publishes no worker events, ``mingle`` False asks no neighbours for revoked tasks at the start, and
    ``state_db`` is the file that keeps those over a restart. ``remap_term`` makes SIGTERM mean SIGQUIT. ``force_root``
    allows pickle as root. ``log_path`` and ``log_color`` are for executors that log by themselves: spawned ones, and
    all when the path has ``%I`` or ``%i``. ``restart_on_hangup`` lets SIGHUP end the worker in order.
    ``heartbeat_interval`` is the seconds between two worker events. ``autoscale`` is the fewest and the most executors.
    """

    queues: Sequence[str] | None
    exclude_queues: Sequence[str] | None
    hostname: str | None
    concurrency: int | str | None
    pool: str | None
    max_tasks_per_child: int | None
    max_memory_per_child: int | None
    time_limit: float | None
    soft_time_limit: float | None
    task_events: bool | None
    beat: bool
    loglevel: str | int
    heartbeat: bool
    mingle: bool
    state_db: str | None
    remap_term: bool
    force_root: bool
    log_path: str | None
    log_color: bool | None
    restart_on_hangup: bool
    heartbeat_interval: float | None
    autoscale: Bounds | None
    pool_start_method: str | None


def reject_unknown(options: Mapping[str, object]) -> None:
    """Refuse what is no option.

    Raises:
        TypeError: with the nearest names.
    """
    known = WorkerOptions.__annotations__
    for name in options:
        if name not in known:
            raise TypeError(f"Worker() got an unexpected option {name!r}. {did_you_mean(name, known)}".strip())


def with_options(config: Config, options: WorkerOptions) -> Config:
    """The settings with a worker's own over them, checked as any setting is."""
    given = {_SETTINGS[name]: value for name, value in options.items() if name in _SETTINGS and value is not None}
    if not given:
        return config
    checked = Settings(given, environ={}, use_files=False).snapshot()
    return replace(config, **{name: getattr(checked, name) for name in given})
