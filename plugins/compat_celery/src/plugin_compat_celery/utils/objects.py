"""``celery.utils.objects``."""

from types import SimpleNamespace as Bunch

from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["Bunch"]
