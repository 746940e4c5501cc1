"""``celery.utils.saferepr``."""

from typing import Any

from kernel.engine.saferepr import saferepr as _saferepr
from plugin_compat_celery.adapter.absent import missing


def saferepr(o: Any, maxlen: int | None = None, maxlevels: int = 3) -> str:
    """The repr of anything, short, and without an error."""
    return _saferepr(o, maxlevels) if maxlen is None else _saferepr(o, maxlevels, maxlen)


__getattr__ = missing(__name__)

__all__ = ["saferepr"]
