"""Brokers: random sequences of operations against a model queue."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from kernel.contracts import Broker, Consumer, Delivery, Settle, SettleKind
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case

EXAMPLES = 25
STEPS = 25


class QueueMachine(RuleBasedStateMachine):
    """One queue, two connections. The model: which ids are ready, which are out, which are gone for good."""

    suite: BrokerCase
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        suite = self.suite
        self._brokers: list[Broker] = [suite.broker(), suite.broker()]
        self._queue = suite.queue(self._brokers[0], lease_s=max(120.0, suite.lease_s))
        self._consumers: list[Consumer] = []
        self._ready: list[str] = []
        self._out: dict[str, tuple[int, Any]] = {}
        self._attempts: Counter[str] = Counter()
        self._seen_gone: set[str] = set()

    @initialize()
    def begin(self) -> None:
        """Two consumers."""
        self._consumers = [broker.consumer([self._queue], 0) for broker in self._brokers]

    @rule(count=st.integers(1, 5), who=st.integers(0, 1))
    def publish(self, count: int, who: int) -> None:
        """A batch becomes ready."""
        items = self.suite.messages(self._queue, count)
        self.suite.send(self._brokers[who], *items)
        self._ready += [item.id for item in items]

    @rule(target=held, most=st.integers(1, 4), who=st.integers(0, 1))
    def receive(self, most: int, who: int) -> Any:
        """Ready messages go out, with any ready, some must come."""
        wanted = min(most, len(self._ready))
        found = self.suite.take(self._consumers[who], wanted) if wanted else self._idle(who)
        for one in found:
            self._goes_out(one, who)
        return multiple(*((one, who) for one in found))

    @rule(what=consumes(held), kind=st.sampled_from([SettleKind.ACK, SettleKind.RELEASE, SettleKind.REJECT]))
    def settle(self, what: tuple[Delivery, int], kind: SettleKind) -> None:
        """One that is out ends, or is ready again. A delivery whose consumer was closed since is nobody's."""
        one, who = what
        if self._out.get(one.message.id) != (who, one.receipt):
            return
        [result] = self.suite.try_settle(self._consumers[who], kind, one)
        assert result.error is None, f"{kind}: {result.error!r}"
        self._comes_back(one.message.id) if kind is SettleKind.RELEASE else self._ends(one.message.id)

    @rule(what=held)
    def settle_again(self, what: tuple[Delivery, int]) -> None:
        """Settling what is gone changes nothing."""
        one, who = what
        if one.message.id in self._seen_gone:
            self._consumers[who].settle([Settle(one, SettleKind.RELEASE)], self.suite.soon())

    @rule(who=st.integers(0, 1))
    def reconnect(self, who: int) -> None:
        """What a connection held is ready again."""
        self.suite.close(self._consumers[who])
        self._brokers[who].close(self.suite.soon())
        self._brokers[who].open(self.suite.soon())
        self._consumers[who] = self._brokers[who].consumer([self._queue], 0)
        for message_id in [known for known, (owner, _) in self._out.items() if owner == who]:
            self._comes_back(message_id)

    @invariant()
    def depth_agrees(self) -> None:
        """Where the broker counts exactly, its figures are the model's."""
        if not self._consumers or not self.suite.caps.depth:
            return
        found = self._brokers[0].depth([self._queue], self.suite.soon())[self._queue]
        if found.exact:
            got = (found.ready, found.in_flight if found.in_flight is not None else len(self._out))
            assert got == (len(self._ready), len(self._out)), f"depth {found}, ready {self._ready}, out {self._out}"

    def teardown(self) -> None:
        """Everything that is not settled must still be there, once."""
        for broker in self._brokers:
            for consumer in self._consumers:
                self.suite.close(consumer)
            broker.close(self.suite.soon())
            broker.open(self.suite.soon())
        left = sorted(
            one.message.id for one in self.suite.drain(self._brokers[0], self._queue, quiet_s=self.suite.granularity_s)
        )
        wanted = sorted([*self._ready, *self._out])
        assert left == wanted, f"left are {left}, the model has {wanted}"
        for broker in self._brokers:
            broker.close(self.suite.soon())

    def _idle(self, who: int) -> list[Delivery]:
        return self.suite.receive(self._consumers[who], 1, 0)

    def _goes_out(self, one: Delivery, who: int) -> None:
        message_id = one.message.id
        assert message_id in self._ready, f"{message_id} came and is not ready; out {self._out}"
        self._ready.remove(message_id)
        self._out[message_id] = (who, one.receipt)
        self._attempts[message_id] += 1
        if self.suite.caps.attempts:
            assert one.attempt == self._attempts[message_id], (
                f"attempt={one.attempt}, the model says {self._attempts[message_id]}"
            )

    def _comes_back(self, message_id: str) -> None:
        del self._out[message_id]
        self._ready.append(message_id)

    def _ends(self, message_id: str) -> None:
        del self._out[message_id]
        self._seen_gone.add(message_id)


class ModelSuite(BrokerCase):
    """A model queue."""

    @case("BRK-066", timeout_s=240)
    def it_behaves_like_a_queue(self) -> None:
        """Whatever sequence of publish, receive, settle and reconnect: it behaves like a queue.

        Nothing is lost, nothing comes twice, attempts count, figures agree. A failing sequence is shrunk.

        Broken by: states that no single test reaches.
        """
        machine = type("Machine", (QueueMachine,), {"suite": self})
        seed(self.seed)(machine)
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
                print_blob=False,
            ),
        )
