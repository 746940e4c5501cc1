"""``celery.app.utils``."""

import platform
from importlib.metadata import version
from typing import Any

from kernel.app.current import app_or_default
from kernel.app.kernel import Kernel
from kernel.app.settings import Settings
from kernel.cli.find_app import Finder
from kernel.model.masking import masked
from kernel.runtime.plugins import discover
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.version import VERSION_BANNER


def appstr(app: Any) -> str:
    """How an application is shown."""
    return f"{app.main or '__main__'} at {id(app):#x}"


def bugreport(app: Any = None) -> str:
    """Versions, platform, plugins and settings, secrets masked: what somebody who is to help needs to know."""
    owner = app_or_default(app)
    plugins = ", ".join(f"{entry.name} {entry.version}" for entry in discover()) or "none"
    broker, results = masked(owner.conf.broker_url, "broker_url"), masked(owner.conf.result_backend, "result_backend")
    return "\n".join((
        f"software -> celery: {VERSION_BANNER} kernel: {version('kernel')} py: {platform.python_version()}",
        f"platform -> {platform.platform()} ({platform.python_implementation()})",
        f"plugins  -> {plugins}",
        f"settings -> broker: {broker} results: {results or 'disabled'}",
        "",
        owner.conf.humanize(),
    ))  # fmt: skip


def find_app(app: str | Kernel) -> Kernel:
    """The application that a text names, as after ``-A``; an application is returned as it is.

    Raises:
        CommandError: it cannot be found.
    """
    return Finder(Kernel).find(app) if isinstance(app, str) else app


def sanitize_url(url: Any) -> Any:
    """A URL, or several, without passwords."""
    return masked(url, "broker_url")


__getattr__ = missing(__name__)

__all__ = ["Settings", "appstr", "bugreport", "find_app", "sanitize_url"]
