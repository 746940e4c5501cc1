"""Which suites judge a kind of plugin: every module ``<kind>.py`` or ``<kind>_*.py`` of ``suites`` belongs to it."""

import pkgutil
from functools import cache
from importlib import import_module

from kernel_conformance import suites
from kernel_conformance.cases import PREFIXES, Case, cases_of
from kernel_conformance.suite import Suite

KINDS = tuple(kind for kind in PREFIXES if kind != "plugin")
"""First parts of plugin names: ``broker.acme`` is a broker."""


@cache
def suites_of(kind: str) -> tuple[type[Suite], ...]:
    """The suite classes of a kind, without those that every plugin gets (kind ``plugin``)."""
    found: list[type[Suite]] = []
    for module_info in pkgutil.iter_modules(suites.__path__):
        if module_info.name.split("_")[0] != kind:
            continue
        module = import_module(f"{suites.__name__}.{module_info.name}")
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Suite)
            and value.__module__ == module.__name__
            and cases_of(value)
        ]
    return tuple(found)


@cache
def cases_for(kind: str) -> tuple[Case, ...]:
    """Every case a plugin of this kind gets, by id; those of every plugin first.

    Raises:
        ValueError: for two cases of one id, or one whose letters are another kind's.
    """
    found: dict[str, Case] = {}
    for owner in ("plugin", kind):
        for suite in suites_of(owner):
            for one in cases_of(suite):
                if one.id in found:
                    raise ValueError(f"{one.id} is in {one.suite.__name__} and {found[one.id].suite.__name__}")
                if not one.id.startswith(PREFIXES[owner]):
                    raise ValueError(f"{one.id} stands in a suite of kind {owner!r}")
                found[one.id] = one
    order = {PREFIXES["plugin"]: 0}
    return tuple(sorted(found.values(), key=lambda one: (order.get(one.id[:3], 1), one.id)))


def find_case(case_id: str) -> Case | None:
    """The case of that id, of whatever kind."""
    wanted = case_id.upper()
    for kind in KINDS:
        for one in cases_for(kind):
            if one.id == wanted:
                return one
    return None
