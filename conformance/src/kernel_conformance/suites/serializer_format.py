"""Serializers: the declaration, stable bytes, isolation, speed, errors that help."""

import gc
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from kernel.contracts import DecodeLimits, Serializer
from kernel_conformance.cases import case
from kernel_conformance.sameness import difference, same
from kernel_conformance.suites.serializer_base import KINDS, LIMITS, SerializerSuite
from kernel_conformance.values import SAMPLES, Unpicklable, values_of

_LIST_BUDGET_S = 2.0
"""CPU seconds that writing and reading a list of 100,000 small elements may take."""

_CHILD = """
import hashlib, pickle, sys
serializer, values = pickle.load(sys.stdin.buffer)
print(*[hashlib.sha256(serializer.dumps(value)).hexdigest() for value in values])
"""


class SerializerFormat(SerializerSuite):
    """What holds of the serializer as a whole."""

    @case("SER-001")
    def declaration(self) -> None:
        """Name, content type, encoding, ``safe``, ``types`` and ``canonical`` are declared, and are of the right
        types. They are the same for every instance, and no other installed serializer has this name.

        Broken by: attributes set in the constructor, and kinds in ``types`` that the contract does not know.
        """
        subject = self.subject
        assert isinstance(subject, Serializer), f"{type(subject).__name__} is no kernel.contracts.Serializer"
        assert isinstance(subject.name, str), "name is no str"
        assert subject.name, "name is empty"
        essence, _, parameters = subject.content_type.partition("/")
        assert essence, f"{subject.content_type!r} is no MIME type"
        assert parameters, f"{subject.content_type!r} is no MIME type"
        assert subject.content_type == subject.content_type.strip().lower(), "the content type is not in lower case"
        assert subject.content_encoding in {"utf-8", "binary"}, f"content_encoding is {subject.content_encoding!r}"
        assert type(subject.safe) is bool, "safe is no bool"
        assert type(subject.canonical) is bool, "canonical is no bool"
        assert isinstance(subject.types, frozenset), "types is no frozenset"
        assert subject.types <= KINDS, f"unknown kinds in types: {sorted(subject.types - KINDS)}"
        for attribute in ("name", "content_type", "content_encoding", "safe", "types", "canonical"):
            assert getattr(type(subject), attribute) == getattr(subject, attribute), f"{attribute} is not the class's"
        names = [one.name for one in self.harness.neighbours()]
        assert names.count(subject.name) == 1, f"{names.count(subject.name)} installed serializers are {subject.name!r}"

    @case("SER-002")
    def buffers(self) -> None:
        """Dumps gives immutable bytes; loads takes bytes, bytearray, memoryview and a slice of one.

        Broken by: isinstance(data, bytes), and len() of a memoryview with wide items.
        """
        value = {"a": [1, "ü", None]}
        data = self.subject.dumps(value)
        assert type(data) is bytes, f"dumps gave {type(data).__name__}"
        padded = memoryview(b"xx" + data + b"yy")[2:-2]
        for given in (data, bytearray(data), memoryview(data), padded, memoryview(bytearray(data))):
            found = self.subject.loads(given, LIMITS)
            assert same(found, value), difference(value, found)

    @case("SER-015", needs=("canonical",), timeout_s=120.0)
    def canonical(self) -> None:
        """Equal values give equal bytes, twice in one process and in processes with other hash seeds.

        Broken by: sets in hash order, addresses or times in the output, and memoized names of equal strings.
        """
        values: list[Any] = [
            samples for kind in sorted(self.subject.types & SAMPLES.keys()) for samples in SAMPLES[kind]
        ]
        self.forall(values_of(self.subject.types), values.append, examples=60)
        here = [self.subject.dumps(value) for value in values]
        for value, data in zip(values, here, strict=True):
            again = self.subject.dumps(pickle.loads(pickle.dumps(value)))
            assert again == data, f"{value!r:.80} gave {data!r:.80}, then {again!r:.80}"
        task = pickle.dumps((pickle.loads(self.portable()), values))
        answers = {_hashes(task, seed) for seed in ("0", "1", "4242")}
        assert len(answers) == 1, "processes with different PYTHONHASHSEED wrote different bytes"

    @case("SER-016", needs=("golden",))
    def golden_vectors(self) -> None:
        """Bytes that released versions wrote still decode to the values they were written for.

        Broken by: a format change without a new content type: messages of yesterday's producers are in the queues.
        """
        for version, vectors in self.harness.golden.items():
            assert vectors, f"no vectors of version {version}"
            for value, data in vectors:
                found = self.subject.loads(data, LIMITS)
                assert same(found, value), f"written by {version}: {data!r:.80}: {difference(value, found)}"

    @case("SER-018")
    def isolation(self) -> None:
        """Dumps leaves its input as it was, and loads returns fresh containers every time.

        Broken by: encoding hooks that edit in place, and caches of decoded values.
        """
        value = {"a": [1, [2, {"b": "c"}]], "t": [3], "same": ["x"]}
        before = json.dumps(value)
        data = self.subject.dumps(value)
        assert json.dumps(value) == before, "dumps changed its input"
        first: Any = self.subject.loads(data, LIMITS)
        first["a"][1][1]["b"] = "changed"
        first["t"].append(4)
        second = self.subject.loads(data, LIMITS)
        assert json.dumps(second) == before, "a value returned by loads shares parts with an earlier one"
        shared = ["x"]
        found: Any = self.trip({"l": shared, "r": shared})
        if self.subject.safe:
            assert found["l"] is not found["r"], "two places of the result share one list"

    @case("SER-019")
    def threads(self) -> None:
        """Eight threads may use one serializer at once.

        Broken by: a parser or a buffer kept on the instance.
        """
        faults: list[str] = []

        def work(number: int) -> None:
            for turn in range(40):
                value = {"number": number, "items": [f"{number}-{turn}"] * (number + 1)}
                found = self.trip(value)
                if not same(found, value):
                    faults.append(difference(value, found))

        threads = [threading.Thread(target=_collecting, args=(work, number, faults)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults, faults[0]

    @case("SER-020", timeout_s=120.0)
    def large_lists(self) -> None:
        """Writing and reading take time in proportion. Ten times the list costs about ten times as much, and 100,000
        small elements stay within 2 s of CPU time, or 20 s where the harness says that the format is slow.

        Broken by: string concatenation in a loop, and scans from the start for every element.
        """
        small, large = self._seconds(10_000), self._seconds(100_000)
        budget = _LIST_BUDGET_S * (10 if self.harness.slow else 1)
        assert large <= budget, f"100,000 elements took {large:.2f} s of CPU time; the budget is {budget:g} s"
        assert large <= 40 * small + 0.2, f"10,000 elements took {small:.3f} s, ten times as many {large:.3f} s"

    @case("SER-021")
    def errors_name_the_path(self) -> None:
        """An EncodeError names the place of the value that cannot be carried, in the words of the task's arguments.

        Broken by: letting the library's own error through, which names a type and leaves the user to search.
        """
        bad = Unpicklable()
        for value, path in (
            ([[0, 1, {"user": bad}], {}, {}], "args[2].user"),
            ([[], {"to": {"e-mail": bad}}, {}], "kwargs.to['e-mail']"),
            ({"a": [0, bad]}, "value.a[1]"),
        ):
            text = str(self.refuses(value))
            assert path in text, f"the message does not name {path}: {text}"

    @case("SER-022", needs=("safe",))
    def depth(self) -> None:
        """What dumps writes, loads reads: 128 nested containers, the default bound. One more is refused by dumps
        already, and a smaller bound is enforced by loads.

        Broken by: a bound on one side only; the message is then accepted and fails in every worker.
        """
        for wrap in (lambda inner: [inner], lambda inner: {"k": inner}):
            value: Any = 1
            for _ in range(LIMITS.max_depth):
                value = wrap(value)
            found = self.trip(value)
            depth = 0
            while isinstance(found, (list, dict)):
                found, depth = next(iter(found.values() if isinstance(found, dict) else found)), depth + 1
            assert depth == LIMITS.max_depth, f"{depth} levels came back"
            self.refuses(wrap(value))
        self.rejects(self.subject.dumps([[[[1]]]]), DecodeLimits(max_depth=3))
        assert self.subject.loads(self.subject.dumps([[[1]]]), DecodeLimits(max_depth=3)) == [[[1]]]

    def _seconds(self, size: int) -> float:
        value = [f"element {number}" for number in range(size)]
        gc.disable()
        try:
            best = float("inf")
            for _ in range(2):
                began = time.process_time()
                found = self.trip(value)
                best = min(best, time.process_time() - began)
                assert found == value, "the list did not come back"
            return best
        finally:
            gc.enable()


def _collecting(work: Any, number: int, faults: list[str]) -> None:
    try:
        work(number)
    except Exception as error:  # noqa: BLE001 - it is judged by the main thread
        faults.append(f"{type(error).__name__}: {error}")


def _hashes(task: bytes, seed: str) -> str:
    environment: Mapping[str, str] = {**os.environ, "PYTHONHASHSEED": seed}
    run = subprocess.run(
        [sys.executable, "-c", _CHILD], input=task, env=environment, capture_output=True, timeout=60, check=False
    )
    assert run.returncode == 0, f"the process with hash seed {seed} failed: {run.stderr.decode()[-300:]}"
    return run.stdout.decode()
