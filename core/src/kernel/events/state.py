"""What a monitor has seen, under the module name that users of the calling API know."""

from kernel.engine.monitoring import heartbeat_expires
from kernel.runtime.seen_state import State
from kernel.runtime.seen_task import Task
from kernel.runtime.seen_worker import Worker

__all__ = ["State", "Task", "Worker", "heartbeat_expires"]
