"""The names of pools: Celery's, and the kernel's for them."""

from collections.abc import Mapping
from typing import Any, Final

from kernel.errors import ImproperlyConfigured

NAMES: Final[Mapping[str, str]] = {
    "prefork": "prefork",
    "processes": "prefork",
    "threads": "threads",
    "solo": "solo",
    "async": "async",
}
"""Celery's name → the kernel's; ``async`` is the kernel's own."""

_GREEN: Final = frozenset({"eventlet", "gevent"})


def pool_name(name: Any) -> str | None:
    """The kernel's name of a pool; None stays None.

    Raises:
        ImproperlyConfigured: for a pool that the kernel has not, green threads among them.
    """
    if name is None or name in NAMES:
        return NAMES.get(name)
    cure = "Use -P async for tasks written with async def, or -P threads."
    if name in _GREEN:
        raise ImproperlyConfigured(f"Pool {name!r}: kernel has no green threads.", cure=cure)
    raise ImproperlyConfigured(f"There is no pool {name!r} in kernel.", cure=f"Use one of {', '.join(NAMES)}.")
