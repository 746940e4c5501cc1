"""The compiled parts of ``task_routes``; each answers a call with a Route, or None for "not mine"."""

import re
from collections.abc import Callable, Iterable
from typing import Protocol

from kernel.builtins.router.answers import check_queue, read_route
from kernel.builtins.router.patterns import Regex
from kernel.errors import ImproperlyConfigured, KernelError
from kernel.model.glob import Glob
from kernel.model.topology import Route, TaskRef, Topology

Pair = tuple[str | re.Pattern[str], object]


class Step(Protocol):
    """One router of the list."""

    @property
    def by_name(self) -> bool:
        """Whether the answer depends on nothing but the task's name."""

    def __call__(self, ref: TaskRef) -> Route | None:
        """The route of a call, or None."""


class RuleStep:
    """A mapping or list of pairs: exact names first, then patterns in their order.

    Raises:
        ImproperlyConfigured: for a rule that is none.
        QueueNotFound: for a queue that may not be created.
    """

    by_name = True

    def __init__(self, pairs: Iterable[Pair], topology: Topology) -> None:
        self._exact: dict[str, Route] = {}
        self._patterns: list[tuple[Glob | Regex, Route]] = []
        for key, answer in pairs:
            source = f"task_routes[{key!r}]"
            route = read_route(answer, source)
            if route is None:
                raise ImproperlyConfigured(f"{source} says nothing", cure="Give it a queue, or remove it.")
            self._add(key, check_queue(route, topology, source))

    def _add(self, key: object, route: Route) -> None:
        if isinstance(key, re.Pattern) and isinstance(key.pattern, str):
            self._patterns.append((Regex(key), route))
        elif not isinstance(key, str):
            raise ImproperlyConfigured(
                f"task_routes has the key {key!r:.80}", cure="Use a task name, a glob, or a compiled regex of str."
            )
        elif "*" in key:
            self._patterns.append((Glob(key), route))
        else:
            self._exact.setdefault(key, route)

    def __call__(self, ref: TaskRef) -> Route | None:
        """The first rule that fits."""
        route = self._exact.get(ref.name)
        if route is None:
            for pattern, found in self._patterns:
                if pattern.matches(ref.name):
                    return found
        return route


class FunctionStep:
    """A function ``(name, args, kwargs, options, task=None, **kw)``, asked for every call.

    It gets copies of the containers and None for ``task``: a call by name has no task object, and routes must not
    depend on the path a call takes.
    """

    by_name = False

    def __init__(self, function: Callable[..., object], name: str) -> None:
        self._function = function
        self._name = name

    def __call__(self, ref: TaskRef) -> Route | None:
        """The function's answer.

        Raises:
            KernelError: when it fails, or answers with what is no route; names router and task.
        """
        source = f"Router {self._name} failed for task {ref.name!r}"
        try:
            answer = self._function(ref.name, tuple(ref.args), dict(ref.kwargs), dict(ref.options), task=None)
        except Exception as exc:
            raise KernelError(
                f"{source}: {type(exc).__name__}: {exc}", cure="Correct the router; the call was not published."
            ) from exc
        return read_route(answer, source)


class NamedStep:
    """A router of the contract, with its name for messages."""

    def __init__(self, compiled: Callable[[TaskRef], Route | None], name: str) -> None:
        self._compiled = compiled
        self._name = name
        self.by_name = bool(getattr(compiled, "by_name", False))

    def __call__(self, ref: TaskRef) -> Route | None:
        """The router's answer.

        Raises:
            KernelError: when it fails; names router and task.
        """
        try:
            return self._compiled(ref)
        except KernelError:
            raise
        except Exception as exc:
            raise KernelError(
                f"Router {self._name} failed for task {ref.name!r}: {type(exc).__name__}: {exc}",
                cure="Correct the router; the call was not published.",
            ) from exc
