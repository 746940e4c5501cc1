"""Brokers: processes that are killed, drained, or forked."""

import base64
import os
import pickle
import time
from itertools import chain
from typing import Any

from kernel.contracts import Broker
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case
from kernel_conformance.procs import Child

COUNT = 20


class ProcessSuite(BrokerCase):
    """Processes."""

    def child(self, verb: str, queue: str, **order: Any) -> Child:
        """Another process on the same store."""
        return Child(self.harness.target, self.url, verb, queue=queue, **order)

    def ids(self, broker: Broker, queue: str, count: int = COUNT) -> list[str]:
        """Publish so many; their ids."""
        items = self.messages(queue, count)
        self.send(broker, *items)
        return [item.id for item in items]

    def come_back(self, broker: Broker, queue: str, wanted: set[str], seconds: float) -> list[str]:
        """Receive and acknowledge until all of ``wanted`` came or the time is over, then whatever else is there."""
        consumer = broker.consumer([queue], 0)
        found: list[str] = []
        end = time.monotonic() + seconds
        while not wanted <= set(found) and time.monotonic() < end:
            some = self.receive(consumer, 10, 0.2)
            self.ack(consumer, *some)
            found += [one.message.id for one in some]
        self.close(consumer)
        return found + [one.message.id for one in self.drain(broker, queue)]

    @property
    def back_s(self) -> float:
        """When what a dead process held must be back."""
        return (self.lease_s if self.caps.lease else 0.0) + self.slack_s + 5

    @case("BRK-021", needs=("confirm", "persist"), faults=("kill",), embedded=True)
    def what_is_ok_survives_a_kill(self) -> None:
        """Every publish that was ok is there after the server is killed in the next moment.

        A store without a server is killed with the process that publishes.

        Broken by: answering before the write reached the disk, a buffer in the client.
        """
        broker = self.broker()
        queue = self.queue(broker)
        if self.harness.server is None:
            with self.child("publish", queue, size=7) as child:
                for _ in range(10):
                    child.listen("ok")
                child.kill()
                oks = set(chain(*child.heard("ok")))
        else:
            oks = set(self.ids(broker, queue, 100))
            self.fault("server killed")
            self.harness.server.restart()
        found = self.come_back(self._again(), queue, oks, self.back_s)
        assert oks <= set(found), f"{len(oks - set(found))} of {len(oks)} ok'd messages are lost"

    @case("BRK-042", faults=("proc",))
    def a_killed_consumer_gives_back(self) -> None:
        """When a consuming process is killed, what it had not acknowledged comes back; what it had does not.

        Broken by: acknowledging on receive, leases without end.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=self.lease_s if self.caps.lease else None)
        ids = set(self.ids(broker, queue))
        with self.child("hold", queue, count=COUNT, ack=8) as child:
            held, acked = set(child.listen("held", 60)), set(chain(*child.heard("acked")))
            child.kill()
        assert held | acked == ids
        found = self.come_back(broker, queue, held, self.back_s)
        assert sorted(found) == sorted(held), f"{len(held)} were held, {len(found)} came back, acked {len(acked)}"

    @case("BRK-043", faults=("proc",), timeout_s=120)
    def a_kill_during_settlement_loses_nothing(self) -> None:
        """A process killed in the middle of settling: each message is gone or redelivered, never lost.

        Broken by: acknowledging in the background after saying so, acknowledging a whole batch at its first item.
        """
        for pause_s in (0.0, 0.003, 0.01, 0.02):
            broker = self.broker()
            queue = self.queue(broker, lease_s=self.lease_s if self.caps.lease else None)
            ids = set(self.ids(broker, queue))
            with self.child("acknowledge", queue, count=COUNT) as child:
                child.listen("acked", 60)
                time.sleep(pause_s)  # another moment of its work each round
                child.kill()
                acked = {one for one in child.heard("acked") if one}
                doubtful = set(child.heard("trying")) - acked
            found = self.come_back(broker, queue, ids - acked - doubtful, self.back_s)
            assert not acked & set(found), f"{len(acked & set(found))} acknowledged messages came back"
            missing = ids - acked - doubtful - set(found)
            assert not missing, f"{len(missing)} messages are neither acknowledged nor there"
            assert len(found) == len(set(found)), "a message came back twice"

    @case("BRK-044", faults=("proc",))
    def a_kill_during_publication_tears_nothing(self) -> None:
        """A publisher killed in the middle of a batch: no message is torn, none is invented, ok'd ones are there.

        Broken by: a body stored in pieces, an answer before the store.
        """
        broker = self.broker()
        queue = self.queue(broker)
        with self.child("publish", queue, size=10) as child:
            child.listen("ok", 60)
            child.listen("trying")
            time.sleep(self.random.random() * 0.01)  # another moment of its work each seed
            child.kill()
            tried, oks = set(chain(*child.heard("trying"))), set(chain(*child.heard("ok")))
        consumer = broker.consumer([queue], 0)
        found: list[str] = []
        while some := self.receive(consumer, 20, 0.5 + self.granularity_s):
            for one in some:
                assert one.message.body == f"body {one.message.id} ".encode() * 50, f"{one.message.id} is torn"
            self.ack(consumer, *some)
            found += [one.message.id for one in some]
        assert set(found) <= tried, f"{len(set(found) - tried)} messages were never published"
        assert oks <= set(found), f"{len(oks - set(found))} of {len(oks)} ok'd messages are lost"
        assert len(found) == len(set(found)), "a message came twice"

    @case("BRK-045", faults=("proc",))
    def a_terminated_consumer_drains(self) -> None:
        """On SIGTERM a consumer that waits is woken, settles what is in hand and gives back the rest, at once.

        Broken by: a wake that is not safe in a signal handler, a close that keeps the leases.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(120.0, self.lease_s))
        with self.child("drain", queue) as child:
            child.listen("ready", 60)
            ids = self.ids(broker, queue)
            child.listen("acked")
            child.terminate()
            child.listen("closed", 10 + self.slack_s)
            acked = [one for one in child.heard("acked") if one]
        with self.child("drain", queue) as idle:
            idle.listen("ready", 60)
            rest = set(ids) - set(acked)
            while rest:
                rest -= {idle.listen("acked", 10 + self.slack_s)}
            started = time.monotonic()
            idle.terminate()
            idle.listen("closed", 10 + self.slack_s)
            assert time.monotonic() - started <= 2 + self.slack_s, "an idle consumer took long to wake at SIGTERM"
        assert self.drain(broker, queue) == []

    @case("BRK-046", faults=("proc",), timeout_s=40)
    def both_sides_of_a_fork_work(self) -> None:
        """After a fork the parent and, after ``after_fork``, the child both work, without reading each other's answers.

        What the parent holds stays the parent's.

        Broken by: a socket or file shared by both, a lock that was held during the fork, a thread that is not there.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(120.0, self.lease_s))
        back = self.queue(broker)
        self.send(broker, *self.messages(queue, 2))
        consumer = broker.consumer([queue], 0)
        held = self.one(consumer)
        pid = os.fork()
        if pid == 0:
            os._exit(_child_of_fork(self, broker, queue, back))
        for number in range(20):
            self.send(broker, self.message(back, b"parent", headers={"n": number}))
        self.until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), "the end of the child", 30)
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"the child failed with status {status}"
        bodies = sorted(one.message.body for one in self.drain(broker, back))
        assert bodies == [b"child"] * 20 + [b"parent"] * 20, f"{len(bodies)} of 40 messages came"
        self.ack(consumer, held)
        self.close(consumer)
        assert self.drain(broker, queue) == []

    @case("BRK-072", needs=("cross_settle",), faults=("proc",))
    def settling_from_another_process(self) -> None:
        """A delivery may be settled by another process than the one that received it.

        Broken by: receipts that mean something in one process only.
        """
        broker = self.broker()
        queue = self.queue(broker, lease_s=max(60.0, self.lease_s))
        self.ids(broker, queue, 1)
        consumer = broker.consumer([queue], 0)
        held = self.one(consumer)
        packed = base64.b64encode(pickle.dumps(held)).decode()
        with self.child("settle", queue, delivery=packed) as child:
            error = child.listen("error")
        assert error is None, f"another process cannot settle: {error}"
        self.close(consumer)
        assert self.drain(broker, queue) == [], "it came back although another process acknowledged it"

    def _again(self) -> Broker:
        """A broker after a kill: the server may need a moment."""
        broker = self.new_broker()
        broker.open(self.soon(30))
        return broker


def _child_of_fork(suite: ProcessSuite, broker: Broker, queue: str, back: str) -> int:
    """What the child does; its exit status."""
    try:
        broker.after_fork()
        for number in range(20):
            suite.send(broker, suite.message(back, b"child", headers={"n": number}))
        consumer = broker.consumer([queue], 0)
        suite.ack(consumer, suite.one(consumer))
        broker.close(suite.soon())
    except BaseException:  # noqa: BLE001 - the parent reads the status
        return 1
    return 0
