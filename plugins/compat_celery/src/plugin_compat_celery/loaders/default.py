"""``celery.loaders.default``: settings in a module ``celeryconfig``."""

import os
from typing import Any

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.loaders.base import BaseLoader

DEFAULT_CONFIG_MODULE = "celeryconfig"


class Loader(BaseLoader):
    """Reads ``celeryconfig``, or the module that ``CELERY_CONFIG_MODULE`` names; a missing one counts as empty."""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self.read_configuration()

    def read_configuration(self, env: str = "CELERY_CONFIG_MODULE") -> None:
        """Take settings from it, when the first one is asked for."""
        self.app.config_from_object(os.environ.get(env) or DEFAULT_CONFIG_MODULE, silent=not os.environ.get(env))


__getattr__ = missing(__name__)

__all__ = ["DEFAULT_CONFIG_MODULE", "Loader"]
