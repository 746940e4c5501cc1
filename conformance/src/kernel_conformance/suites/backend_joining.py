"""Result backends: how a join ends, also when its winner dies; saved groups."""

from kernel.contracts import CLAIM_S, JoinState, Record, ResultBackend
from kernel_conformance.cases import case
from kernel_conformance.suites.backend_base import BackendSuite, HandClock

_PAYLOADS = (b"1", b"2")
_STRUCTURE = b'[["g", null], [[["one", null], null], [["two", null], null]]]'


class BackendJoining(BackendSuite):
    """A join is acted on until somebody says that it is done, and by one caller at a time."""

    @case("BKD-043", needs=("join",), timeout_s=120.0)
    def claim_ends(self) -> None:
        """While the winner's claim lasts nobody else wins, and nobody is told that the join is done. A winner that
        dies does not end the join: after CLAIM_S a repeated report wins again, with the same payloads, one of many at
        a time, and so on until somebody says ``joined``.

        Broken by: payloads deleted with the first win, a claim without an end, a claim that every repeat renews.
        """
        clock = self.clock()
        backend = self.make(clock=clock) if clock is not None else self.backend
        assert self._report(backend, "a") == JoinState(1, 2, won=False)
        assert self._report(backend, "b") == JoinState(2, 2, won=True, payloads=_PAYLOADS)
        for turn in range(2):
            for member in ("a", "b", "late"):
                state = self._report(backend, member)
                assert state == JoinState(2, 2, won=False), f"claim {turn} is held, and {member} was told {state}"
            self._pass_claim(clock)
            states = self.together(lambda number: self._report(backend, "ab"[number % 2]), 8)
            winners = [state for state in states if state.won]
            assert len(winners) == 1, f"{len(winners)} of 8 repeated reports won after the end of claim {turn}"
            assert winners[0].payloads == _PAYLOADS, f"the next winner got {winners[0].payloads}"
            assert not any(state.done for state in states), "nobody said joined, and a report was told that it is done"

    @case("BKD-044", needs=("join",), timeout_s=120.0)
    def done_for_good(self) -> None:
        """After ``joined`` nobody wins any more, also after the claim's end: every report is told that it is done.
        Saying it twice, or of a join the store does not know, is the same; other joins are not touched. The mark
        ends with its time to live.

        Broken by: a mark that is the claim itself; deleting the join, so that a late report begins it anew.
        """
        clock = self.clock()
        backend = self.make(clock=clock) if clock is not None else self.backend
        kept = 3 * CLAIM_S
        self._report(backend, "a")
        assert self._report(backend, "b").won
        backend.joined("join", kept, self.soon())
        backend.joined("join", kept, self.soon())
        backend.joined("unknown", kept, self.soon())
        for key in ("join", "unknown"):
            state = self._report(backend, "b", key)
            assert state == JoinState(2, 2, won=False, done=True), f"{key} is done, and a report was told {state}"
        assert self._report(backend, "b", "other") == JoinState(1, 2, won=False), "one join ended another"
        self._pass_claim(clock)
        for member in ("a", "b", "late"):
            state = self._report(backend, member)
            assert state == JoinState(2, 2, won=False, done=True), f"done, and {member} was told {state} later"
        self.pass_time(kept + self.caps.limits.granularity_s, clock)
        state = self._report(backend, "b")
        assert state == JoinState(1, 2, won=False), f"the time to live of the mark is over, and a report gave {state}"

    @case("BKD-045", needs=("join",))
    def announced(self) -> None:
        """``expect`` counts nobody, may be repeated, and changes nothing of a join that has begun or is done.

        A join nobody announced works as well, and one whose size nobody knows (0) is not won.

        Broken by: an announcement that begins the join anew: a message sent twice loses members; a join of unknown
        size that is won by its first member.
        """
        backend = self.backend
        for _ in range(2):
            backend.expect("join", 2, 600, self.soon())
        assert self._report(backend, "a") == JoinState(1, 2, won=False)
        backend.expect("join", 2, 600, self.soon())
        assert self._report(backend, "b") == JoinState(2, 2, won=True, payloads=_PAYLOADS)
        backend.expect("join", 2, 600, self.soon())
        assert self._report(backend, "b") == JoinState(2, 2, won=False), "the announcement ended a claim"
        backend.joined("join", 600, self.soon())
        backend.expect("join", 2, 600, self.soon())
        assert self._report(backend, "b").done, "the announcement began a join anew that was done"
        state = backend.join("unannounced", "a", b"", 1, 600, self.soon())
        assert state.won, "a join that was not announced cannot be won"
        for member in ("a", "b", "a"):
            state = backend.join("unknown", member, b"", 0, 600, self.soon())
            assert not state.won, f"a join of unknown size was won: {state}"
            assert not state.done, f"a join of unknown size is done: {state}"

    @case("BKD-046")
    def groups(self) -> None:
        """A saved group comes back byte for byte and is replaced as a whole; a record of its id is another thing.
        It ends with its time to live, and is gone when forgotten.

        Broken by: groups and tasks under one key.
        """
        clock = self.clock()
        backend = self.make(clock=clock) if clock is not None else self.backend
        self.put(Record("g", "SUCCESS", b"7"), on=backend)
        assert backend.fetch_group("g", self.soon()) is None, "a task's record was taken for a group"
        backend.save_group("g", b"[]", 600, self.soon())
        backend.save_group("g", _STRUCTURE, 600, self.soon())
        assert backend.fetch_group("g", self.soon()) == _STRUCTURE
        (task,) = self.get("g", on=backend)
        assert task is not None, "saving a group removed a task's record"
        assert task.result == b"7", f"the task's result became {task.result!r}"
        backend.forget_group("g", self.soon())
        backend.forget_group("g", self.soon())
        assert backend.fetch_group("g", self.soon()) is None, "a forgotten group is still there"
        assert self.get("g", on=backend)[0] is not None, "forgetting a group removed a task's record"
        if self.caps.autoexpire:
            ttl = 5.0 if clock is not None else 1.0 + self.caps.limits.granularity_s
            backend.save_group("brief", _STRUCTURE, ttl, self.soon())
            self.pass_time(ttl + 0.05 + (0 if clock else self.caps.limits.granularity_s), clock)
            assert backend.fetch_group("brief", self.soon()) is None, "a group outlived its time to live"

    def _report(self, backend: ResultBackend, member: str, key: str = "join") -> JoinState:
        return backend.join(key, member, {"a": b"1", "b": b"2"}.get(member, b"late"), 2, 600, self.soon())

    def _pass_claim(self, clock: HandClock | None) -> None:
        self.pass_time(CLAIM_S + (0.05 if clock else 0.25 + self.caps.limits.granularity_s), clock)
