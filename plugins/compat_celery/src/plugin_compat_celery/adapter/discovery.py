"""``app.autodiscover_tasks()``: modules of tasks are imported when a worker imports its modules, not before."""

from collections.abc import Sequence
from typing import Any

from kernel.app.autodiscovery import Packages, import_tasks


class Discovery:
    """One search; called by the signal ``import_modules``.

    Args:
        app: the application.
        packages: names, or a function that returns them; None asks the application's fixups.
        related_name: the module to look for in each.
    """

    def __init__(self, app: Any, packages: Packages | None, related_name: str | None) -> None:
        self._app = app
        self._packages = packages
        self._related_name = related_name

    def __call__(self, **_: Any) -> None:
        """Import them.

        Raises:
            ImportError: a module is there and fails; the worker does not start then.
        """
        packages = self._packages
        if packages is None:
            packages = [name for fixup in self._app.installed_fixups for name in _packages_of(fixup)]
        import_tasks(packages, self._related_name)


def _packages_of(fixup: Any) -> Sequence[str]:
    found: Sequence[str] = fixup.autodiscover_packages() if hasattr(fixup, "autodiscover_packages") else ()
    return found
