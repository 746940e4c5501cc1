"""``celery.fixups.django``: what a Django project needs of its workers (features.md 2.13).

It does something where ``DJANGO_SETTINGS_MODULE`` is set: workers set Django up, ``autodiscover_tasks()`` without
arguments looks into the installed applications, and each task begins and ends without old database connections.
"""

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from kernel.app.kernel import Kernel
from kernel.app.task import Task
from kernel.runtime import signal_table as signals
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.contrib.django.task import DjangoTask
from plugin_compat_celery.exceptions import FixupWarning

SETTINGS = "DJANGO_SETTINGS_MODULE"


class DjangoFixup:
    """Connects an application to Django.

    Args:
        app: the application.
    """

    def __init__(self, app: Kernel) -> None:
        self.app = app

    def install(self) -> "DjangoFixup":
        """Do so: the project's folder becomes importable, and workers set Django up before they import tasks."""
        folder = str(Path.cwd())
        if folder not in sys.path:
            sys.path.insert(0, folder)
        if self.app.Task is Task:
            self.app.Task = DjangoTask
        signals.import_modules.connect(self.on_import_modules, weak=False, sender=self.app)
        signals.worker_process_init.connect(self.close_database, weak=False)
        signals.task_prerun.connect(self.close_database, weak=False)
        signals.task_postrun.connect(self.close_database, weak=False)
        return self

    def on_import_modules(self, **_: Any) -> None:
        """Set Django up, and run its checks unless ``CELERY_SKIP_CHECKS`` is set."""
        import_module("django").setup()
        if not os.environ.get("CELERY_SKIP_CHECKS"):
            import_module("django.core.checks").run_checks()

    def close_database(self, **_: Any) -> None:
        """Close connections that are too old or broken; one inside a transaction, as in eager calls, is left alone."""
        for connection in import_module("django.db").connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()

    def autodiscover_packages(self) -> Sequence[str]:
        """The packages of the installed applications."""
        return [config.name for config in import_module("django.apps").apps.get_app_configs()]


def fixup(app: Kernel, env: str = SETTINGS) -> DjangoFixup | None:
    """Connect an application to Django, if a settings module is named and Django is installed."""
    settings = os.environ.get(env)
    if not settings:
        return None
    try:
        import_module("django")
    except ImportError:
        warnings.warn(
            f"{env} is {settings!r}, but Django is not installed: tasks run without it", FixupWarning, stacklevel=2
        )
        return None
    return DjangoFixup(app).install()


__getattr__ = missing(__name__)

__all__ = ["DjangoFixup", "fixup"]
