"""Routers that are wrong on purpose, and the sharding router they are made of."""

import hashlib
import os
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernel.contracts import Router
from kernel.contracts.router import CompiledRouter
from kernel.errors import KernelError, QueueNotFound
from kernel.model.topology import Route, TaskRef, Topology
from kernel_conformance.formats import RouterHarness
from kernel_conformance.saboteurs.saboteur import Saboteur


@dataclass(frozen=True)
class Rules:
    """What these routers take: exact names, a pattern, a function, or shards."""

    exact: Mapping[str, str]
    pattern: str = ""
    function: Callable[..., object] | None = None
    shards: tuple[str, ...] = ()


class Sound(Router):
    """What is right; the others change one thing."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def compile(self, topology: Topology) -> CompiledRouter:
        for queue in (*self.rules.exact.values(), *self.rules.shards):
            if not topology.create_missing and queue not in topology.queues:
                raise QueueNotFound(f"queue {queue!r} is not configured")
        return self.route

    def route(self, ref: TaskRef) -> Route | None:
        if self.rules.function is not None:
            return self.ask(self.rules.function, ref)
        if self.rules.shards:
            return Route(queue=self.shard(ref.name))
        if self.rules.pattern:
            return Route(queue="q") if self.fits(ref.name) else None
        queue = self.rules.exact.get(ref.name)
        return None if queue is None else Route(queue=queue)

    def ask(self, function: Callable[..., object], ref: TaskRef) -> Route | None:
        where = f"router {function.__name__} failed for task {ref.name!r}"
        try:
            answer = function(ref.name)
        except Exception as error:
            raise KernelError(f"{where}: {error!r}") from error
        if not isinstance(answer, dict) or answer.keys() != {"queue"}:
            raise KernelError(f"{where}: it answered {answer!r}")
        return Route(queue=answer["queue"])

    def shard(self, name: str) -> str:
        """Rendezvous hashing: the shard with the highest score; a new one takes only what it wins."""
        return max(
            self.rules.shards, key=lambda one: hashlib.blake2b(f"{one}\0{name}".encode(), digest_size=8).digest()
        )

    def fits(self, name: str) -> bool:
        return name.startswith(self.rules.pattern.partition("*")[0])


class ProcessHash(Sound):
    def route(self, ref: TaskRef) -> Route | None:
        return super().route(ref) or Route(queue="ab"[hash(ref.name) % 2])


class Dice(Sound):
    def route(self, ref: TaskRef) -> Route | None:
        return super().route(ref) or Route(queue=random.choice("ab"))


class WritesOptions(Sound):
    def route(self, ref: TaskRef) -> Route | None:
        options: Any = ref.options
        options["routed"] = True
        return super().route(ref)


class ReadsEnvironment(Sound):
    def route(self, ref: TaskRef) -> Route | None:
        return Route(queue="home") if "PATH" in os.environ and ref.name.startswith("app") else super().route(ref)


class AlwaysAnswers(Sound):
    def route(self, ref: TaskRef) -> Route | None:
        return super().route(ref) or Route()


class LateQueues(Sound):
    def compile(self, topology: Topology) -> CompiledRouter:
        return self.route


class Modulo(Sound):
    def shard(self, name: str) -> str:
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
        return self.rules.shards[number % len(self.rules.shards)]


class ByModule(Sound):
    def shard(self, name: str) -> str:
        module = hashlib.blake2b(name.partition(".")[0].encode()).digest()
        return self.rules.shards[module[0] % len(self.rules.shards)]


class Backtracks(Sound):
    def fits(self, name: str) -> bool:
        return re.fullmatch(self.rules.pattern.replace("*", ".*").replace("?", "."), name) is not None


class SwallowsErrors(Sound):
    def ask(self, function: Callable[..., object], ref: TaskRef) -> Route | None:
        try:
            return super().ask(function, ref)
        except KernelError:
            return None


class SlowRules(Sound):
    def route(self, ref: TaskRef) -> Route | None:
        for _ in range(8_000):
            pass
        return super().route(ref)


class Splits(Sound):
    def route(self, ref: TaskRef) -> Route | None:
        _module, _function = ref.name.rsplit(".", 1)
        return super().route(ref)


class SpoiltHarness(RouterHarness):
    """One wrong router."""

    routed: Mapping[str, str] = {"app.tasks.add": "sums", "app.tasks.mail": "mail"}
    unrouted: Sequence[str] = ("app.other",)
    consistent = True

    def __init__(self, router: type[Sound]) -> None:
        self.rules = Rules(self.routed)
        self._router = router

    def subjects(self) -> Sequence[Callable[[Any], Router]]:
        return (self._router,)

    def pattern_rules(self, pattern: str, queue: str) -> object:
        return Rules({}, pattern=pattern)

    def function_rules(self, function: Callable[..., object]) -> object:
        return Rules({}, function=function)

    def shard_rules(self, queues: Sequence[str]) -> object:
        return Rules({}, shards=tuple(queues))


def _saboteur(name: str, router: type[Sound], wrong: str, *killed_by: str) -> Saboteur:
    return Saboteur(name, "router", wrong, lambda: SpoiltHarness(router), killed_by)


SABOTEURS = (
    _saboteur("per-process-hash", ProcessHash, "Queues are chosen by hash().", "RTR-007"),
    _saboteur("throws-dice", Dice, "Queues are chosen by chance.", "RTR-001", "RTR-003"),
    _saboteur("writes-options", WritesOptions, "The options of the call are changed.", "RTR-002"),
    _saboteur("reads-environment", ReadsEnvironment, "Routes depend on the environment.", "RTR-003"),
    _saboteur("always-answers", AlwaysAnswers, "There is no None.", "RTR-004"),
    _saboteur("late-queues", LateQueues, "Unknown queues are found at the first call.", "RTR-006"),
    _saboteur("modulo-shards", Modulo, "consistent is claimed, shards are chosen by modulo.", "RTR-009"),
    _saboteur("shards-by-module", ByModule, "Shards are chosen by the module of the task.", "RTR-008"),
    _saboteur("backtracks", Backtracks, "Globs become regular expressions.", "RTR-012"),
    _saboteur("swallows-errors", SwallowsErrors, "A failing function means no route.", "RTR-013"),
    _saboteur("slow-rules", SlowRules, "Rules are read for every call.", "RTR-011"),
    _saboteur("splits-names", Splits, "A name without a dot is an error of Python.", "RTR-015"),
)
