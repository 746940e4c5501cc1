"""Result backends: waiting for results."""

import threading
import time

from kernel.contracts import Deadline, Record
from kernel_conformance.cases import case
from kernel_conformance.suites.backend_base import BackendSuite

_WOKEN_S = 2.0
"""How late a waiting call may notice a store, on a busy machine."""


class BackendWaiting(BackendSuite):
    """``wait`` returns when enough is ready, at the deadline, and not before."""

    @case("BKD-021")
    def ready_already(self) -> None:
        """What is ready already is returned at once, in the order of the ids; unready and unknown ids are left out.

        Broken by: subscribing first and asking later, and a first pause before the first look.
        """
        self.put(Record("a", "SUCCESS"), Record("b", "FAILURE"), Record("c", "STARTED"), Record("d", "REVOKED"))
        began = time.monotonic()
        for wanted, need in ((["b", "c", "a"], 2), (["d", "never", "b", "a"], 3), (["a"], 1), (["c"], 0), ([], 0)):
            found = [record.id for record in self.backend.wait(wanted, need, self.soon(30))]
            assert found == [one for one in wanted if one in {"a", "b", "d"}], f"wait({wanted}, {need}) gave {found}"
        assert time.monotonic() - began < self.slack_s, "results that were ready had to be waited for"

    @case("BKD-022")
    def woken(self) -> None:
        """Waiting is woken by what the same backend, another one and another process store, within the bound.

        Broken by: polling that backs off to minutes, and notifications that stay inside one process.
        """
        other = self.make()
        for number, writer in enumerate((self.backend, other)):
            record_id = f"thread-{number}"
            timer = threading.Timer(0.3, self.put, (Record(record_id, "SUCCESS"),), {"on": writer})
            timer.start()
            self._woken(record_id)
            timer.join()
        if self.processes:
            thread = threading.Thread(target=self.elsewhere, args=(self._store_later,))
            thread.start()
            self._woken("elsewhere")
            thread.join()

    @case("BKD-023")
    def deadline(self) -> None:
        """Waiting ends at its deadline with what is ready, not before and not a second later; k of n ends it early.

        Broken by: ignoring ``need``, raising at the deadline, and whole seconds.
        """
        self.put(Record("a", "SUCCESS"), Record("b", "STARTED"), Record("c", "FAILURE"))
        began = time.monotonic()
        found = self.backend.wait(["b", "a", "never"], 2, Deadline.after(0.6))
        took = time.monotonic() - began
        assert [record.id for record in found] == ["a"], f"at the deadline: {found}"
        assert 0.55 <= took <= 1.6 + self.slack_s, f"a wait of 0.6 s took {took:.2f} s"
        began = time.monotonic()
        assert len(self.backend.wait(["never", "a", "b", "c"], 2, self.soon(30))) == 2
        assert time.monotonic() - began < self.slack_s, "two of four were ready, and it waited for more"
        assert self.backend.wait(["never"], 1, Deadline(time.monotonic() - 1)) == []
        cpu = time.process_time()
        self.backend.wait(["never"], 1, Deadline.after(1.5))
        assert time.process_time() - cpu < 0.5, "waiting burns the processor"

    @case("BKD-024", faults=("proxy",), timeout_s=120.0)
    def round_trips(self) -> None:
        """Waiting for 1,000 ids that are ready takes no more round trips than 1,000 divided by the batch limit, and a
        few.

        Round trips are counted by what they cost behind a proxy that delays every piece.

        Broken by: one question per id.
        """
        ids = self.names(1000)
        self.put(*[Record(one, "SUCCESS") for one in ids])
        delay = 0.05
        with self.through_proxy() as (backend, proxy):
            backend.wait(ids[:1], 1, self.soon())  # connected
            proxy.trouble.latency_s = delay
            began = time.monotonic()
            found = backend.wait(ids, 1000, self.soon(100))
            trips = (time.monotonic() - began) / (2 * delay)
        assert len(found) == 1000, f"{len(found)} of 1,000 were found"
        allowed = -(-1000 // (self.caps.limits.max_batch or 1000)) + 10
        assert trips <= allowed, f"about {trips:.0f} round trips for 1,000 ids; {allowed} are allowed"

    @case("BKD-025", needs=("notify",), timeout_s=120.0)
    def no_missed_wake_up(self) -> None:
        """A result stored between the look and the subscription wakes the waiting call all the same: 200 rounds.

        Broken by: looking first and subscribing afterwards, without a second look.
        """
        other = self.make()
        ids = self.names(200)
        go = [threading.Event() for _ in ids]

        def write() -> None:
            for event, record_id in zip(go, ids, strict=True):
                event.wait(30)
                self.put(Record(record_id, "SUCCESS"), on=other)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        slow = 0
        for event, record_id in zip(go, ids, strict=True):
            began = time.monotonic()
            event.set()
            found = self.backend.wait([record_id], 1, self.soon(20))
            assert len(found) == 1, "a wake-up was missed"
            slow += time.monotonic() - began > 0.5
        thread.join(30)
        assert slow <= 10, f"{slow} of 200 waits were not woken but found it by polling"

    def _woken(self, record_id: str) -> None:
        began = time.monotonic()
        found = self.backend.wait([record_id, "never"], 1, self.soon(30))
        assert [record.id for record in found] == [record_id], f"{record_id} was stored, and wait gave {found}"
        took = time.monotonic() - began
        assert took <= 0.5 + _WOKEN_S + self.slack_s, f"woken by {record_id} only after {took:.1f} s"

    def _store_later(self, backend: object) -> None:
        time.sleep(0.3)
        self.put(Record("elsewhere", "SUCCESS"), on=backend)  # type: ignore[arg-type] # a backend of that process
