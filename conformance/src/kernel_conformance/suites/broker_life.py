"""Brokers: construction, opening, closing, pinging, credentials."""

import resource
import threading
import time
from pathlib import Path

from kernel.contracts import Broker, Deadline
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case
from kernel_conformance.probes import Watch

CYCLES = 300
WARM_UP = 60
GROWTH_KIB = 8 * 1024


class LifeSuite(BrokerCase):
    """A broker's life."""

    @case("BRK-001")
    def constructor_does_nothing(self) -> None:
        """Constructing a broker does no I/O and starts no thread: the kernel makes one before it forks.

        Broken by: connecting, resolving a host name or reading the environment in ``__init__``.
        """
        files = len(list(Path("/proc/self/fd").iterdir()))
        watch = Watch()
        watch.start()
        broker = self.new_broker()
        broker.capabilities()
        noticed = watch.stop()
        assert not noticed, "; ".join(noticed)
        assert len(list(Path("/proc/self/fd").iterdir())) == files, "the constructor left a file open"

    @case("BRK-002")
    def open_and_close_are_idempotent(self) -> None:
        """Opening and closing twice is once; a closed broker says CLOSED; it can be opened again and be a context.

        Broken by: a second connection on the second ``open``, an attribute error after ``close``.
        """
        broker = self.broker()
        broker.open(self.soon())
        queue = self.queue(broker)
        self.send(broker, self.message(queue))
        broker.close(self.soon())
        broker.close(self.soon())
        with self.raises(Code.CLOSED):
            broker.ping(self.soon())
        with self.raises(Code.CLOSED):
            broker.publish([self.message(queue)], self.soon())
        with self.raises(Code.CLOSED):
            broker.declare([QueueSpec(queue)], self.soon())
        with self.raises(Code.CLOSED):
            broker.consumer([queue], 0).receive(1, 0)
        with broker:
            assert len(self.drain(broker, queue)) == 1, "the message is not there after opening again"
        with self.raises(Code.CLOSED):
            broker.ping(self.soon())

    @case("BRK-003")
    def close_ends_a_blocked_receive(self) -> None:
        """Closing the broker ends a blocked receive within a second, and gives back what was held.

        Broken by: a socket read without timeout, a lock held while waiting, forgetting the unsettled deliveries.
        """
        broker, other = self.broker(), self.broker()
        queue, empty = self.queue(broker), self.queue(broker)
        self.send(broker, self.message(queue))
        consumer, blocked = broker.consumer([queue], 0), broker.consumer([empty], 0)
        held = self.one(consumer)
        errors: list[BaseException] = []

        def wait() -> None:
            try:
                blocked.receive(1, 30)
            except BaseException as error:  # noqa: BLE001 - judged below
                errors.append(error)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        time.sleep(0.2)  # until it blocks; a receive that begins later is no less correct
        self.fault("broker closed")
        started = time.monotonic()
        broker.close(self.soon())
        thread.join(10)
        took = time.monotonic() - started
        assert not thread.is_alive(), "the receive goes on after close()"
        assert took <= 1.0 + self.slack_s, f"close() took {took:.1f} s"
        codes = [getattr(error, "code", repr(error)) for error in errors]
        assert codes in ([], [Code.CLOSED]), f"the receive ended with {codes}"
        again = self.one(other.consumer([queue], 0), self.slack_s)
        assert again.message.id == held.message.id

    @case("BRK-004", timeout_s=180)
    def cycles_leak_nothing(self) -> None:
        """Opening and closing 300 times leaks no file, no thread and no memory.

        Broken by: a reader thread that is never joined, a registry that keeps every connection, a pool of sockets.
        """
        broker = self.broker()
        queue = self.queue(broker)
        broker.close(self.soon())
        before = (0, 0, 0)
        for number in range(CYCLES):
            if number == WARM_UP:
                before = _resources()
            broker.open(self.soon())
            broker.ping(self.soon())
            consumer = broker.consumer([queue], 1)
            consumer.receive(1, 0)
            broker.close(self.soon())
        self.until(lambda: _resources()[:2] <= before[:2], "the return of every file and thread", 5)
        grown = _resources()[2] - before[2]
        assert grown <= GROWTH_KIB, f"{CYCLES - WARM_UP} cycles need {grown} KiB more"

    @case("BRK-005", faults=("kill",))
    def ping_tells_whether_the_server_is_there(self) -> None:
        """A ping succeeds with the server, and says UNAVAILABLE or TIMEOUT by its deadline without it.

        Broken by: pinging the local connection object only, a client library's own endless retry.
        """
        broker = self.broker()
        broker.ping(self.soon())
        server = self.harness.server
        if server is None:
            self.not_run("the harness cannot kill the server")
        server.kill()
        try:
            started = time.monotonic()
            with self.raises(Code.UNAVAILABLE, Code.TIMEOUT):
                broker.ping(Deadline.after(3))
            took = time.monotonic() - started
            assert took <= 4 + self.slack_s, f"it took {took:.1f} s with a deadline of 3 s"
        finally:
            server.start()
        self.until(lambda: _pings(broker), "the ping after the server's return")

    @case("BRK-006", needs=("auth",))
    def wrong_credentials_are_refused(self) -> None:
        """Wrong credentials give AUTH, which is not retryable, and the password is not in the message.

        Broken by: mapping every connection error to UNAVAILABLE, quoting the URL.
        """
        if not self.harness.wrong_urls:
            self.not_run("the harness gives no wrong_urls")
        for template in self.harness.wrong_urls:
            broker = self.new_broker(self.harness.url_at(self.harness.address() or ("", 0), template))
            error = _refusal(broker)
            assert error is not None, "wrong credentials are accepted"
            assert error.code is Code.AUTH, f"wrong credentials give {error.code}"
            assert not error.retryable, "AUTH is marked retryable"

    @case("BRK-007", needs=("tls",))
    def plain_connections_are_refused(self) -> None:
        """A server with another authority, or without TLS, is refused when TLS is asked for.

        Broken by: ``verify=False``, a fallback to plain text.
        """
        if not self.harness.plain_urls:
            self.not_run("the harness gives no plain_urls")
        for template in self.harness.plain_urls:
            broker = self.new_broker(self.harness.url_at(self.harness.address() or ("", 0), template))
            error = _refusal(broker)
            assert error is not None, "a connection that is not trustworthy is accepted"
            assert error.code in {Code.AUTH, Code.UNAVAILABLE}, f"it gives {error.code}"


def _resources() -> tuple[int, int, int]:
    """Open files, threads, KiB of memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), peak


def _pings(broker: Broker) -> bool:
    try:
        broker.ping(Deadline.after(3))
    except DriverError:
        return False
    return True


def _refusal(broker: Broker) -> DriverError | None:
    try:
        broker.open(Deadline.after(10))
        broker.ping(Deadline.after(10))
    except DriverError as error:
        return error
    return None
