"""A process of its own that publishes or consumes, to be killed: started by :mod:`kernel_conformance.procs`.

Reads one line of JSON with what to do; prints one line of JSON for each step, before and after it.
"""

import base64
import json
import pickle
import signal
import sys
import time
from typing import Any

from kernel.contracts import Broker, Consumer, Deadline, Delivery, Outgoing, PluginContext, Settle, SettleKind
from kernel_conformance.harness import BrokerHarness
from kernel_conformance.targets import harness_of


def say(**facts: Any) -> None:
    """One line for the parent."""
    print(json.dumps(facts), flush=True)  # noqa: T201 - the answer


class Worker:
    """Does one thing with one queue."""

    def __init__(self, order: dict[str, Any]) -> None:
        harness = harness_of(order["target"])
        if not isinstance(harness, BrokerHarness):
            raise TypeError(f"{order['target']!r} is no broker")
        self._order = order
        self._queue = order["queue"]
        self._broker: Broker = harness.subjects()[0](order["url"], {}, PluginContext(harness.namespace, node="worker"))
        self._broker.open(Deadline.after(15))

    def publish(self) -> None:
        """Publish batches for ever; say the ids before, and those that are ok after."""
        batch = 0
        while not self._order.get("batches") or batch < self._order["batches"]:
            batch += 1
            ids = [f"w{batch}-{number}" for number in range(self._order["size"])]
            items = [Outgoing(self._queue, f"body {one} ".encode() * 50, {"n": one}, one) for one in ids]
            say(trying=ids)
            results = self._broker.publish(items, Deadline.after(30))
            say(ok=[one for one, result in zip(ids, results, strict=True) if result.ok])
        sys.stdin.read()

    def hold(self) -> None:
        """Take ``count`` messages, acknowledge the first ``ack`` of them, hold the others and stay."""
        consumer = self._broker.consumer([self._queue], 0)
        found = self._take(consumer, self._order["count"])
        acked = found[: self._order["ack"]]
        results = consumer.settle([Settle(one, SettleKind.ACK) for one in acked], Deadline.after(30))
        ok = [one.message.id for one, result in zip(acked, results, strict=True) if result.ok]
        say(acked=ok, held=[one.message.id for one in found[self._order["ack"] :]])
        sys.stdin.read()

    def acknowledge(self) -> None:
        """Take everything and acknowledge it one by one for ever, saying so before and after each."""
        consumer = self._broker.consumer([self._queue], 0)
        found = self._take(consumer, self._order["count"])
        say(took=[one.message.id for one in found])
        for one in found:
            say(trying=one.message.id)
            [result] = consumer.settle([Settle(one, SettleKind.ACK)], Deadline.after(30))
            say(acked=one.message.id if result.ok else None)
        sys.stdin.read()

    def drain(self) -> None:
        """Consume one at a time until SIGTERM; then finish what is in hand, give back the rest, close."""
        consumer = self._broker.consumer([self._queue], 5)
        stopping: list[int] = []

        def stop(number: int, _frame: object) -> None:
            stopping.append(number)
            consumer.wake()

        signal.signal(signal.SIGTERM, stop)
        say(ready=True)
        while not stopping:
            found = consumer.receive(5, 20)
            say(took=[one.message.id for one in found])
            for one in found:
                if stopping:
                    break
                time.sleep(0.05)  # the body of a task
                [result] = consumer.settle([Settle(one, SettleKind.ACK)], Deadline.after(10))
                say(acked=one.message.id if result.ok else None)
        consumer.close(release=True, deadline=Deadline.after(10))
        self._broker.close(Deadline.after(10))
        say(closed=True)

    def settle(self) -> None:
        """Acknowledge a delivery that another process received."""
        delivery: Delivery = pickle.loads(base64.b64decode(self._order["delivery"]))
        consumer = self._broker.consumer([self._queue], 0)
        [result] = consumer.settle([Settle(delivery, SettleKind.ACK)], Deadline.after(10))
        say(error=None if result.error is None else str(result.error))
        consumer.close(release=True, deadline=Deadline.after(10))
        self._broker.close(Deadline.after(10))

    def _take(self, consumer: Consumer, count: int) -> list[Delivery]:
        found: list[Delivery] = []
        while len(found) < count:
            found += consumer.receive(count - len(found), 1.0)
        return found


def main() -> None:
    """Do what the first line says."""
    order = json.loads(sys.stdin.readline())
    getattr(Worker(order), order["verb"])()


if __name__ == "__main__":
    main()
