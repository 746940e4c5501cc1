"""``celery._state``: the current application and task."""

from typing import Any

from kernel.app.current import app_or_default, current_app, current_task, holder
from kernel.model.context import current, may_wait
from plugin_compat_celery.adapter.absent import missing


def get_current_app() -> Any:
    """The current application itself."""
    return holder.get()


def set_default_app(app: Any) -> None:
    """Make an application the one meant where none is given."""
    holder.set(app)


def get_current_task() -> Any:
    """The task that runs here now, or None."""
    running = current.get()
    return None if running is None else running.task


get_current_worker_task = get_current_task


def task_join_will_block() -> bool:
    """Whether waiting for a result is refused here."""
    return not may_wait()


__getattr__ = missing(__name__)

__all__ = [
    "app_or_default",
    "current_app",
    "current_task",
    "get_current_app",
    "get_current_task",
    "get_current_worker_task",
    "set_default_app",
]
