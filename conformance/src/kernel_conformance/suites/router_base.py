"""What the routers' tests have at hand."""

from collections.abc import Callable, Sequence

from kernel.contracts import Router
from kernel.contracts.router import CompiledRouter
from kernel.errors import KernelError
from kernel.model.topology import QueueSpec, Route, TaskRef, Topology
from kernel_conformance.formats import RouterHarness
from kernel_conformance.suite import Suite


class RouterSuite(Suite):
    """Base of the routers' suites; ``subject`` is the factory that takes the rules."""

    subject: Callable[[object], Router]
    harness: RouterHarness

    def setup(self) -> None:
        """Compile the rules of the harness."""
        self.rules = self.harness.rules
        self.queues = sorted(set(self.harness.routed.values()))
        self.router = self.compiled(self.rules)

    def topology(self, queues: Sequence[str] = (), *, create_missing: bool = True) -> Topology:
        """A topology with a default queue and these."""
        names = ["default", *queues]
        return Topology("default", {name: QueueSpec(name) for name in names}, create_missing=create_missing)

    def compiled(self, rules: object) -> CompiledRouter:
        """The decision that these rules make."""
        return self.subject(rules).compile(self.topology(self.queues))

    def refusal(self, call: Callable[[], object]) -> KernelError | None:
        """The KernelError of a call, None without one."""
        try:
            call()
        except KernelError as error:
            return error
        return None

    def refs(self, count: int = 200) -> list[TaskRef]:
        """Calls of tasks that have a route, of some that may not, and of made-up ones."""
        known = [*self.harness.routed, *self.harness.unrouted]
        drawn = [f"app{self.random.randrange(9)}.tasks.task_{self.random.randrange(10**6)}" for _ in range(count)]
        return [TaskRef(name, (1, "a"), {"key": [name]}, {}) for name in [*known, *drawn]]


def check_route(answer: object) -> None:
    """An answer of a router must be a Route or None."""
    assert answer is None or isinstance(answer, Route), f"a router answered {answer!r:.100}"
