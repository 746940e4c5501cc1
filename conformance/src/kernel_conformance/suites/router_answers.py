"""Routers: which answer a call gets, and that it is the same answer everywhere."""

import copy
import math
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from typing import Any

from kernel.engine.routing import RouteResolver
from kernel.errors import ImproperlyConfigured, KernelError, QueueNotFound
from kernel.model.topology import Route, TaskRef
from kernel_conformance.cases import case
from kernel_conformance.guarded import in_child
from kernel_conformance.suites.router_base import RouterSuite

_CHILD = """
import pickle, sys
factory, rules, topology, refs = pickle.load(sys.stdin.buffer)
router = factory(rules).compile(topology)
sys.stdout.buffer.write(pickle.dumps([router(ref) for ref in refs]))
"""


class RouterAnswers(RouterSuite):
    """A route depends on the call and on configuration, and on nothing else."""

    @case("RTR-001")
    def repeatable(self) -> None:
        """The same call gets the same route, a thousand times, in any order, from any compilation of the rules.

        Broken by: round robin, random shards, and answers that depend on earlier calls.
        """
        refs = self.refs(60)
        first = {ref.name: self.router(ref) for ref in refs}
        for name, queue in self.harness.routed.items():
            found = first[name]
            assert found is not None, f"{name} has no route"
            assert found.queue == queue, f"{name} goes to {found.queue!r}, not to {queue!r}"
        others = [self.router, self.compiled(self.rules)]
        for turn in range(1000):
            ref = self.random.choice(refs)
            assert others[turn % 2](ref) == first[ref.name], f"{ref.name} got another route in turn {turn}"

    @case("RTR-002")
    def no_changes(self) -> None:
        """A router leaves the call as it was: arguments, options and everything inside them.

        Broken by: options that are completed in place, and popped.
        """
        for ref in self.refs(20):
            given = TaskRef(ref.name, [1, {"a": [2]}], {"k": {"n": [3]}}, {"headers": {"h": [1]}, "countdown": 3})
            before = copy.deepcopy(given)
            self.router(given)
            assert given == before, f"the router changed the call of {ref.name}: {given}"

    @case("RTR-003")
    def pure(self) -> None:
        """Asking for a route does no I/O, reads no clock, no environment and no random numbers, and imports nothing.

        Broken by: a lookup of queues at run time, weights by time of day, feature flags from the environment.
        """
        refs = self.refs(50)
        for ref in refs:
            self.router(ref)  # what is imported late is imported now

        def work() -> int:
            kept = [getattr(module, name) for module, name in _IMPURE]
            for module, name in _IMPURE:
                setattr(module, name, _forbidden(name))
            os.environ.clear()
            try:
                return sum(self.router(ref) is not None for ref in refs)
            finally:
                for (module, name), function in zip(_IMPURE, kept, strict=True):
                    setattr(module, name, function)

        here = sum(self.router(ref) is not None for ref in refs)
        ended = in_child(work, watched=True)
        assert ended.answer("routing without clock, environment and chance") == here, "other routes without environment"
        assert not ended.deeds, f"a router did {ended.deeds[0]}"

    @case("RTR-004")
    def falls_through(self) -> None:
        """None means "not mine": the next router decides, and the first in the order of configuration wins.

        Broken by: a default route inside a router, and an empty Route instead of None.
        """

        def fallback(_ref: TaskRef) -> Route | None:
            return Route(queue="fallback")

        topology = self.topology(["fallback", *self.queues])
        chain = RouteResolver([self.router, fallback], topology)
        turned = RouteResolver([fallback, self.router], topology)
        alone = RouteResolver([self.router], topology)
        for name in self.harness.unrouted:
            assert self.router(TaskRef(name)) is None, f"{name} should have no route"
            assert chain.resolve(TaskRef(name), {}).queue == "fallback"
            assert alone.resolve(TaskRef(name), {}).queue == "default"
        for name, queue in self.harness.routed.items():
            assert chain.resolve(TaskRef(name), {}).queue == queue
            assert turned.resolve(TaskRef(name), {}).queue == "fallback", "the order of routers does not count"

    @case("RTR-005")
    def call_wins(self) -> None:
        """A queue named by the call wins over the route, whatever the route says.

        Broken by: a router that looks into the options and insists.
        """
        resolver = RouteResolver([self.router], self.topology(["explicit", *self.queues]))
        for ref in self.refs(20):
            for _ in range(2):
                found = resolver.resolve(ref, {"queue": "explicit"})
                assert found.queue == "explicit", f"{ref.name} went to {found.queue!r}"
            resolver.resolve(ref, {})

    @case("RTR-006")
    def unknown_queues(self) -> None:
        """Rules that name a queue which is not configured and may not be created are refused by ``compile``.

        Broken by: finding out at the first publish, in production.
        """
        assert self.harness.routed, "the harness names no routes to test with"
        error = self.refusal(lambda: self.subject(self.rules).compile(self.topology(create_missing=False)))
        assert error is not None, "compile took rules with queues that do not exist"
        assert isinstance(error, (QueueNotFound, ImproperlyConfigured)), f"a {type(error).__name__}: {error}"
        assert any(queue in str(error) for queue in self.queues), f"the message does not name the queue: {error}"
        self.subject(self.rules).compile(self.topology(self.queues, create_missing=False))

    @case("RTR-007", timeout_s=120.0)
    def processes(self) -> None:
        """Processes with other hash seeds give equal routes.

        Broken by: hash(), which differs per process, and the order of sets.
        """
        refs = self.refs(300)
        here = [self.router(ref) for ref in refs]
        task = pickle.dumps((self.subject, self.rules, self.topology(self.queues), refs))
        for hash_seed in ("0", "1", "4242"):
            run = subprocess.run(
                [sys.executable, "-c", _CHILD],
                input=task,
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert run.returncode == 0, f"a process with hash seed {hash_seed} failed: {run.stderr.decode()[-300:]}"
            found = pickle.loads(run.stdout)
            for ref, left, right in zip(refs, here, found, strict=True):
                assert left == right, f"{ref.name}: {left} here, {right} in a process with hash seed {hash_seed}"

    @case("RTR-008", needs=("sharding",))
    def uniform(self) -> None:
        """Shards are used alike: 20,000 names over 7 shards pass a chi-square test.

        Broken by: the sum of characters as a hash, and modulo of something with a pattern.
        """
        shards = [f"shard-{number}" for number in range(7)]
        counts, shard_of = dict.fromkeys(shards, 0), self._shard(shards)
        for name in _names(20_000):
            counts[shard_of(name)] += 1
        expected = 20_000 / len(shards)
        chi = sum((count - expected) ** 2 / expected for count in counts.values())
        assert chi < 33.0, f"chi-square is {chi:.1f} at 6 degrees of freedom: {counts}"  # 1 in 100,000 by chance

    @case("RTR-009", needs=("consistent",))
    def consistent(self) -> None:
        """Adding a shard moves at most half more names than must move: 1.5·K/N.

        Broken by: hash modulo the number of shards, which moves almost all.
        """
        names = _names(20_000)
        for count in (3, 7, 12):
            shards = [f"shard-{number}" for number in range(count + 1)]
            before, after = self._shard(shards[:-1]), self._shard(shards)
            moved = sum(before(name) != after(name) for name in names)
            allowed = math.ceil(1.5 * len(names) / (count + 1))
            assert moved <= allowed, f"shard {count + 1} moved {moved} of {len(names)} names; {allowed} are allowed"

    @case("RTR-010")
    def threads_and_processes(self) -> None:
        """Eight threads may ask at once, and so may a child after a fork.

        Broken by: a cache without a lock that is cleared while it is read.
        """
        refs = self.refs(500)
        expected = [self.router(ref) for ref in refs]
        faults: list[str] = []

        def work() -> None:
            try:
                found = [self.router(ref) for ref in refs]
                faults.extend("another route" for left, right in zip(expected, found, strict=True) if left != right)
            except Exception as error:  # noqa: BLE001 - it is judged by the main thread
                faults.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults, faults[0]
        assert in_child(lambda: [self.router(ref) for ref in refs]).answer("a child process") == expected

    def _shard(self, shards: list[str]) -> Any:
        router = self.subject(self.harness.shard_rules(shards)).compile(self.topology(shards))

        def queue_of(name: str) -> str:
            route = router(TaskRef(name))
            assert route is not None, f"{name} has no shard"
            assert route.queue in shards, f"{name} goes to {route.queue!r}, which is no shard"
            return str(route.queue)

        return queue_of


_IMPURE: tuple[tuple[Any, str], ...] = (
    (time, "time"), (time, "monotonic"), (time, "time_ns"), (random, "random"), (random, "choice"),
    (random, "randrange"), (os, "urandom"), (os, "getenv"), (os, "getpid"),
)  # fmt: skip


def _forbidden(name: str) -> Any:
    def call(*_args: object) -> None:
        raise KernelError(f"a router called {name}()")

    return call


def _names(count: int) -> list[str]:
    return [f"app{number % 17}.tasks.process_{number}" for number in range(count)]
