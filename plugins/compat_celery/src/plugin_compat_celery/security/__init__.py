"""``celery.security`` (features.md 2.11)."""

from kernel.app.current import app_or_default
from plugin_compat_celery.adapter.absent import missing


def setup_security(*args: object, app: object = None, **options: object) -> None:
    """Sign all messages of an application; see :func:`kernel.app.security.setup_security`."""
    app_or_default(app).setup_security(*args, **options)


__getattr__ = missing(__name__)

__all__ = ["setup_security"]
