"""Result backends: counters and joins."""

import random
import time

from kernel.contracts import ResultBackend
from kernel.errors import Code
from kernel_conformance.cases import case
from kernel_conformance.suites.backend_base import BackendSuite

_INT64 = 2**63


class BackendCounting(BackendSuite):
    """Every addition counts once; every join is won once."""

    @case("BKD-026", needs=("counter",), timeout_s=120.0)
    def exact(self) -> None:
        """A counter is exact under 8 threads, in 4 processes where others reach the store; every value is seen once.

        Broken by: a read, then a write.
        """
        threads, turns = 8, 25

        def work(backend: ResultBackend) -> list[int]:
            seen = self.together(lambda _: [backend.add("c", 1, 600, self.soon(60)) for _ in range(turns)], threads)
            return [value for values in seen for value in values]

        backends = [self.backend, self.make()]
        seen = [value for backend in backends for value in work(backend)]
        if self.processes:
            answers = self.together(lambda _: self.elsewhere(work), 4)
            seen += [value for ended in answers for value in ended.answer("a counting process")]
        assert sorted(seen) == list(range(1, len(seen) + 1)), f"{len(seen)} additions gave {len(set(seen))} values"

    @case("BKD-027", needs=("counter",))
    def range_and_time(self) -> None:
        """A counter begins at 0, takes negative numbers, reaches both ends of 64 bits and is INVALID beyond them.
        After its time to live it begins anew.

        Broken by: unsigned counters, numbers that pass through a double, and an expiry that only deletes records.
        """
        backend = self.backend
        assert backend.add("zero", 0, 600, self.soon()) == 0
        assert backend.add("low", -5, 600, self.soon()) == -5
        assert backend.add("low", 3, 600, self.soon()) == -2
        assert backend.add("top", _INT64 - 1, 600, self.soon()) == _INT64 - 1
        with self.raises(Code.INVALID):
            backend.add("top", 1, 600, self.soon())
        assert backend.add("top", 0, 600, self.soon()) == _INT64 - 1, "the refused addition changed the counter"
        assert backend.add("bottom", -_INT64, 600, self.soon()) == -_INT64
        with self.raises(Code.INVALID):
            backend.add("bottom", -1, 600, self.soon())
        clock = self.clock()
        timed = self.make(clock=clock) if clock is not None else backend
        ttl = 5.0 if clock is not None else 1.0 + self.caps.limits.granularity_s
        assert timed.add("brief", 7, ttl, self.soon()) == 7
        assert timed.add("kept", 7, None, self.soon()) == 7
        self.pass_time(ttl + 0.05 + (0 if clock else self.caps.limits.granularity_s), clock)
        assert timed.add("brief", 1, ttl, self.soon()) == 1, "an expired counter went on"
        assert timed.add("kept", 1, None, self.soon()) == 8, "a counter without a time to live began anew"

    @case("BKD-028", needs=("join",))
    def once_per_member(self) -> None:
        """A member that reports twice counts once, and its first payload counts; the other members are not touched.

        Broken by: a plain counter: a task that runs twice completes the group too early.
        """
        join = self._join
        assert join("a", b"1", 3) == (1, False, ())
        assert join("a", b"other", 3) == (1, False, ())
        assert join("b", b"2", 3) == (2, False, ())
        assert join("b", b"other", 3) == (2, False, ())
        assert join("c", b"3", 3) == (3, True, (b"1", b"2", b"3"))
        assert self.backend.join("other", "a", b"x", 2, 600, self.soon()).count == 1, "two joins share their members"

    @case("BKD-029", needs=("join",), timeout_s=120.0)
    def one_winner(self) -> None:
        """Of 80 members that report at once, from threads and processes, exactly one is told that it completed the
        join.

        Broken by: counting and comparing in two steps.
        """
        for turn in range(3):
            self._crowd(f"crowd-{turn}")

    @case("BKD-030", needs=("join",))
    def payloads(self) -> None:
        """The winner gets every payload, ordered by member name and byte for byte; a late member does no harm.

        Broken by: the order of arrival, text columns, and a late member that begins the join anew.
        """
        noise = random.Random(self.seed).randbytes(50_000)
        payloads = {"m1": b"", "m2": bytes(range(256)), "m10": noise, "ü": b"\x00", "a b": b"x"}
        order = list(payloads)
        self.random.shuffle(order)
        states = [self._join(member, payloads[member], len(payloads)) for member in order]
        assert [state[:2] for state in states[:-1]] == [(count, False) for count in range(1, len(order))]
        count, won, found = states[-1]
        assert (count, won) == (len(order), True), f"the last member was told {states[-1][:2]}"
        assert found == tuple(payloads[member] for member in sorted(payloads)), (
            "payloads are missing or in another order"
        )
        for late in ("late", "m1", "m10"):
            state = self.backend.join("join", late, b"late", len(payloads), 600, self.soon())
            assert not state.won, f"{late} won a join that was complete"
            assert state.payloads == (), "a late member got payloads"

    @case("BKD-031", needs=("join",))
    def ends(self) -> None:
        """After its time to live nothing of a join is left: it begins anew, without the old members.

        Broken by: members stored beside the join, with no end of their own.
        """
        clock = self.clock()
        backend = self.make(clock=clock) if clock is not None else self.backend
        ttl = 5.0 if clock is not None else 1.0 + self.caps.limits.granularity_s
        assert backend.join("j", "a", b"old", 2, ttl, self.soon()).count == 1
        self.pass_time(ttl + 0.05 + (0 if clock else self.caps.limits.granularity_s), clock)
        backend.expire(clock() if clock else time.time(), 1000, self.soon())
        state = backend.join("j", "b", b"new b", 2, 600, self.soon())
        assert (state.count, state.won) == (1, False), f"a member of the expired join counted: {state}"
        state = backend.join("j", "a", b"new a", 2, 600, self.soon())
        assert (state.won, state.payloads) == (True, (b"new a", b"new b")), f"old payloads were left: {state}"

    def _crowd(self, key: str) -> None:
        members = [f"m{number:02}" for number in range(80)]
        self.random.shuffle(members)
        backends = [self.backend, self.make()]

        def report(backend: ResultBackend, number: int) -> list[bool]:
            share = members[number::8]
            return [backend.join(key, one, one.encode(), 80, 600, self.soon(60)).won for one in share]

        def run(number: int) -> list[bool]:
            if self.processes and number >= 6:
                found: list[bool] = self.elsewhere(lambda backend: report(backend, number)).answer("a process")
                return found
            return report(backends[number % 2], number)

        won = [one for share in self.together(run, 8) for one in share]
        assert won.count(True) == 1, f"{won.count(True)} of 80 members were told that they completed the join"
        again = [self.backend.join(key, one, b"", 80, 600, self.soon()).won for one in members[:5]]
        assert not any(again), "a completed join was won again"

    def _join(self, member: str, payload: bytes, size: int) -> tuple[int, bool, tuple[bytes, ...]]:
        state = self.backend.join("join", member, payload, size, 600, self.soon())
        assert state.size == size, f"the size became {state.size}"
        return state.count, state.won, tuple(state.payloads)
