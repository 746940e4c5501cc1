"""Result backends: who wins when several write, in threads, processes and after a fork."""

import os

from kernel.contracts import Record, StoreMode
from kernel.model.states import READY_STATES, SUCCESS
from kernel_conformance.cases import case
from kernel_conformance.guarded import in_child
from kernel_conformance.suites.backend_base import BackendSuite

_STATES = ("PENDING", "RECEIVED", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED", "PROGRESS")


class BackendRaces(BackendSuite):
    """The check and the write of a store are one step."""

    @case("BKD-010")
    def one_winner(self) -> None:
        """Of 16 threads that store one id with IF_ABSENT, exactly one is told that it stored, and its record stays.

        Broken by: a read, then a write; and "stored" reported without asking the server.
        """
        others = [self.backend, self.make()]
        for record_id in self.names(10):

            def put(number: int, record_id: str = record_id) -> bool:
                record = Record(record_id, "SUCCESS", str(number).encode())
                return self.put(record, mode=StoreMode.IF_ABSENT, on=others[number % 2])[0]

            won = self.together(put, 16)
            assert won.count(True) == 1, f"{won.count(True)} of 16 threads were told that they stored"
            assert self.one(record_id).result == str(won.index(True)).encode(), "the stored record is not the winner's"

    @case("BKD-011")
    def modes(self) -> None:
        """A final state is never overwritten by IF_NOT_FINAL, a success never by IF_NOT_SUCCESS, anything by UPSERT.

        A late STARTED or RETRY of a task that has finished is told ``stored=False`` and changes nothing.

        Broken by: a list of final states without REVOKED, and modes that are taken for UPSERT.
        """
        for mode in StoreMode:
            for old in _STATES:
                record_id = self.name()
                keeps = {
                    StoreMode.UPSERT: False,
                    StoreMode.IF_ABSENT: True,
                    StoreMode.IF_NOT_FINAL: old in READY_STATES,
                    StoreMode.IF_NOT_SUCCESS: old == SUCCESS,
                }[mode]
                self.put(Record(record_id, old, b"old", traceback="old"))
                for new in ("STARTED", "FAILURE"):
                    fresh = Record(self.name(), new)
                    told = self.put(Record(record_id, new, b"new"), fresh, mode=mode)
                    assert told == [not keeps, True], f"{mode} over {old}: stored={told}"
                    if keeps:
                        found = self.one(record_id)
                        what = f"{mode} over {old} left {found.status}"
                        assert (found.status, found.result, found.traceback) == (old, b"old", "old"), what
                    self.put(Record(record_id, old, b"old", traceback="old"))

    @case("BKD-012")
    def final_is_sticky(self) -> None:
        """Whatever threads store at once with IF_NOT_FINAL, the first final state stays and no other was told
        "stored".

        Broken by: last write wins: the outcome of a task changes after somebody has read it.
        """
        for _ in range(6):
            record_id = self.name()
            plans = [[self.random.choice(_STATES) for _ in range(12)] for _ in range(8)]

            def work(number: int, plans: list[list[str]] = plans, record_id: str = record_id) -> list[bytes]:
                finals = []
                for turn, status in enumerate(plans[number]):
                    record = Record(record_id, status, f"{number}-{turn}".encode())
                    if self.put(record, mode=StoreMode.IF_NOT_FINAL)[0] and status in READY_STATES:
                        finals.append(f"{number}-{turn}".encode())
                return finals

            winners = [one for finals in self.together(work, 8) for one in finals]
            has_final = any(status in READY_STATES for plan in plans for status in plan)
            assert len(winners) == int(has_final), f"{len(winners)} final states were stored one over the other"
            if winners:
                assert self.one(record_id).result == winners[0], "the final state was overwritten"

    @case("BKD-032")
    def shared_instance(self) -> None:
        """Sixteen threads on one backend object get their own answers.

        Broken by: one connection without a lock: a thread reads the answer to another's question.
        """
        backend = self.backend

        def work(number: int) -> None:
            for turn in range(15):
                ids = [f"{number}-{turn}-{part}" for part in range(3)]
                self.put(*[Record(one, "SUCCESS", one.encode() * 20) for one in ids], on=backend)
                found = self.get(*ids, f"missing-{number}", on=backend)
                assert [r and (r.id, r.result) for r in found] == [*((i, i.encode() * 20) for i in ids), None], (
                    "mixed up"
                )
                if turn % 5 == 0:
                    assert backend.forget(ids[:1], self.soon()) == 1, "another thread's count"

        self.together(work, 16)

    @case("BKD-033")
    def fork(self) -> None:
        """After a fork, parent and child may both use a backend that was open before. Where other processes reach the
        store, each sees what the other stored.

        Broken by: a socket that both write to, and locks that were held at the moment of the fork.
        """
        backend = self.backend
        self.put(Record("before", "SUCCESS", b"1"))

        def child() -> int:
            backend.after_fork()
            for number in range(20):
                self.put(Record(f"child-{number}", "SUCCESS", b"c"), on=backend)
                found = self.get(f"child-{number}", "before", on=backend)
                assert found[0] is not None, "the child does not find what it stored"
                assert found[1] is not None or not self.processes, "the child does not see the parent's record"
            return os.getpid()

        in_child(child, seconds=50).answer("using the backend in a child process")
        for number in range(20):
            self.put(Record(f"parent-{number}", "SUCCESS"))
            assert self.one(f"parent-{number}").status == "SUCCESS"
        if self.processes:
            assert all(self.get(*[f"child-{number}" for number in range(20)])), "the child's records are not there"
