"""Result backends: what is not theirs: other namespaces, capabilities nobody claimed, wrong credentials."""

import time

from kernel.contracts import Deadline, Record, ResultBackend, StoreMode
from kernel.errors import Code
from kernel_conformance.cases import case
from kernel_conformance.suites.backend_base import BackendSuite, pick


class BackendBorders(BackendSuite):
    """Where a backend must say no, or must not look."""

    @case("BKD-040")
    def namespaces(self) -> None:
        """Two namespaces on one store do not see each other's records, counters and joins, and forgetting in one
        leaves the other.

        Broken by: keys without the namespace: two projects share a server and each other's ids.
        """
        left, right = self.make_named("left"), self.make_named("right")
        for backend, payload in ((left, b"l"), (right, b"r")):
            self.put(Record("same", "SUCCESS", payload), on=backend)
        found = [self.get("same", on=backend)[0] for backend in (left, right)]
        assert [record and record.result for record in found] == [b"l", b"r"], "the namespaces share a record"
        if self.caps.counter:
            assert left.add("c", 5, 60, self.soon()) == 5
            assert right.add("c", 1, 60, self.soon()) == 1, "the namespaces share a counter"
        if self.caps.join:
            left.join("j", "a", b"", 2, 60, self.soon())
            assert right.join("j", "b", b"", 2, 60, self.soon()).count == 1, "the namespaces share a join"
        assert left.forget(["same"], self.soon()) == 1
        assert pick(self.get("same", on=right)) == ["same"], "forgetting in one namespace removed the other's record"

    @case("BKD-041", proves=("auth",))
    def refusals(self) -> None:
        """Using a capability that is not claimed is UNSUPPORTED and changes nothing; wrong credentials are AUTH and
        not retryable. A deadline that has passed is TIMEOUT or an answer, never a native exception.

        Broken by: half an implementation behind a capability nobody claimed.
        """
        if not self.caps.counter:
            with self.raises(Code.UNSUPPORTED):
                self.backend.add("c", 1, 60, self.soon())
        if not self.caps.join:
            with self.raises(Code.UNSUPPORTED):
                self.backend.join("j", "m", b"", 2, 60, self.soon())
        for call in (
            lambda: self.backend.fetch(["x"], Deadline(time.monotonic() - 1)),
            lambda: self.backend.store([Record("x", "STARTED")], StoreMode.UPSERT, Deadline(time.monotonic() - 1)),
        ):
            error = self.refusal(call)
            assert error is None or error.code is Code.TIMEOUT, f"a passed deadline gave {error.code}: {error}"
        if self.caps.auth:
            self._wrong_credentials()

    def _wrong_credentials(self) -> None:
        address = self.harness.address()
        assert self.harness.wrong_urls, "auth is claimed, and the harness has no URL with wrong credentials"
        for template in self.harness.wrong_urls:
            backend: ResultBackend = self.harness.backend(
                self.harness.url_at(address, template) if address else template
            )
            error = self.refusal(lambda backend=backend: backend.open(self.soon()))  # type: ignore[misc] # bound at once
            error = error or self.refusal(lambda backend=backend: backend.ping(self.soon()))  # type: ignore[misc] # bound
            backend.close(self.soon())
            assert error is not None, "wrong credentials were accepted"
            assert error.code is Code.AUTH, f"wrong credentials gave {error.code}"
            assert not error.retryable, "AUTH is marked as retryable"
