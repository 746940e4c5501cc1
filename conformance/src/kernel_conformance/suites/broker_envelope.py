"""Brokers: what is inside a message arrives unchanged, and what is too large or wrong is refused."""

import threading
from typing import Any

from hypothesis import strategies as st

from kernel.contracts import Outgoing, SettleKind
from kernel.errors import Code
from kernel_conformance.broker_suite import BrokerCase
from kernel_conformance.cases import case

KIBIBYTE = 1024
SOME_BODY = 256 * KIBIBYTE
"""A body that every broker must take, when it declares no limit below."""
SOME_HEADERS = 10
INT64 = 2**63
WEIRD_TEXT = ["", " ", "a\nb", "a\r\nX: y", "\x00", "\x7f", "ü日🙂", "'\"\\;--", "a=b&c", "%s{0}", "null", "1"]


class EnvelopeSuite(BrokerCase):
    """Bodies, headers, limits, batches."""

    @case("BRK-012")
    def bodies_are_bytes(self) -> None:
        """A body of any bytes arrives as it was: empty, one byte, NUL, all 256 values, 64 KiB and more.

        Broken by: decoding to text, C strings that end at NUL, a column or frame of 64 KiB.
        """
        broker = self.broker()
        queue = self.queue(broker)
        most = min(self.caps.limits.max_body or SOME_BODY, SOME_BODY)
        bodies = [
            b"",
            b"x",
            b"\x00",
            b"\x00a\x00",
            bytes(range(256)),
            b"\xff\xfe",
            bytes(min(most, 64 * KIBIBYTE)),
            b"y" * most,
        ]
        self.send(broker, *[self.message(queue, body) for body in bodies])
        found = {one.message.headers["n"]: one.message.body for one in self.drain(broker, queue)}
        for number, body in enumerate(bodies, 1):
            assert found.get(number) == body, f"a body of {len(body)} bytes came as {str(found.get(number))[:80]}"
        self.judge()

    @case("BRK-013")
    def headers_keep_their_values_and_types(self) -> None:
        """Header values arrive equal and with their type: text of any kind, integers of 64 bits, booleans, nothing.

        As many headers as the broker declares; tuples may become lists.

        Broken by: turning everything into text, refusing unicode, mixing up True and 1, losing None or "".
        """
        broker = self.broker()
        queue = self.queue(broker)
        values: dict[str, Any] = {f"t{n}": text for n, text in enumerate(WEIRD_TEXT)}
        values |= {"min": -INT64, "max": INT64 - 1, "yes": True, "no": False, "zero": 0, "one": 1, "none": None}
        values |= {
            "half": 0.5,
            "list": [1, "x", None, [True]],
            "dict": {"a": {"b": []}},
            "größe": "ü",
            "": "empty name",
        }
        items = [
            self.message(queue, headers={"n": 1000 + n, key: value}) for n, (key, value) in enumerate(values.items())
        ]
        most = self.caps.limits.max_headers or SOME_HEADERS * 5
        items.append(self.message(queue, headers={f"h{n}": n for n in range(most)}))
        items.append(self.message(queue, headers={}))
        self._round_trip(broker, queue, items)

    @case("BRK-073", needs=("binary_headers",))
    def headers_may_be_bytes(self) -> None:
        """Bytes in headers arrive as bytes, also inside lists and mappings.

        Broken by: a client library that decodes what looks like text.
        """
        broker = self.broker()
        queue = self.queue(broker)
        values = [b"", b"q", b"\x00\xff", [b"x", "x"], {"a": b"\x80"}]
        self._round_trip(broker, queue, [self.message(queue, headers={"v": value}) for value in values])

    @case("BRK-014")
    def every_field_survives_redelivery(self) -> None:
        """Every field of the envelope arrives unchanged, at the first delivery and at a later one.

        Broken by: building the redelivered message from parts, keeping headers in memory only.
        """
        broker = self.broker()
        queue = self.queue(broker)
        fields: dict[str, Any] = {
            "content_type": "application/x-test",
            "content_encoding": "binary",
            "correlation_id": "c-1",
            "reply_to": "answers",
            "routing_key": queue,
            "properties": {"custom": "value"},
            "headers": {"task": "a.b", "retries": 3, "nested": {"list": [1, "2", None]}},
        }
        fields |= {"priority": 3} if self.caps.priority else {}
        fields |= {"ttl_s": 600.0} if self.caps.ttl else {}
        fields |= {"dedup_id": "d-1"} if self.caps.dedup else {}
        sent = self.message(queue, b"\x00body", **fields)
        self.send(broker, sent)
        consumer = broker.consumer([queue], 0)
        first = self.one(consumer)
        self.same(first.message, sent)
        self.settle(consumer, SettleKind.RELEASE, first)
        second = self.one(consumer)
        self.same(second.message, sent)
        self.close(consumer)
        third = self.one(self.broker().consumer([queue], 0))
        self.same(third.message, sent)
        self.judge(drained=False)

    @case("BRK-015", timeout_s=120)
    def bodies_up_to_the_limit(self) -> None:
        """A body of ``max_body`` bytes is taken; one byte more gives TOO_LARGE with the limit, and nothing breaks.

        Broken by: a limit that counts headers or base64 silently, a server that closes the connection, truncation.
        """
        broker = self.broker()
        queue = self.queue(broker)
        limit = self.caps.limits.max_body
        most = SOME_BODY * 4 if limit is None else limit
        sent = self.message(queue, bytes(most))
        self.send(broker, sent)
        if limit is not None:
            error = self.refusal(broker, self.message(queue, bytes(limit + 1)))
            assert error.code is Code.TOO_LARGE, f"one byte more gives {error.code}"
            assert str(limit) in str(error).replace(",", "").replace("_", ""), f"the limit is not in {error}"
        self.send(broker, self.message(queue))
        assert len(self.drain(broker, queue)) == 2, "the two messages of possible size did not both come"
        self.judge()

    @case("BRK-016")
    def batches_of_any_length(self) -> None:
        """A batch of any length is taken: it is split where the server needs it, results stay 1:1 in input order.

        Broken by: dropping what exceeds the server's batch, results by completion rather than by input.
        """
        broker = self.broker()
        queue, nowhere = self.queue(broker), self.name("nowhere")
        size = min(self.caps.limits.max_batch or 100, self.harness.load)
        count = min(3 * size + 1, self.harness.load)
        self.send(broker, *self.messages(queue, size))
        mixed = [self.message(queue if n % 7 else nowhere) for n in range(count)]
        ok = [result.ok for result in self.try_send(broker, mixed, 60)]
        wrong = [n for n in range(count) if ok[n] is not bool(n % 7)]
        assert not wrong, f"results of a batch of {count} are not in input order: positions {wrong[:10]}"
        assert broker.publish([], self.soon()) == [], "an empty batch has results"
        self.drain(broker, queue)
        self.judge()

    @case("BRK-017")
    def a_bad_item_fails_alone(self) -> None:
        """In a batch a bad item is reported and the good ones are delivered.

        Broken by: one transaction for the batch, raising at the first bad item.
        """
        broker = self.broker()
        queue = self.queue(broker)
        bad = [self.message(self.name("nowhere")), self.message(queue, "text"), self.message(queue, headers={"a": {1}})]  # type: ignore[arg-type] # wrong on purpose
        if self.caps.limits.max_body is not None:
            bad.append(self.message(queue, bytes(self.caps.limits.max_body + 1)))
        for item in bad:
            ops = [self.message(queue), item, self.message(queue)]
            results = broker.publish(ops, self.soon())
            assert [result.ok for result in results] == [True, False, True], f"{results} for a bad {item!r}"[:600]
            code = getattr(results[1].error, "code", None)
            assert code in {Code.NOT_FOUND, Code.INVALID, Code.TOO_LARGE}, f"the bad item gives {code}"
            found = {one.message.id for one in self.drain(broker, queue)}
            assert found == {ops[0].id, ops[2].id}, f"delivered {found}, sent {[one.id for one in ops]}"

    @case("BRK-018")
    def any_envelope_makes_the_round_trip(self) -> None:
        """100 random envelopes arrive as they were sent.

        Broken by: escaping, quoting and encoding of every kind.
        """
        broker = self.broker()
        queue = self.queue(broker)
        text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
        plain = st.none() | st.booleans() | st.integers(-INT64, INT64 - 1) | st.floats(allow_nan=False) | text
        nested = st.recursive(
            plain | (st.binary(max_size=20) if self.caps.binary_headers else plain),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
            max_leaves=6,
        )
        headers = st.dictionaries(text, nested, max_size=min(5, self.caps.limits.max_headers or 5))
        ids = st.none() | text

        def check(drawn: tuple[dict[str, Any], bytes, str | None, str | None]) -> None:
            given, body, correlation, reply = drawn
            sent = self.message(queue, body, headers=given, correlation_id=correlation, reply_to=reply)
            self.send(broker, sent)
            [found] = self.drain(broker, queue, quiet_s=0) or self.take(broker.consumer([queue], 0), 1)
            self.same(found.message, sent)

        self.forall(st.tuples(headers, st.binary(max_size=300), ids, ids), check)

    @case("BRK-019")
    def threads_share_a_broker(self) -> None:
        """8 threads publish on one broker: nothing is torn, nothing is lost.

        Broken by: one connection used by several threads without a lock.
        """
        broker = self.broker()
        queue = self.queue(broker)
        each = max(1, self.harness.load // 32)
        errors: list[BaseException] = []

        def publish(number: int) -> None:
            try:
                for _ in range(each):
                    self.send(broker, self.message(queue, bytes([number]) * 3000))
            except BaseException as error:  # noqa: BLE001 - judged below
                errors.append(error)

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, repr(errors[0])
        self.drain(broker, queue)
        self.judge()

    @case("BRK-020", needs=("confirm",))
    def unroutable_is_never_ok(self) -> None:
        """A publish that reaches no queue is NOT_FOUND, alone and in a batch, and never ok.

        A queue that was deleted a moment ago counts as no queue.

        Broken by: publishing without confirmation or without the mandatory flag, a cache of known queues.
        """
        broker, other = self.broker(), self.broker()
        queue = self.queue(broker)
        self.send(broker, self.message(queue))
        other.delete([queue], self.soon())
        [gone] = broker.publish([self.message(queue)], self.soon())
        assert gone.error is not None, "a message to a deleted queue is ok"
        assert gone.error.code is Code.NOT_FOUND, f"a deleted queue gives {gone.error.code}"
        assert self.refusal(broker, self.message(self.name("never"))).code is Code.NOT_FOUND

    def _round_trip(self, broker: Any, queue: str, items: list[Outgoing]) -> None:
        self.send(broker, *items)
        found = {one.message.id: one.message for one in self.drain(broker, queue)}
        for item in items:
            assert item.id in found, f"lost: {item.headers!r}"
            self.same(found[item.id], item)
