"""Result backends: connections that break, servers that die, stores that are full."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from kernel.contracts import Deadline, Record, StoreMode
from kernel.errors import Applied, Code, DriverError
from kernel_conformance.cases import case
from kernel_conformance.suites.backend_base import BackendSuite, pick

_LOST = (Code.UNAVAILABLE, Code.TIMEOUT)
_WRITER = """
import sys
from kernel.contracts import Deadline, PluginContext, Record, StoreMode
from kernel_conformance.targets import harness_of
target, url, stem = sys.argv[1:]
backend = harness_of(target).backend(url)
backend.open(Deadline.after(30))
number = 0
while True:
    record = Record(f"{stem}-{number}", "SUCCESS", str(number).encode() * 10)
    if backend.store([record], StoreMode.UPSERT, Deadline.after(30))[0].stored:
        print(number, flush=True)
    number += 1
"""


class BackendFaults(BackendSuite):
    """What is told to be stored is there; what failed is told honestly; nothing hangs."""

    @case("BKD-034", faults=("proxy",), timeout_s=120.0)
    def reset_while_storing(self) -> None:
        """A connection that is reset during a store gives UNAVAILABLE or TIMEOUT, with an honest outcome.

        NOT_APPLIED is only told of a record that is not stored; storing the record again gives the one right record.

        Broken by: retrying inside the plugin, and "not applied" told of a request that reached the server.
        """
        with self.through_proxy() as (backend, proxy):
            self.put(Record("warm", "SUCCESS"), on=backend)
            for offset in (1, 10, 40, 200, 1000):
                for name in ("cut_request_at", "cut_reply_at"):
                    record = Record(f"{name}-{offset}", "SUCCESS", bytes(2000))
                    proxy.reset()
                    setattr(proxy.trouble, name, offset)
                    error = self.refusal(lambda record=record: self.put(record, on=backend))  # type: ignore[misc] # bound
                    proxy.heal()
                    if error is not None:
                        assert error.code in _LOST, f"a reset gave {error.code}: {error}"
                        there = self.get(record.id)[0] is not None
                        honest = error.outcome is not Applied.NOT_APPLIED or not there
                        assert honest, "NOT_APPLIED was told of a record that is stored"
                    self.until(lambda record=record: self._stored_again(backend, record), "a store after a reset")  # type: ignore[misc] # bound
                    assert self.one(record.id).result == record.result, "another record"

    @case("BKD-035", faults=("proxy",), timeout_s=120.0)
    def black_hole(self) -> None:
        """With a server that takes every byte and never answers, each call ends as TIMEOUT one second after its
        deadline at the latest. Afterwards the backend works again.

        Broken by: sockets without a timeout, and timeouts per packet instead of per call.
        """
        with self.through_proxy() as (backend, proxy):
            self.put(Record("warm", "SUCCESS"), on=backend)
            proxy.trouble.black_hole = True
            for what, call in (
                ("fetch", lambda end: backend.fetch(["warm"], end)),
                ("store", lambda end: backend.store([Record("x", "SUCCESS")], StoreMode.UPSERT, end)),
                ("forget", lambda end: backend.forget(["x"], end)),
                ("ping", backend.ping),
            ):
                began = time.monotonic()
                error = self.refusal(lambda call=call: call(Deadline.after(1.0)))  # type: ignore[misc] # bound at once
                took = time.monotonic() - began
                assert error is not None, f"{what} answered out of a black hole"
                assert error.code in _LOST, f"{what} gave {error.code}"
                assert took <= 2.0 + self.slack_s, f"{what} with a deadline of 1 s took {took:.1f} s"
            proxy.heal()
            proxy.reset()
            self.until(lambda: self._stored_again(backend, Record("after", "SUCCESS")), "a store after the black hole")

    @case("BKD-036", needs=("persist",), faults=("restart",), embedded=True, timeout_s=120.0)
    def restart(self) -> None:
        """After a restart of the server the same object works again, and everything that was stored is there. A store
        without a server is read by another process after its writer was killed.

        Broken by: a pool that keeps dead connections, and writes that were only in memory.
        """
        ids = self.names(50)
        self.put(*[Record(one, "SUCCESS", one.encode()) for one in ids])
        if self.harness.server is None:
            found = self.elsewhere(lambda backend: pick(self.get(*ids, on=backend))).answer("another process")
            assert found == ids, "another process does not find the records"
            self.backend.close(self.soon())
            self.backend.open(self.soon())
        else:
            self.harness.server.restart()
            self.until(lambda: self._stored_again(self.backend, Record("after", "SUCCESS")), "a store after a restart")
        assert pick(self.get(*ids)) == ids, "records were lost"

    @case("BKD-037", needs=("persist",), faults=("kill",), embedded=True, timeout_s=120.0)
    def kill(self) -> None:
        """Of the records that were told to be stored, none is lost when the server is killed under load. A store
        without a server is its writer: that is killed, three times.

        Broken by: answering before the write is durable, and files that a killed writer leaves unreadable.
        """
        for turn in range(3 if self.harness.server is None else 1):
            stem = f"load-{turn}"
            told = self._killed_writer(stem)
            assert told, "the writer stored nothing"
            self.until(
                lambda: self._stored_again(self.backend, Record("alive", "SUCCESS")), "a store after the kill", 30
            )
            ids = [f"{stem}-{number}" for number in told]
            lost = sum(record is None for record in self.get(*ids))
            assert not lost, f"{lost} of {len(told)} records that were told to be stored are lost"
            assert self.one(ids[-1]).result == str(told[-1]).encode() * 10, "the last record is damaged"

    @case("BKD-039", needs=("volatile",), timeout_s=180.0)
    def eviction(self) -> None:
        """A store that may drop records early gives None for a dropped one: no error and no other record.

        Broken by: a partial record after eviction, and a full store that refuses everything.
        """
        if not self.harness.capacity:
            self.not_run("the harness does not say how much fills the store (capacity)")
        size = 256 << 10
        ids = self.names(2 * self.harness.capacity // size)
        for one in ids:
            (result,) = self.backend.store(
                [Record(one, "SUCCESS", one.encode() + bytes(size))], StoreMode.UPSERT, self.soon()
            )
            assert result.error is None, f"a full store refuses: {result.error}"
        found = self.get(*ids)
        assert None in found, "nothing was dropped although twice the capacity was stored"
        for one, record in zip(ids, found, strict=True):
            assert record is None or record.result == one.encode() + bytes(size), "a damaged record"
        assert self.one(ids[-1]).id == ids[-1], "the newest record was dropped"

    def _stored_again(self, backend: object, record: Record) -> bool:
        with contextlib.suppress(DriverError):
            self.put(record, on=backend)  # type: ignore[arg-type] # a result backend
            return True
        return False

    def _killed_writer(self, stem: str) -> list[int]:
        """What a writing process was told to be stored before it, or the server, was killed."""
        command = [sys.executable, "-c", _WRITER, self.harness.plugin.entry.name, self.url, stem]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as writer:
            stream = writer.stdout
            assert stream is not None, "a pipe was asked for"
            told = [int(stream.readline()) for _ in range(self.random.randint(20, 60))]
            if self.harness.server is not None:
                self.harness.server.kill()
            else:
                os.kill(writer.pid, signal.SIGKILL)
            told += [int(line) for line in stream if line.endswith("\n")]
            writer.kill()
        if self.harness.server is not None:
            self.harness.server.start()
        return told
