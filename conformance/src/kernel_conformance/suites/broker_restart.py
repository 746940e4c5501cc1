"""Brokers: a server that goes away and comes back."""

import threading
import time

from kernel.contracts import Broker
from kernel.errors import Code, DriverError
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case
from kernel_conformance.checker import KILLED
from kernel_conformance.crew import Crew
from kernel_conformance.history import Phase, Verb
from kernel_conformance.server import Server

OUTAGE_S = 10.0
OUTAGES = 2
PUBLISHERS = 8
CONSUMERS = 4


class RestartSuite(BrokerCase):
    """Outages."""

    @property
    def server(self) -> Server:
        """The server to break."""
        if self.harness.server is None:
            self.not_run("the harness cannot restart the server")
        return self.harness.server

    @case("BRK-053", needs=("persist",), faults=("restart",), timeout_s=120)
    def it_resumes_after_a_restart(self) -> None:
        """After a restart of the server the same objects go on by themselves, and the backlog is intact.

        Broken by: a broker that has to be opened anew, declarations that are not kept, a backlog in memory.
        """
        broker = self.broker()
        queue = self.queue(broker)
        consumer = broker.consumer([queue], 0)
        consumer.receive(1, 0)
        self.send(broker, *self.messages(queue, 20))
        self.fault("server restarted")
        self.server.restart()
        self.until(lambda: self._publishes(broker, queue), "a publish after the restart", 30)
        end = time.monotonic() + 30
        missing = {op.id for op in self.history.of(Verb.PUBLISH) if op.phase is Phase.OK}
        while missing and time.monotonic() < end:
            try:
                found = self.receive(consumer, 10, 0.5)
                self.ack(consumer, *found)
                missing -= {one.message.id for one in found}
            except DriverError as error:
                assert error.code in {Code.UNAVAILABLE, Code.TIMEOUT}, f"receiving gives {error.code}"  # noqa: PT017 - it may work, too
        assert not missing, f"{len(missing)} messages of the backlog did not come through the same consumer"
        self.close(consumer)
        self.drain(broker, queue)
        self.judge()

    @case("BRK-054", needs=("persist",), faults=("restart",), timeout_s=240)
    def outages_under_load_lose_nothing(self) -> None:
        """Two outages of 10 s under 8 publishers and 4 consumers: afterwards nothing is lost and nothing is invented.

        What was acknowledged does not come back, except what the killed server may forget by ``ack_window_s``.

        Broken by: ok before the write, settlements that hit other messages after the reconnection.
        """
        queue = self.queue(self.broker(), lease_s=self.lease_s if self.caps.lease else None)
        stop = threading.Event()
        natives: list[BaseException] = []

        def publish(broker: Broker) -> None:
            while not stop.is_set():
                try:
                    self._publishes(broker, queue)
                except BaseException as error:  # noqa: BLE001 - a native error is the finding
                    natives.append(error)
                    return
                stop.wait(0.05)

        crew = Crew(self, queue, CONSUMERS, patient=True)
        brokers = [self.broker() for _ in range(PUBLISHERS)]
        threads = [threading.Thread(target=publish, args=(broker,), daemon=True) for broker in brokers]
        for thread in threads:
            thread.start()
        with self.faulty("outages"):
            for _ in range(OUTAGES):
                stop.wait(1.0)
                with self.faulty(KILLED):
                    self.server.kill()
                stop.wait(OUTAGE_S)
                self.server.start()
            stop.wait(2.0)
            stop.set()
            for thread in threads:
                thread.join(30)
            crew.stop()
            self.drain(self.broker(), queue, quiet_s=self.lease_s + self.slack_s)
        assert not natives, f"a publisher ended with {natives[0]!r}"
        assert not crew.errors, f"a consumer ended with {crew.errors[0]!r}"
        self.judge(forgets_s=self.caps.limits.ack_window_s)

    def _publishes(self, broker: Broker, queue: str) -> bool:
        """Whether a message is taken now."""
        try:
            [result] = self.try_send(broker, [self.message(queue)], 3)
        except DriverError:
            return False
        return result.ok
