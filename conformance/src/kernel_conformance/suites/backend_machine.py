"""Result backends: any sequence of calls, against a dict and a clock."""

from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from kernel.contracts import Record, ResultBackend, StoreMode
from kernel.model.states import READY_STATES, SUCCESS
from kernel_conformance.cases import case
from kernel_conformance.suites.backend_base import BackendSuite, HandClock, check_same

_IDS = st.sampled_from(["a", "b", "c", "a b", "ü"])
_STATUSES = st.sampled_from(["STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED"])
_TTLS = st.none() | st.sampled_from([10.0, 100.0, 40 * 86_400.0])
_BODIES = st.none() | st.binary(max_size=20)


class _Machine(RuleBasedStateMachine):
    """Calls the backend and the model; :attr:`suite` is set by a subclass for one run."""

    suite: BackendSuite

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.suite.clock()
        self.backend: ResultBackend = self._backend()
        self.records: dict[str, tuple[Record, float]] = {}
        self.counters: dict[str, tuple[int, float]] = {}
        self.forgotten: set[str] = set()

    def _backend(self) -> ResultBackend:
        self.suite.url = self.suite.harness.current_url() if self.suite.harness.embedded else self.suite.url
        stem = self.suite.name("machine")
        self.prefix = "" if self.suite.harness.embedded else stem
        return self.suite.make(clock=self.clock) if isinstance(self.clock, HandClock) else self.suite.make()

    @property
    def now(self) -> float:
        return self.clock.now if self.clock is not None else 0.0

    def _ends(self, ttl: float | None) -> float:
        return float("inf") if ttl is None else self.now + ttl

    def _live(self, one: str) -> Record | None:
        found = self.records.get(one)
        return None if found is None or found[1] <= self.now else found[0]

    @rule(
        batch=st.lists(st.tuples(_IDS, _STATUSES, _BODIES, _TTLS), min_size=1, max_size=4),
        mode=st.sampled_from(StoreMode),
    )
    def store(self, batch: list[tuple[str, str, bytes | None, float | None]], mode: StoreMode) -> None:
        records = [Record(self.prefix + one, status, body, ttl_s=ttl) for one, status, body, ttl in batch]
        told = self.suite.put(*records, mode=mode, on=self.backend)
        for (one, _, _, ttl), record, stored in zip(batch, records, told, strict=True):
            old = self._live(one)
            keeps = (
                old is not None
                and {
                    StoreMode.UPSERT: False,
                    StoreMode.IF_ABSENT: True,
                    StoreMode.IF_NOT_FINAL: old.status in READY_STATES,
                    StoreMode.IF_NOT_SUCCESS: old.status == SUCCESS,
                }[mode]
            )
            if one in self.forgotten:
                continue  # whether it says so or not: nothing is there afterwards
            assert stored is not keeps, f"{mode} over {old and old.status}: stored={stored}"
            if stored:
                self.records[one] = (record, self._ends(ttl))

    @rule(ids=st.lists(_IDS, max_size=6))
    def fetch(self, ids: list[str]) -> None:
        found = self.suite.get(*[self.prefix + one for one in ids], on=self.backend)
        for one, record in zip(ids, found, strict=True):
            wanted = self._live(one)
            assert (record is None) == (wanted is None), f"{one}: found {record}, expected {wanted}"
            if record is not None and wanted is not None:
                check_same(wanted, record)

    @rule(ids=st.lists(_IDS, max_size=4))
    def forget(self, ids: list[str]) -> None:
        gone = self.backend.forget([self.prefix + one for one in ids], self.suite.soon())
        assert gone == len({one for one in ids if self._live(one) is not None}), f"forget({ids}) counted {gone}"
        for one in ids:
            self.records.pop(one, None)
        if self.backend.capabilities().tombstone:
            self.forgotten.update(ids)

    @rule(ids=st.lists(_IDS, min_size=1, max_size=4, unique=True))
    def wait(self, ids: list[str]) -> None:
        ready = [one for one in ids if (live := self._live(one)) is not None and live.ready]
        found = self.backend.wait([self.prefix + one for one in ids], len(ready), self.suite.soon())
        assert [record.id for record in found] == [self.prefix + one for one in ready], f"wait gave {found}"

    @precondition(lambda self: self.backend.capabilities().counter)
    @rule(key=st.sampled_from(["c", "d"]), delta=st.integers(-5, 5), ttl=_TTLS)
    def add(self, key: str, delta: int, ttl: float | None) -> None:
        value, ends = self.counters.get(key, (0, 0.0))
        value = delta + (value if ends > self.now else 0)
        found = self.backend.add(self.prefix + key, delta, ttl, self.suite.soon())
        assert found == value, f"counter {key} is {found}, expected {value}"
        self.counters[key] = (value, self._ends(ttl))

    @precondition(lambda self: self.clock is not None)
    @rule(seconds=st.sampled_from([1.0, 9.0, 95.0, 30 * 86_400.0]))
    def tick(self, seconds: float) -> None:
        if self.clock is not None:
            self.clock.move(seconds)

    @precondition(lambda self: self.clock is not None)
    @rule(limit=st.integers(1, 3))
    def expire(self, limit: int) -> None:
        removed = self.backend.expire(self.now, limit, self.suite.soon())
        assert 0 <= removed <= limit, f"expire(limit={limit}) removed {removed}"

    @rule()
    def reopen(self) -> None:
        self.backend.close(self.suite.soon())
        self.backend.open(self.suite.soon())

    def teardown(self) -> None:
        self.backend.close(self.suite.soon())


class BackendMachine(BackendSuite):
    """The model is a dict with a clock."""

    @case("BKD-042", timeout_s=180.0)
    def machine(self) -> None:
        """After any sequence of calls and passing time the backend answers as a dict with a clock would.

        Broken by: what nobody thought of; the failing sequence of calls is shown.
        """
        machine: Any = type("Machine", (_Machine,), {"suite": self})
        run_state_machine_as_test(
            seed(self.seed)(machine),
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                print_blob=False,
                phases=[Phase.generate],  # making a failure shorter may take minutes
            ),
        )
