"""Serializers: bytes from somebody who means harm, or from a broken disk."""

import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from kernel.contracts import DecodeLimits
from kernel.errors import DecodeError
from kernel_conformance import corpus
from kernel_conformance.cases import case
from kernel_conformance.guarded import in_child
from kernel_conformance.sameness import same
from kernel_conformance.suites.serializer_base import LIMITS, SerializerSuite

_MEMORY = 1 << 30
"""Address space a reader may take for the inputs of this file, beyond what its process has."""
_BODY: list[Any] = [["https://example.org/ü", 17, -0.5], {"user": None, "on": True}, {"chain": [{"task": "a.b"}]}]


class SerializerHostile(SerializerSuite):
    """A value or a DecodeError, within bounds, whatever comes."""

    @case("SER-023", needs=("safe",), timeout_s=120.0)
    def nesting(self) -> None:
        """A hundred thousand nested containers are a DecodeError, and the process lives.

        Broken by: parsers in C that recurse: the stack overflows and the worker is gone, without a traceback.
        """
        self._all_in_child([*corpus.nesting(), *self._own("nesting")])
        for name, data in self._own("nesting"):
            self._refused_in_child(name, data)

    @case("SER-024", needs=("safe",), timeout_s=120.0)
    def bombs(self) -> None:
        """Aliases and entities that unfold to billions of values are a DecodeError, and so is everything with more
        values than ``max_nodes``.

        Broken by: sharing the alias's value, which is small until somebody prints, copies or encodes it.
        """
        self._all_in_child([*corpus.bombs(), *self._own("bombs")])
        flat = self.subject.dumps(list(range(1000)))
        self.rejects(flat, DecodeLimits(max_nodes=900))
        assert self.subject.loads(flat, DecodeLimits(max_nodes=1100)) == list(range(1000))
        nested = self.subject.dumps([[n, {"k": n}] for n in range(250)])
        self.rejects(nested, DecodeLimits(max_nodes=900))

    @case("SER-025", needs=("safe",))
    def self_references(self) -> None:
        """A text that describes a value containing itself is a DecodeError, and dumps refuses such a value.

        Broken by: anchors that are known before their value is complete.
        """
        self._all_in_child([*corpus.self_references(), *self._own("self_references")])
        ring: list[Any] = [1]
        ring.append({"ring": ring})
        tree: dict[str, Any] = {}
        tree["self"] = tree
        for value in (ring, tree):
            ended = in_child(partial(self._refusal, value), memory=_MEMORY)
            ended.answer("dumps of a value that contains itself")

    @case("SER-026", needs=("safe",))
    def programs(self) -> None:
        """Decoding never runs, imports, opens or builds anything but plain values, whatever tags and gadgets say.

        Broken by: yaml.load, jsonpickle, and registries of types that look names up with import_module.
        """
        canary = self.folder / "canary"
        inputs = [*corpus.programs(f"touch {canary}"), *self._own("programs")]
        self.trip(_BODY)  # whatever is imported late is imported now

        def work() -> list[str]:
            return [f"{name}: {self._outcome(data)}" for name, data in inputs]

        ended = in_child(work, memory=_MEMORY, watched=True)
        answers = ended.answer("decoding programs")
        assert not ended.deeds, f"decoding did {ended.deeds[0]}"
        assert not canary.exists(), "decoding ran a command"
        assert len(answers) == len(inputs), "not every input was tried"

    @case("SER-027")
    def truncation(self) -> None:
        """A body cut short at any byte is a DecodeError: never another exception, never a shorter value.

        Broken by: formats without an end mark, and readers that repair.
        """
        data = self.subject.dumps(_BODY)

        def work() -> list[int]:
            found = [(end, self.reads_or_rejects(data[:end])) for end in range(len(data))]
            return [end for end, value in found if not isinstance(value, DecodeError) and value != _BODY]

        taken = in_child(work, memory=_MEMORY).answer("reading truncated bodies")
        assert not taken, f"a body of {len(data)} bytes cut to {taken[0]} was read as another value"

    @case("SER-028", timeout_s=120.0)
    def byte_flips(self) -> None:
        """A body with damaged bytes is a value or a DecodeError: no other exception, no hang, no crash.

        Broken by: library errors that are no subclass of the one that is caught.
        """
        data = self.subject.dumps([*_BODY, *self._declared_sample()])

        def work() -> int:
            for _ in range(2000):
                damaged = bytearray(data)
                for _ in range(self.random.choice((1, 1, 1, 3))):
                    damaged[self.random.randrange(len(damaged))] = self.random.randrange(256)
                self.reads_or_rejects(bytes(damaged))
            return 2000

        assert in_child(work, memory=_MEMORY, seconds=60).answer("reading damaged bodies") == 2000

    @case("SER-029")
    def malformed(self) -> None:
        """Empty input, other encodings, repeated keys and a second document are a value or a DecodeError; never a
        value that leaves out a part. Empty input is always a DecodeError, and so is a body followed by junk.

        Broken by: readers that stop at the end of the first value, and "the last of two equal keys wins".
        """
        self._all_in_child([*corpus.malformed(), *self._own("malformed")])
        self.rejects(b"")
        data = self.subject.dumps(_BODY)
        for junk in (b"\x00", b"x", b" junk", b"\n--- 1\n", data):
            found = self.reads_or_rejects(data + junk)
            assert isinstance(found, DecodeError), f"{junk!r:.40} after the end of a body was ignored"
        if self.subject.safe:
            for twice in (b'{"a": 1, "a": 2}', b'[{"b": {"a": 1, "c": 0, "a": 2}}]'):
                found = self.reads_or_rejects(twice)
                assert isinstance(found, DecodeError), f"{twice!r} was read as {found!r}"
        for name, refused in self._own("malformed"):
            assert isinstance(self.reads_or_rejects(refused), DecodeError), f"{name} was not refused"

    @case("SER-030", timeout_s=120.0)
    def heavy(self) -> None:
        """Input beyond ``max_bytes`` is refused before it is parsed, within 100 ms. Numbers of a million digits,
        scalars of 10 MB and the like cost 100 ms of CPU time at most per megabyte.

        Broken by: int() of a long text, decimal parsing of base 60, and regular expressions that backtrack.
        """
        data = self.subject.dumps(["x" * 1000])
        exact = DecodeLimits(max_bytes=len(data))
        assert same(self.subject.loads(data, exact), ["x" * 1000]), "a body of exactly max_bytes was changed"
        self.rejects(data, DecodeLimits(max_bytes=len(data) - 1))
        self.rejects(memoryview(data), DecodeLimits(max_bytes=len(data) - 1))  # type: ignore[arg-type] # a buffer
        large = self.subject.dumps("y" * 10_000_000)
        slow = self.subject.safe and self._slow([("10 MB, bounded", large)], DecodeLimits(max_bytes=1000), 0.1)
        assert not slow, slow
        slow = self._slow([("10 MB", large)], LIMITS, 10 * self._second_per_mb())
        assert not slow, slow
        if self.subject.safe:
            slow = self._slow([*corpus.heavy(), *self._own("heavy")], LIMITS, self._second_per_mb())
            assert not slow, slow

    def _refusal(self, value: object) -> str:
        return str(self.refuses(value))

    def _slow(self, inputs: Iterable[tuple[str, bytes]], limits: DecodeLimits, budget: float) -> str:
        """The first input that takes longer, in words; "" when none does."""
        self.trip(_BODY)

        def work() -> str:
            for name, data in inputs:
                best = float("inf")
                for _ in range(3):  # a busy machine may disturb one of them
                    began = time.process_time()
                    self.reads_or_rejects(data, limits)
                    best = min(best, time.process_time() - began)
                    if best <= budget:
                        break
                if best > budget:
                    return f"{name}: {best * 1000:.0f} ms of CPU time, more than {budget * 1000:.0f}"
            return ""

        return str(in_child(work, memory=_MEMORY, seconds=90).answer("reading heavy input"))

    def _second_per_mb(self) -> float:
        return 1.0 if self.harness.slow else 0.1

    def _all_in_child(self, inputs: Iterable[tuple[str, bytes]]) -> None:
        for name, data in inputs:
            in_child(partial(self._outcome, data), memory=_MEMORY).answer(name)

    def _refused_in_child(self, name: str, data: bytes) -> None:
        assert in_child(partial(self._outcome, data), memory=_MEMORY).answer(name), f"{name} was not refused"

    def _outcome(self, data: bytes) -> str:
        """Nothing for a plain value within the limits, else the DecodeError's text; anything else raises."""
        found = self.reads_or_rejects(data)
        if isinstance(found, DecodeError):
            return str(found) or "DecodeError"
        nodes = sum(1 for _ in zip(_walk(found), range(LIMITS.max_nodes + 1), strict=False))
        assert nodes <= LIMITS.max_nodes, f"it was read as a value of more than {LIMITS.max_nodes:,} parts"
        return ""

    def _own(self, name: str) -> list[tuple[str, bytes]]:
        """What the harness adds of the format's own: inputs that must be refused."""
        return [(f"{name} {n} of the harness", data) for n, data in enumerate(self.harness.hostile.get(name, ()))]

    def _declared_sample(self) -> list[Any]:
        return [b"\x00\xff"] if "bytes" in self.subject.types else []


def _walk(value: object) -> Iterator[object]:
    """Every part of a value, depth by depth; the same part once per place."""
    level = [value]
    while level:
        below: list[object] = []
        for one in level:
            yield one
            if isinstance(one, dict):
                below += [*one.keys(), *one.values()]
            elif isinstance(one, (list, tuple, set, frozenset)):
                below += one
        level = below
