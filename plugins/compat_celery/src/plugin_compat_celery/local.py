"""``celery.local``: objects that stand for others."""

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.proxy import PromiseProxy, Proxy, maybe_evaluate
from plugin_compat_celery.utils.imports import try_import

__getattr__ = missing(__name__)

__all__ = ["PromiseProxy", "Proxy", "maybe_evaluate", "try_import"]
