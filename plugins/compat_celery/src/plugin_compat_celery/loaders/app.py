"""``celery.loaders.app``."""

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.loaders.base import BaseLoader


class AppLoader(BaseLoader):
    """The loader of an application that names no other."""


__getattr__ = missing(__name__)

__all__ = ["AppLoader"]
