"""The name ``celery`` for this package: ``import celery.canvas`` gives :mod:`plugin_compat_celery.canvas`, itself.

One object under two names, so that ``isinstance`` and ``except`` mean the same whichever of them is imported.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from kernel.errors import ImproperlyConfigured
from plugin_compat_celery.adapter.absent_modules import MODULES

ALIAS = "celery"
PACKAGE = "plugin_compat_celery"
OWN = f"{PACKAGE}.adapter"


class AliasLoader(Loader):
    """Gives a module that has another name already, and leaves it as it is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of the other name, imported if need be."""
        del spec
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run; only the specification that the import system put on it goes."""
        module.__spec__ = self._spec


class AliasFinder(MetaPathFinder):
    """Finds ``celery`` and every ``celery.x`` that stands here."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What to import for that name; None for names of others.

        Raises:
            ModuleNotFoundError: for a module of Celery that does not exist here, with the reason.
        """
        del path, target
        if fullname.partition(".")[0] != ALIAS:
            return None
        name = PACKAGE + fullname.removeprefix(ALIAS)
        found = None if f"{name}.".startswith(f"{OWN}.") else _find(name)
        if found is None:
            reason = MODULES.get(fullname, "it is no module of Celery 5.7")
            raise ModuleNotFoundError(f"No module {fullname} in plugin-compat-celery: {reason}", name=fullname)
        packages = found.submodule_search_locations
        return ModuleSpec(fullname, AliasLoader(name), origin=found.origin, is_package=packages is not None)


def install() -> bool:
    """Let ``celery`` mean this package in this process, in front of an installed Celery; whether one is installed.

    Called again it does nothing.

    Raises:
        ImproperlyConfigured: Celery itself is imported already.
    """
    module = sys.modules.get(ALIAS)
    if module is not None and module.__name__ != PACKAGE:
        raise ImproperlyConfigured(
            f"The real Celery is imported already (from {getattr(module, '__file__', 'somewhere')}), so the name "
            "'celery' cannot mean plugin_compat_celery in this process.",
            cure="Run the whole program with 'python -m plugin_compat_celery', before anything imports celery.",
        )
    if not is_installed():
        sys.meta_path.insert(0, AliasFinder())
    return PathFinder.find_spec(ALIAS) is not None


def is_installed() -> bool:
    """Whether ``celery`` means this package here."""
    return any(isinstance(finder, AliasFinder) for finder in sys.meta_path)


def _find(name: str) -> ModuleSpec | None:
    parent = name.rpartition(".")[0]
    if parent:
        package = importlib.import_module(parent)
        if not hasattr(package, "__path__"):
            return None
    return importlib.util.find_spec(name)
