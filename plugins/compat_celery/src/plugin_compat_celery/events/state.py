"""``celery.events.state``."""

from kernel.events.state import State, Task, Worker, heartbeat_expires
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["State", "Task", "Worker", "heartbeat_expires"]
