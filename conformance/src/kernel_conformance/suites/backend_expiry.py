"""Result backends: how long a record is kept."""

import threading
import time

from kernel.contracts import Record, ResultBackend, StoreMode
from kernel_conformance.cases import case
from kernel_conformance.suites.backend_base import BackendSuite, HandClock, pick

_DAY = 86_400.0


class BackendExpiry(BackendSuite):
    """``ttl_s`` is relative, exact within the granularity, and renewed by every store.

    Time is moved by hand where the store takes it from the driver's clock, and passes really where it does not.
    """

    def _open(self) -> tuple[ResultBackend, HandClock | None, float]:
        """A backend, its clock, and a time to live that is long enough to be observed."""
        clock = self.clock()
        backend = self.make(clock=clock) if clock is not None else self.make()
        return backend, clock, 5.0 if clock is not None else 1.0 + backend.capabilities().limits.granularity_s

    def _gone(self, backend: ResultBackend, clock: HandClock | None, *ids: str) -> None:
        """Now, or within the slack where real time passes, none of the ids may be there."""

        def none_left() -> bool:
            if not backend.capabilities().autoexpire:
                backend.expire(clock() if clock else time.time(), 1000, self.soon())
            return self.get(*ids, on=backend) == [None] * len(ids)

        if clock is not None:
            assert none_left(), f"still there after their time: {pick(self.get(*ids, on=backend))}"
        else:
            self.until(none_left, "the end of expired records", seconds=self.lateness())

    @case("BKD-017", needs=("autoexpire",))
    def expiry(self) -> None:
        """A record can be read all its time, and never afterwards; then it counts as absent for every mode.

        Broken by: whole seconds that are rounded down, and expired records that still refuse IF_ABSENT.
        """
        backend, clock, ttl = self._open()
        self.put(Record("brief", "SUCCESS", ttl_s=ttl), Record("long", "SUCCESS", ttl_s=ttl + 600), on=backend)
        self.pass_time(ttl * 0.6, clock)
        assert pick(self.get("brief", "long", on=backend)) == ["brief", "long"], "gone before its time"
        self.pass_time(ttl * 0.4 + 0.01, clock)
        self._gone(backend, clock, "brief")
        assert pick(self.get("long", on=backend)) == ["long"]
        assert backend.forget(["brief"], self.soon()) == 0, "an expired record was counted as removed"
        for mode in StoreMode:
            self.put(Record(str(mode), "SUCCESS", ttl_s=ttl), on=backend)
        self.pass_time(ttl + 0.01, clock)
        self._gone(backend, clock, *map(str, StoreMode))
        for mode in StoreMode:
            told = self.put(Record(str(mode), "STARTED"), mode=mode, on=backend)
            assert told == [True], f"{mode} takes an expired record for a living one"

    @case("BKD-018", needs=("autoexpire",))
    def renewal(self) -> None:
        """Storing again renews the time to live; None keeps the record for ever, also over one that had a time.

        Broken by: an expiry that is set at the first store only, and one that a later None does not take away.
        """
        backend, clock, ttl = self._open()
        self.put(*[Record(one, "STARTED", ttl_s=ttl) for one in ("renewed", "kept", "brief")], on=backend)
        self.put(Record("for ever", "SUCCESS"), on=backend)
        self.pass_time(ttl * 0.7, clock)
        self.put(Record("renewed", "SUCCESS", ttl_s=ttl + 100), Record("kept", "SUCCESS"), on=backend)
        self.pass_time(ttl * 0.3 + 0.01, clock)
        self._gone(backend, clock, "brief")
        everything = ["renewed", "kept", "for ever"]
        assert pick(self.get(*everything, on=backend)) == everything, "the old time to live counted"
        backend.expire(clock() if clock else time.time(), 1000, self.soon())
        assert pick(self.get(*everything, on=backend)) == everything, "expire removed what was not over"

    @case("BKD-019")
    def relative(self) -> None:
        """A time to live of months or years is a duration: the record is there, and stays until it is over.

        Broken by: servers that take more than 30 days for a date, which then is in 1970.
        """
        backend, clock, _ = self._open()
        days = {"day": 1, "month": 30, "month and a second": 30 + 1 / _DAY, "year": 365, "ten years": 3650}
        self.put(*[Record(one, "SUCCESS", ttl_s=count * _DAY) for one, count in days.items()], on=backend)
        assert pick(self.get(*days, on=backend)) == list(days), "a long time to live ended at once"
        if clock is None:
            time.sleep(1.1)
            assert pick(self.get(*days, on=backend)) == list(days), "a long time to live ended after a second"
        elif self.caps.autoexpire:
            clock.move(100 * _DAY)
            assert pick(self.get(*days, on=backend)) == [None, None, None, "year", "ten years"]
            clock.move(300 * _DAY)
            assert pick(self.get(*days, on=backend)) == [None, None, None, None, "ten years"]

    @case("BKD-020")
    def sweeping(self) -> None:
        """expire() removes only what is over, never more than its limit, beside writers, and says how many records.

        A store that expires by itself may have nothing left to remove.

        Broken by: a sweep that holds the store for as long as there are old records.
        """
        backend, clock, ttl = self._open()
        old, young = self.names(40, "old"), self.names(10, "young")
        self.put(*[Record(one, "SUCCESS", ttl_s=ttl) for one in old], on=backend)
        self.put(*[Record(one, "SUCCESS", ttl_s=ttl + 600) for one in young], Record("for ever", "SUCCESS"), on=backend)
        assert backend.expire(clock() if clock else time.time(), 1000, self.soon()) == 0, "nothing was over yet"
        self.pass_time(ttl + self.caps.limits.granularity_s + 0.01, clock)
        stop, faults = threading.Event(), list[str]()
        writer = threading.Thread(target=self._write, args=(backend, stop, faults))
        writer.start()
        try:
            removed = self._sweep(backend, clock, 7)
        finally:
            stop.set()
            writer.join()
        assert not faults, f"a writer beside expire() failed: {faults[0]}"
        assert removed <= len(old), f"{removed} records were removed; {len(old)} were over"
        self._gone(backend, clock, *old)
        assert pick(self.get(*young, "for ever", on=backend)) == [*young, "for ever"], "expire removed living records"

    def _sweep(self, backend: ResultBackend, clock: HandClock | None, limit: int) -> int:
        total = 0
        for _ in range(100):
            removed = backend.expire(clock() if clock else time.time(), limit, self.soon())
            assert 0 <= removed <= limit, f"expire(limit={limit}) removed {removed}"
            if not removed:
                return total
            total += removed
        raise AssertionError("expire never ends")

    def _write(self, backend: ResultBackend, stop: threading.Event, faults: list[str]) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                self.put(Record(f"written-{number % 20}", "SUCCESS", b"x", ttl_s=900), on=backend)
            except Exception as error:  # noqa: BLE001 - it is judged by the main thread
                faults.append(f"{type(error).__name__}: {error}")
                return
