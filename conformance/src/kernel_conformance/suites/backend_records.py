"""Result backends: records go in and come out, whole, under their own id."""

import random

from kernel.contracts import Record, StoreMode
from kernel.errors import Code, DriverError
from kernel_conformance.cases import case
from kernel_conformance.guarded import in_child
from kernel_conformance.suites.backend_base import FULL, BackendSuite, check_same, pick

_ODD_IDS = (
    "a b", "a\r\nb", "a\nset x 0 0 1", "ключ", "\U0001f600", "a'--", 'a"b', "a;b", "%", "%s", "*", "A", "a.b", "a/b",
    "../a", "$where", "{a}", "a\x00", "a\x00b", "a\x7f", " a", "a ", "x" * 249, "x" * 250, "x" * 251, "x" * 1000,
    "é", "e\u0301",
)  # fmt: skip


class BackendRecords(BackendSuite):
    """store, fetch and forget."""

    @case("BKD-001")
    def life_cycle(self) -> None:
        """The constructor does no I/O and starts nothing; open and close may be repeated. Every call after close is
        CLOSED, and open makes the backend usable again.

        Broken by: a client library that connects when it is made, and a close that leaves a usable handle.
        """
        self.harness.backend(self.url)  # whatever is imported late is imported now
        ended = in_child(lambda: repr(self.harness.backend(self.url)), watched=True)
        text = ended.answer("the constructor")
        assert not ended.deeds, f"the constructor did {ended.deeds[0]}"
        assert not self.harness.secret or self.harness.secret not in text, "repr shows the password"
        backend = self.backend
        backend.open(self.soon())
        backend.ping(self.soon())
        self.put(Record("kept", "SUCCESS"))
        backend.close(self.soon())
        backend.close(self.soon())
        for call in (
            lambda: backend.ping(self.soon()),
            lambda: backend.store([Record("x", "SUCCESS")], StoreMode.UPSERT, self.soon()),
            lambda: backend.fetch(["x"], self.soon()),
            lambda: backend.forget(["x"], self.soon()),
            lambda: backend.wait(["x"], 1, self.soon(1)),
        ):
            with self.raises(Code.CLOSED):
                call()
        backend.open(self.soon())
        backend.ping(self.soon())
        assert pick(self.get("kept", "x")) == ["kept", None], "records did not survive close and open"

    @case("BKD-002")
    def every_field(self) -> None:
        """A record comes back with every field as it was stored, also by another backend object, and with the defaults
        where nothing was given.

        Broken by: a layout that forgets the extended fields, empty strings read back as None, numbers as text.
        """
        self.kept(FULL)
        (found,) = self.get("full", on=self.make())
        assert found is not None, "another backend on the same store does not see the record"
        check_same(FULL, found)
        self.kept(Record("bare", "PENDING"))
        self.kept(Record("empty", "FAILURE", b"", traceback="", children="", worker="", retries=0, queue=""))

    @case("BKD-003")
    def unknown_ids(self) -> None:
        """An id that was never stored is None: no error, no made-up PENDING record.

        Broken by: backends that answer for the caller; whether unknown means pending is the kernel's decision.
        """
        assert self.get("never", self.name()) == [None, None]
        assert self.backend.fetch([], self.soon()) == []
        assert self.backend.forget(["never"], self.soon()) == 0

    @case("BKD-004")
    def order(self) -> None:
        """Fetch answers in the order of the ids, for 1, 100 and 1,000 of them; ids may repeat, and be missing.

        Broken by: "WHERE id IN (...)", whose order is the store's, and dicts that drop the second of two equal ids.
        """
        ids = self.names(1000)
        self.put(*[Record(one, "SUCCESS", one.encode()) for one in ids[:900]])
        known = set(ids[:900])
        for count in (1, 100, 1000):
            wanted = self.random.sample(ids, count)
            wanted += wanted[: count // 2]
            assert pick(self.get(*wanted)) == [one if one in known else None for one in wanted]

    @case("BKD-005", timeout_s=120.0)
    def batches(self) -> None:
        """A batch longer than any limit is stored whole, with one result per record in their order. The last record of
        a batch wins over an earlier one with the same id.

        Broken by: a batch limit that is passed on to the caller, and bulk writes without order.
        """
        limit = self.caps.limits.max_batch
        count = 3 * limit if limit else 1500
        ids = self.names(count)
        assert self.put(*[Record(one, "SUCCESS", one.encode()) for one in ids]) == [True] * count
        self.random.shuffle(ids)
        found = self.get(*ids)
        assert [record and record.result for record in found] == [one.encode() for one in ids], (
            "another record, or none"
        )
        self.put(*[Record("twice", "SUCCESS", str(number).encode()) for number in range(50)])
        assert self.one("twice").result == b"49", "the last of a batch did not win"

    @case("BKD-006")
    def payloads(self) -> None:
        """A result is bytes: empty, NUL, all 256 values, text in any encoding, something compressed, and none at all.

        Broken by: columns of text, base64 that is not undone, and b"" stored as NULL.
        """
        for number, payload in enumerate((None, b"", b"\x00", bytes(range(256)), "ü".encode("utf-16"), b'{"$a": [1]}')):
            self.kept(Record(f"p{number}", "SUCCESS", payload))
        self.kept(Record("noise", "SUCCESS", random.Random(self.seed).randbytes(100_000)))

    @case("BKD-007", timeout_s=180.0)
    def size_limit(self) -> None:
        """A result of exactly ``max_body`` bytes is stored. One byte more is TOO_LARGE for that record alone, names
        the limit, and leaves what was stored before.

        Broken by: servers that drop what is too large without an answer.
        """
        limit = self.caps.limits.max_body
        if limit is None:
            self.kept(Record("large", "SUCCESS", bytes(8 << 20)))
            return
        self.put(Record("beyond", "STARTED"))
        records = [Record("at", "SUCCESS", b"\x01" * limit), Record("beyond", "SUCCESS", bytes(limit + 1))]
        at, beyond, after = self.backend.store([*records, Record("after", "SUCCESS")], StoreMode.UPSERT, self.soon(120))
        assert at.stored, f"a result of max_body bytes was not stored: {at.error}"
        assert after.stored, f"the record after the large one was not stored: {after.error}"
        assert not beyond.stored, "max_body + 1 bytes were stored"
        assert beyond.error is not None, "the error is missing"
        assert beyond.error.code is Code.TOO_LARGE, f"{beyond.error.code}, not TOO_LARGE"
        assert str(limit) in str(beyond.error).replace(",", ""), f"the message does not name the limit: {beyond.error}"
        assert self.one("at").result == records[0].result, "the large result did not come back"
        assert self.one("beyond").status == "STARTED", "the refused record changed the stored one"

    @case("BKD-008")
    def odd_ids(self) -> None:
        """Ids with spaces, line ends, quotes, any Unicode and of any length are stored under exactly this id, or
        refused as INVALID. Two ids are never one record, and no id is a command.

        Broken by: keys that go into a text protocol as they are, are cut at 250 bytes, or compare without case.
        """
        self.put(Record("a", "SUCCESS", b"plain"))
        kept = [one for number, one in enumerate(_ODD_IDS) if self._store_odd(one, number)]
        assert self.one("a").result == b"plain", "an odd id changed the record of another"
        for one in kept:
            number = _ODD_IDS.index(one)
            assert self.one(one).result == str(number).encode(), f"{one!r:.40} shares its record with another id"
        for one in kept:
            assert self.backend.forget([one], self.soon()) == 1, f"{one!r:.40} cannot be forgotten"
        assert self.get(*kept) == [None] * len(kept)
        assert self.one("a").result == b"plain", "forgetting an odd id removed the record of another"

    @case("BKD-009")
    def whole_replacement(self) -> None:
        """UPSERT replaces the whole record: no field of the old one is left.

        Broken by: an update that sets only the fields that have a value.
        """
        self.put(FULL)
        self.kept(Record("full", "RETRY"))
        self.kept(FULL)

    @case("BKD-013")
    def timestamps(self) -> None:
        """``date_done`` comes back as the text it was: offsets, microseconds, 1970 and 9999.

        Broken by: a column of a time type, which rounds, converts to UTC or ends in 2038.
        """
        for number, text in enumerate(
            (
                "1970-01-01T00:00:00+00:00",
                "2026-11-21T10:30:00.000001+05:30",
                "2038-01-19T03:14:08+00:00",
                "9999-12-31T23:59:59.999999+00:00",
                "2026-11-21T10:30:00.123456Z",
            )
        ):
            self.kept(Record(f"t{number}", "SUCCESS", date_done=text))

    @case("BKD-014")
    def tracebacks(self) -> None:
        """A traceback of any text and of 1 MB comes back; of a lone surrogate at least an escape is left, and the
        record is stored in any case.

        Broken by: text columns of 64 KB, and encoding errors that cost the state of a failed task.
        """
        self.kept(Record("unicode", "FAILURE", traceback='  File "ü.py"\n\t日本 \U0001f600 \u2028 \x00 \x1b[31m'))
        self.kept(Record("long", "FAILURE", traceback="line of a traceback\n" * 50_000))
        text = "before \ud800 after"
        self.put(Record("surrogate", "FAILURE", b"1", traceback=text))
        found = self.one("surrogate")
        escaped = text.encode("utf-8", "backslashreplace").decode()
        assert (found.status, found.result) == ("FAILURE", b"1"), "the record was changed"
        assert found.traceback in {text, escaped}, f"the traceback became {found.traceback!r}"

    @case("BKD-015")
    def forget(self) -> None:
        """Forget removes records, counts those that were there, may be repeated, and leaves all others.

        Broken by: counting the ids instead of the records, and prefixes taken for patterns.
        """
        ids = self.names(30)
        self.put(*[Record(one, "SUCCESS") for one in ids])
        assert self.backend.forget([*ids[:10], "never", ids[0]], self.soon()) == 10, "wrong count"
        assert self.backend.forget(ids[:10], self.soon()) == 0, "they were there again"
        assert pick(self.get(*ids)) == [None] * 10 + ids[10:]
        assert self.backend.forget([], self.soon()) == 0
        self.put(Record("id", "SUCCESS"), Record("id-10", "SUCCESS"), Record("id*", "SUCCESS"))
        self.backend.forget(["id", "id*"], self.soon())
        assert pick(self.get("id-10", ids[20])) == ["id-10", ids[20]]

    @case("BKD-016", needs=("tombstone",))
    def tombstones(self) -> None:
        """What is stored after forget stays forgotten: a late worker does not bring a record back.

        Broken by: tombstones that live shorter than a task may run.
        """
        self.put(Record("gone", "STARTED"))
        self.backend.forget(["gone"], self.soon())
        for mode in StoreMode:
            self.backend.store([Record("gone", "SUCCESS")], mode, self.soon())
            assert self.get("gone") == [None], f"mode {mode} brought it back"

    def _store_odd(self, one: str, number: int) -> bool:
        """Whether the id was taken; INVALID is the only other answer."""
        try:
            (result,) = self.backend.store(
                [Record(one, "SUCCESS", str(number).encode())], StoreMode.UPSERT, self.soon()
            )
        except DriverError as error:
            raise AssertionError(f"{one!r:.40}: the whole call failed instead of the record: {error}") from error
        if result.error is not None:
            assert result.error.code is Code.INVALID, f"{one!r:.40}: {result.error.code}, not INVALID"
            assert self.get(one) == [None], f"{one!r:.40} was refused and stored"
            return False
        assert result.stored, f"{one!r:.40} was neither stored nor refused"
        return True
