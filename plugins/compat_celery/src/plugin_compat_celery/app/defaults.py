"""``celery.app.defaults``: every setting and its default."""

from kernel.model.config import Config
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.configuration.defaults import DEFAULTS as DEFAULTS

SETTING_KEYS = frozenset(DEFAULTS)
"""The names of all settings."""

DEFAULT_PROCESS_LOG_FMT = Config().worker_log_format
DEFAULT_TASK_LOG_FMT = Config().worker_task_log_format

__getattr__ = missing(__name__)

__all__ = ["DEFAULTS", "SETTING_KEYS"]
