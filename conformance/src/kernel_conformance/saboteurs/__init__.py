"""Plugins that are wrong on purpose: a suite is worth what it catches.

Every module of this package has ``SABOTEURS``, a sequence of :class:`Saboteur`: what is wrong, how to make it, and the
cases that must fail for it. ``kernel conformance selftest`` runs those cases; a saboteur that passes one is a hole.
"""

import pkgutil
from functools import cache
from importlib import import_module

from kernel.errors import PluginError
from kernel.errors.near import did_you_mean
from kernel_conformance.saboteurs.saboteur import Saboteur as Saboteur

MARK = "saboteur."


@cache
def all_saboteurs() -> dict[str, Saboteur]:
    """Every saboteur by name.

    Raises:
        ValueError: for two of one name.
    """
    found: dict[str, Saboteur] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{module_info.name}")
        for one in getattr(module, "SABOTEURS", ()):
            if one.name in found:
                raise ValueError(f"two saboteurs are called {one.name!r}")
            found[one.name] = one
    return found


def is_saboteur(target: str) -> bool:
    """Whether a target's name means a saboteur: ``saboteur.ack-no-op``."""
    return target.startswith(MARK)


def find(target: str) -> Saboteur:
    """The saboteur of a target's name.

    Raises:
        PluginError: E101 when there is none.
    """
    name = target.removeprefix(MARK)
    known = all_saboteurs()
    if name not in known:
        raise PluginError("E101", f"there is no saboteur {name!r}.", cure=did_you_mean(name, known))
    return known[name]
