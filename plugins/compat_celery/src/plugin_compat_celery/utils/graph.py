"""``celery.utils.graph``."""

from kernel.app.result_graph import DependencyGraph
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["DependencyGraph"]
