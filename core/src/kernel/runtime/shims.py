"""Adapters for plugins written for the contract version before the current one (contracts.md, "Versions").

When a contract reaches a new major version N, the plugins of N-1 that are out there keep working through one shim:
a function in a module of its own (``kernel.runtime.shim_broker_1`` and the like), entered below under its kind and the
old major version. It gets what such a plugin's hook provides and returns the same thing for version N:

===============  ==========================================================================
kind             what is adapted
===============  ==========================================================================
broker           the factory: ``(url, options, ctx) -> Broker``
result_backend   the factory: ``(url, options, ctx) -> ResultBackend``
serializer       the serializer
compressor       the compressor
router           the factory: ``(rules) -> Router``
pool             the pool class
hooks            the plugin object, before its hooks are checked and registered
===============  ==========================================================================

All contracts are at their first version today, so there is no shim, and a plugin for a version 0 is refused.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

Shim = Callable[[Any], Any]

SHIMS: MutableMapping[tuple[str, int], Shim] = {}
"""(contract kind, its old major version) → shim. Read whenever plugins are loaded."""


def find_shim(kind: str, major: int) -> Shim | None:
    """The shim for plugins of that version; None when there is none and they must be refused."""
    return SHIMS.get((kind, major))
