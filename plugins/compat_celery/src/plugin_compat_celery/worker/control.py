"""``celery.worker.control``: commands of one's own (features.md 2.5)."""

from kernel.worker.control import control_command as control_command
from kernel.worker.control import inspect_command as inspect_command
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["control_command", "inspect_command"]
