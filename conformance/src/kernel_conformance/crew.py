"""Consumers in threads that receive and acknowledge, whatever happens, until they are told to stop."""

import threading
from collections import Counter

from kernel.contracts import Broker, SettleKind
from kernel.errors import DriverError
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.history import Phase, Verb

ROUND_S = 0.2


class Crew:
    """``size`` consumers of one queue, every second one on a broker of its own.

    Args:
        suite: what records.
        queue: what they consume.
        size: how many.
        url: the brokers' URL; by default the suite's.
        patient: a DriverError is counted and the consumer made anew, as the kernel does after a loss.
    """

    def __init__(self, suite: BrokerCase, queue: str, size: int, *, url: str = "", patient: bool = False) -> None:
        self._suite = suite
        self._queue = queue
        self._patient = patient
        self._stop = threading.Event()
        self.errors: list[BaseException] = []
        self.codes: Counter[str] = Counter()
        shared = suite.broker(url)
        brokers = [shared if number % 2 else suite.broker(url) for number in range(size)]
        self._threads = [threading.Thread(target=self._work, args=(broker,), daemon=True) for broker in brokers]
        for thread in self._threads:
            thread.start()

    def acked(self) -> int:
        """Acknowledgements that were ok."""
        ops = list(self._suite.history.ops)
        return sum(one.verb is Verb.SETTLE and one.phase is Phase.OK for one in ops)

    def stop(self) -> None:
        """Let them finish; what they hold is given back."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _work(self, broker: Broker) -> None:
        while not self._stop.is_set():
            try:
                self._consume(broker)
            except DriverError as error:
                self.codes[error.code] += 1
                if not self._patient:
                    self.errors.append(error)
                    return
                self._stop.wait(ROUND_S)
            except BaseException as error:  # noqa: BLE001 - a native error is the finding
                self.errors.append(error)
                return

    def _consume(self, broker: Broker) -> None:
        suite = self._suite
        consumer = broker.consumer([self._queue], 20)
        try:
            while not self._stop.is_set():
                found = suite.receive(consumer, 10, ROUND_S)
                if not found:
                    continue
                if self._patient:
                    suite.try_settle(consumer, SettleKind.ACK, *found)
                else:
                    suite.ack(consumer, *found)
        finally:
            suite.close(consumer)
