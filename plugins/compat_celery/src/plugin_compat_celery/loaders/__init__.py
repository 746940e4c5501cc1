"""``celery.loaders``."""

from typing import Any

from plugin_compat_celery.utils.imports import symbol_by_name

LOADER_ALIASES = {
    "app": "plugin_compat_celery.loaders.app:AppLoader",
    "default": "plugin_compat_celery.loaders.default:Loader",
}


def get_loader_cls(loader: str | type) -> Any:
    """The class of a loader given by a short name or ``module:Class``."""
    return symbol_by_name(loader, LOADER_ALIASES)


__all__ = ["get_loader_cls"]
