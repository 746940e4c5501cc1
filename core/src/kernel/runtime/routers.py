"""Routers of plugins that ``task_routes`` names, as ``{router = "sharded", queues = […]}`` (features.md 2.8)."""

from collections.abc import Callable, Iterator, Mapping

from kernel.contracts.router import Router
from kernel.errors import ImproperlyConfigured, KernelError
from kernel.model.named_router import named_router, router_rules


def named_routers(routes: object) -> list[str]:
    """The plugins that ``task_routes`` needs, as ``router.sharded``; nothing is imported to find them."""
    return [f"router.{name}" for name in _names(routes)]


def with_routers(routes: object, factories: Mapping[str, Callable[[object], Router]]) -> object:
    """The same routes, with a router in the place of every mapping that names one.

    Args:
        routes: ``task_routes``.
        factories: the routers of the loaded plugins by name.

    Raises:
        ImproperlyConfigured: for rules that a router refuses, whatever it raises.
    """
    name = named_router(routes)
    if name is not None and isinstance(routes, Mapping):
        return _made(name, factories[name], router_rules(routes))
    if isinstance(routes, (list, tuple)):
        return [with_routers(entry, factories) for entry in routes]
    return routes


def _names(routes: object) -> Iterator[str]:
    name = named_router(routes)
    if name is not None:
        yield name
    elif isinstance(routes, (list, tuple)):
        for entry in routes:
            yield from _names(entry)


def _made(name: str, factory: Callable[[object], Router], rules: dict[str, object]) -> Router:
    try:
        return factory(rules)
    except KernelError:
        raise
    except Exception as exc:
        raise ImproperlyConfigured(
            f"task_routes: router {name!r} failed to read its rules: {type(exc).__name__}: {exc}",
            cure="Correct the rules beside 'router'; the plugin's documentation lists them.",
        ) from exc
