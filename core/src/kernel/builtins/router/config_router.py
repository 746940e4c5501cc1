"""The configuration router: ``task_routes``, compiled once (features.md 2.8)."""

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from kernel.builtins.router.steps import FunctionStep, NamedStep, RuleStep, Step
from kernel.contracts.router import CompiledRouter, Router
from kernel.errors import ImproperlyConfigured
from kernel.model.named_router import named_router
from kernel.model.topology import Route, TaskRef, Topology

_CALLED_AS = "A router is called as router(name, args, kwargs, options, task=None)."


class ConfigRouter(Router):
    """Reads rules of these forms:

    * a mapping from task names to routes, where a name may be a glob with ``*`` or a compiled regex, and a route is a
      queue's name or a mapping of execution options;
    * a list of such pairs;
    * a function ``(name, args, kwargs, options, task=None, **kw)`` that returns a route or None, an object with such
      a method ``route_for_task(name, args, kwargs)``, a :class:`Router`, or the dotted name of one of these;
    * a list of any of them, asked in order; the first that answers decides.

    A mapping that names an installed router (``kernel.model.named_router``) has become a :class:`Router` before.
    """

    def __init__(self, rules: object) -> None:
        self._rules = rules

    def compile(self, topology: Topology) -> CompiledRouter:
        """Import, read and check every rule.

        Raises:
            QueueNotFound: for a queue that is not configured and may not be created.
            ImproperlyConfigured: for a rule that cannot work.
        """
        rules = self._rules
        if rules is None:
            return _Compiled(())
        return _Compiled(tuple(_steps(rules if _is_list(rules) else [rules], topology)))


class _Compiled:
    """Asks the steps in order."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self.by_name = all(step.by_name for step in steps)

    def __call__(self, ref: TaskRef) -> Route | None:
        for step in self._steps:
            route = step(ref)
            if route is not None:
                return route
        return None


def _steps(entries: object, topology: Topology) -> Iterator[Step]:
    """Steps of a list; neighbouring pairs are one set of rules, in which exact names go first."""
    for are_pairs, run in groupby(entries, _is_pair):  # type: ignore[call-overload] # the caller has seen a list
        if are_pairs:
            yield RuleStep(run, topology)
        else:
            for entry in run:
                yield from _entry_steps(entry, topology)


def _entry_steps(entry: object, topology: Topology) -> Iterator[Step]:
    if isinstance(entry, str):
        found = _imported(entry)
        yield from _steps(found, topology) if _is_list(found) else _object_steps(found, entry, topology)
    elif _is_list(entry):
        yield from _steps(entry, topology)
    else:
        yield from _object_steps(entry, _name_of(entry), topology)


def _object_steps(entry: object, name: str, topology: Topology) -> Iterator[Step]:
    router = _instance(entry, name) if isinstance(entry, type) else entry
    if isinstance(router, Mapping):
        _check_rules(router, name)
        yield RuleStep(router.items(), topology)
    elif isinstance(router, Router):
        yield NamedStep(router.compile(topology), name)
    elif callable(getattr(router, "route_for_task", None)):
        yield FunctionStep(_ByMethod(router), name)
    elif callable(router):
        _check_signature(router, name)
        yield FunctionStep(router, name)
    else:
        raise ImproperlyConfigured(
            f"task_routes has an entry that is no router: {entry!r:.80}",
            cure="Give a mapping, a list of pairs, a function, a Router, or a dotted name of one.",
        )


def _check_rules(rules: Mapping[object, object], name: str) -> None:
    router = named_router(rules)
    if router is not None:
        raise ImproperlyConfigured(
            f"{name} names the router {router!r}, but plugins are chosen before dotted names are imported",
            cure=f"Put {{'router': {router!r}, ...}} into task_routes itself; for a task called 'router' write a pair.",
        )


def _instance(cls: type, name: str) -> object:
    try:
        return cls()
    except Exception as exc:
        raise ImproperlyConfigured(
            f"Router class {name} cannot be made without arguments: {type(exc).__name__}: {exc}",
            cure="Put an instance into task_routes.",
        ) from exc


class _ByMethod:
    """An object with ``route_for_task(name, args, kwargs)``, called like a function router."""

    def __init__(self, router: object) -> None:
        self._router = router

    def __call__(
        self,
        name: str,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        options: dict[str, object],
        task: object = None,
    ) -> object:
        return self._router.route_for_task(name, args, kwargs)  # type: ignore[attr-defined] # seen before


def _imported(dotted: str) -> object:
    """The object of that dotted name, ``package.module.name`` or ``package.module:name``."""
    module, separator, attribute = dotted.partition(":")
    if not separator:
        module, separator, attribute = dotted.rpartition(".")
    if not module or not attribute:
        raise ImproperlyConfigured(
            f"task_routes has the entry {dotted!r}, which is no dotted name of a router",
            cure=f"To send every task to that queue, write {{'*': {dotted!r}}}.",
        )
    try:
        found: object = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as exc:  # importing runs the user's code, which may raise anything
        raise ImproperlyConfigured(
            f"task_routes names the router {dotted!r}, which cannot be imported: {type(exc).__name__}: {exc}",
            cure="Check the name, and that its module is on the Python path. Pairs are written in a list of their own.",
        ) from exc
    return found


def _check_signature(router: object, name: str) -> None:
    try:
        signature = inspect.signature(router)  # type: ignore[arg-type] # the caller has seen that it is callable
    except (ValueError, TypeError):  # some callables of C do not say; they are found out when called
        return
    try:
        signature.bind("name", (), {}, {}, task=None)
    except TypeError as exc:
        raise ImproperlyConfigured(f"Router {name} cannot be called: {exc}", cure=_CALLED_AS) from exc


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _is_pair(value: object) -> bool:
    """Whether an element of the list is a rule of its own: two things, the first names tasks, the second no router."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:  # noqa: PLR2004 - a pair
        return False
    return isinstance(value[0], (str, re.Pattern)) and not isinstance(value[1], Router)


def _name_of(entry: object) -> str:
    named = entry if hasattr(entry, "__qualname__") else type(entry)
    return f"{named.__module__}.{named.__qualname__}"
