"""Routers: many tasks, patterns that cost too much, functions that fail, names of any kind."""

import time
from functools import partial

from hypothesis import strategies as st

from kernel.contracts import BrokerCaps
from kernel.engine.requirements import check_broker
from kernel.engine.routing import RouteResolver
from kernel.errors import KernelError
from kernel.model.config import Config
from kernel.model.topology import Route, TaskRef
from kernel_conformance.cases import case
from kernel_conformance.guarded import in_child
from kernel_conformance.suites.router_base import RouterSuite, check_route

_P99_S = 50e-6
_PATTERN_S = 0.1
_EVIL = (
    ("a*" * 30 + "b", "a" * 5000),
    ("*a" * 30 + "*b", "a" * 5000),
    ("*" * 100 + "x", "a" * 10_000),
    ("(a+)+$", "a" * 5000 + "!"),
    ("^(a|a)*$", "a" * 5000 + "!"),
    ("(.*)*x", "a" * 5000),
    ("a?" * 40 + "a" * 40, "a" * 40),
    ("[a-z]*[a-z]*[a-z]*[a-z]*[a-z]*9", "a" * 5000),
    ("{a,{b,{c,*}}}*", "{a," * 1000),
    ("*.*.*.*.*.*.*.*.*.*.end", "a." * 3000),
)  # fmt: skip
"""Patterns as users write them, and the names that make a backtracking matcher hang."""


class RouterTrouble(RouterSuite):
    """Bounded time, errors that say whose they are."""

    @case("RTR-011", timeout_s=120.0)
    def speed(self) -> None:
        """Of 10,000 different names, 99 in 100 are routed within 50 µs.

        The best of five rounds counts, so that a busy machine is no failure.

        Broken by: patterns compiled per call, and rules that are read again every time.
        """
        refs = self.refs(10_000)
        best = float("inf")
        for _ in range(5):
            times = []
            for ref in refs:
                began = time.perf_counter()
                self.router(ref)
                times.append(time.perf_counter() - began)
            best = min(best, sorted(times)[len(times) * 99 // 100])
            if best <= _P99_S:
                return
        raise AssertionError(f"p99 is {best * 1e6:.0f} µs over {len(refs):,} names, more than 50")

    @case("RTR-012", needs=("patterns",), timeout_s=120.0)
    def patterns(self) -> None:
        """No pattern of a user, with no name, takes longer than 100 ms; a pattern that cannot work is refused at
        start.

        Broken by: translating globs to regular expressions, one ``.*`` for every star.
        """
        for pattern, name in _EVIL:

            def work(pattern: str = pattern, name: str = name) -> float:
                began = time.process_time()
                try:
                    router = self.subject(self.harness.pattern_rules(pattern, "q")).compile(self.topology(["q"]))
                except KernelError:
                    return 0.0
                for one in (name, name[1:], name + "x"):
                    check_route(router(TaskRef(one)))
                return time.process_time() - began

            took = in_child(work, seconds=10).answer(f"the pattern {pattern:.40}")
            assert took <= 3 * _PATTERN_S, f"the pattern {pattern:.40} took {took:.2f} s of CPU time for three names"

    @case("RTR-013", needs=("functions",))
    def failing_functions(self) -> None:
        """A user's function that raises, or answers nonsense, gives one KernelError that names the router and the
        task. The call is not routed anywhere, and the next one works.

        Broken by: taking the default queue after an error, and tracebacks without the task's name.
        """

        def conformance_function(name: str, *_args: object, **_options: object) -> object:
            if name == "raises":
                raise ZeroDivisionError("inside")
            return {"nonsense": object()} if name == "nonsense" else 42 if name == "number" else {"queue": "q"}

        router = self.subject(self.harness.function_rules(conformance_function)).compile(self.topology(["q"]))
        resolver = RouteResolver([router], self.topology(["q"]))
        for name in ("raises", "nonsense", "number"):
            try:
                found = resolver.resolve(TaskRef(name), {})
            except KernelError as error:
                text = str(error)
                assert name in text, f"the message does not name the task {name!r}: {text}"
                assert "conformance_function" in text, f"the message does not name the router: {text}"
                continue
            raise AssertionError(f"the call of {name!r} went to {found.queue!r} although its router failed")
        assert resolver.resolve(TaskRef("fine"), {}).queue == "q"

    @case("RTR-014", needs=("options",))
    def capabilities(self) -> None:
        """A route may set priority, group or deduplication only where the broker has the capability; else E107 at
        start.

        Broken by: options that a broker ignores in silence.
        """
        for option, value, capability in (("priority", 5, "priority"), ("group", "g", "fifo_group")):
            rules = self.harness.option_rules(option, value)
            route = self.compiled(rules)(TaskRef("any"))
            assert route is not None, f"the rules with {option} give no route"
            assert dict(route.options) == {option: value}, f"the route sets {dict(route.options)}"
            config = Config(task_routes=rules)
            able = BrokerCaps(priority=capability == "priority", fifo_group=capability == "fifo_group")
            check_broker("broker.able", able, config, self.topology(["q"]))
            unable = partial(check_broker, "broker.unable", BrokerCaps(), config, self.topology(["q"]))
            error = self.refusal(unable)
            assert error is not None, f"a route with {option} was taken for a broker without {capability}"
            said = (error.code, capability in str(error), option in str(error))
            assert said == ("E107", True, True), f"refused with {error}"

    @case("RTR-015")
    def any_name(self) -> None:
        """Whatever a task is called, the answer is a Route, None or a KernelError: 300 drawn names, and long ones.

        Broken by: names that are taken apart at dots, formatted into patterns, or encoded.
        """
        characters = st.characters(exclude_categories=())

        def check(name: str) -> None:
            try:
                answer = self.router(TaskRef(name, ("x",), {"a": 1}, {}))
            except KernelError:
                return
            check_route(answer)
            assert not isinstance(answer, Route) or answer.queue != "", "a route to a queue without a name"

        self.forall(st.text(characters, max_size=60), check, examples=300)
        for name in ("", ".", "..", "*", "a" * 100_000, "\ud800", "a\x00b", "\n", "%s{}", "a.b" * 10_000):
            check(name)
