"""The SQLite broker against the reference model: the same random life on both, and the same answers."""

import tempfile
import uuid

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from storage_helpers import declare, message, soon

from kernel.builtins.memory.broker import MemoryBroker
from kernel.builtins.sqlite.broker import SqliteBroker
from kernel.contracts import Broker, Consumer, Delivery, PluginContext, Settle, SettleKind
from kernel.model.topology import Binding, Exchange, QueueSpec

OPTIONS = {"lease_s": 20.0, "dedup_window_s": 40.0}
QUEUES = (
    QueueSpec("a", dead_letter="dead", delivery_limit=4, bindings=(Binding(Exchange("x", "topic"), "k.*"),)),
    QueueSpec("b", ttl_s=35.0, lease_s=7.0, max_priority=9, bindings=(Binding(Exchange("x", "topic"), "#"),)),
    QueueSpec("dead", ttl_s=300.0),
)
Seen = tuple[Delivery, Delivery]


class Life(RuleBasedStateMachine):
    """Every rule does the same to both brokers and compares what they say."""

    held: Bundle[Seen] = Bundle("held")
    old: Bundle[Seen] = Bundle("old")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        self.number = 0
        self.folder = tempfile.TemporaryDirectory()
        context = PluginContext(clock=lambda: self.now)
        self.brokers: list[Broker] = [
            MemoryBroker(f"memory://{uuid.uuid4().hex}", OPTIONS, context),
            SqliteBroker(f"sqlite:///{self.folder.name}/queue.db", {**OPTIONS, "synchronous": "off"}, context),
        ]
        self.consumers: list[list[Consumer]] = []
        for broker in self.brokers:
            broker.open(soon())
            declare(broker, *QUEUES)
            self.consumers.append([broker.consumer(["a"], 3), broker.consumer(["b"], 0), broker.consumer(["dead"], 0)])

    def both(self, ask):
        """The answer of both, which must be the same."""
        model, real = [ask(index) for index in range(2)]
        assert real == model
        return model

    @rule(
        queue=st.sampled_from(["a", "b", "nowhere", ""]),
        priority=st.sampled_from([None, 0, 3, 9, 20]),
        delay_s=st.sampled_from([None, None, 0.0, 5.0, 30.0]),
        ttl_s=st.sampled_from([None, None, 0.0, 12.0]),
        dedup_id=st.sampled_from([None, None, "same"]),
        key=st.sampled_from(["k.1", "other"]),
    )
    def publish(self, queue, key, **options):
        self.number += 1
        exchange = "" if queue else "x"
        item = message(queue, self.number, exchange=exchange, routing_key=key, **options)
        self.both(lambda i: [r.error and r.error.code for r in self.brokers[i].publish([item], soon())])

    @rule(target=held, which=st.integers(0, 2), most=st.integers(1, 3))
    def receive(self, which, most):
        # Which of two dead messages came first is nobody's promise: take all, and put them in order.
        most = 100 if which == 2 else most
        found = [consumers[which].receive(most, 0) for consumers in self.consumers]
        if which == 2:
            found = [sorted(some, key=_number) for some in found]
        self.both(lambda i: [_facts(one) for one in found[i]])
        return multiple(*zip(*found, strict=True))

    @rule(
        target=old,
        seen=consumes(held),
        kind=st.sampled_from(SettleKind),
        seconds=st.sampled_from([0.0, 0.0, 4.0, 25.0]),
        started=st.booleans(),
    )
    def settle(self, seen, kind, seconds, started):
        self._settle(seen, kind, seconds, started)
        return seen

    @rule(seen=old, kind=st.sampled_from(SettleKind))
    def settle_again(self, seen, kind):
        self._settle(seen, kind, 0.0, True)

    def _settle(self, seen, kind, seconds, started):
        def apply(index):
            action = Settle(seen[index], kind, seconds, "why", started)
            [result] = self.consumers[index][0].settle([action], soon())
            return (result.error and result.error.code, result.lease_until)

        self.both(apply)

    @rule(seconds=st.sampled_from([0.5, 3.0, 8.0, 21.0, 50.0]))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(queue=st.sampled_from(["a", "b", "dead"]))
    def purge(self, queue):
        self.both(lambda i: self.brokers[i].purge([queue], soon()))

    @rule(which=st.integers(0, 2), release=st.booleans())
    def replace_consumer(self, which, release):
        for broker, consumers in zip(self.brokers, self.consumers, strict=True):
            consumers[which].close(release, soon())
            consumers[which] = broker.consumer([["a"], ["b"], ["dead"]][which], [3, 0, 0][which])

    @invariant()
    def looks_the_same(self):
        names = ["a", "b", "dead"]
        self.both(lambda i: self.brokers[i].depth(names, soon()))
        for name in names[:2]:
            self.both(lambda i, name=name: [_facts(one) for one in self.brokers[i].peek(name, 100, soon())])
        self.both(lambda i: [_facts(one) for one in sorted(self.brokers[i].peek("dead", 100, soon()), key=_number)])

    def teardown(self):
        for broker in self.brokers:
            broker.close(soon())
        self.folder.cleanup()


def _number(one: Delivery) -> int:
    return int(one.message.headers["n"])


def _facts(one: Delivery) -> tuple[object, ...]:
    """All of a delivery but its receipt."""
    return (one.message, one.attempt, one.redelivered, one.lease_until, one.dead_reason, one.dead_queue)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
