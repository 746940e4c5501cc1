"""Compressors: what goes in comes out, at every level, from every thread, in every process."""

import inspect
import os
import pickle
import subprocess
import sys
import threading
import time

from hypothesis import strategies as st

from kernel.contracts import Compressor, DecodeLimits
from kernel.engine.codec import Codec
from kernel.errors import Code
from kernel_conformance.cases import case
from kernel_conformance.guarded import in_child
from kernel_conformance.plain_bytes import PLAIN
from kernel_conformance.sameness import same
from kernel_conformance.suites.compression_base import BODY, KIB, MIB, CompressionSuite

_CHILD = """
import pickle, sys
compressor, data, level = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(compressor.compress(data, level))
"""


class CompressionStreams(CompressionSuite):
    """One stream in, the same bytes out."""

    @case("CMP-001")
    def declaration(self) -> None:
        """Name, aliases, encoding, checksum, levels and default level are declared, of the right types, the same for
        every instance. No other installed compressor has this name or alias.

        Broken by: a default level outside the levels, and levels that are not in order.
        """
        subject = self.subject
        assert isinstance(subject, Compressor), f"{type(subject).__name__} is no kernel.contracts.Compressor"
        for name in (subject.name, subject.encoding, *subject.aliases):
            assert isinstance(name, str), f"{name!r} is no str"
            assert name == name.strip(), f"{name!r} has white space around it"
            assert name, "a name is empty"
        assert type(subject.checksum) is bool, "checksum is no bool"
        levels = list(subject.levels)
        assert levels, "there are no levels"
        assert all(type(level) is int for level in levels), "a level is no int"
        assert levels == sorted(set(levels)), f"the levels are not in order: {levels}"
        assert subject.default_level in levels, f"the default level {subject.default_level} is none of {levels}"
        for attribute in ("name", "aliases", "encoding", "checksum", "levels", "default_level"):
            assert getattr(type(subject), attribute) == getattr(subject, attribute), f"{attribute} is not the class's"
        taken = [name for one in self.harness.neighbours() for name in (one.name, *one.aliases)]
        for name in (subject.name, *subject.aliases):
            assert taken.count(name) == 1, f"{taken.count(name)} installed compressors are called {name!r}"

    @case("CMP-002", timeout_s=120.0)
    def sizes(self) -> None:
        """Nothing, one byte, 64 KiB and 8 MiB come back, compressible or not.

        Broken by: the empty input, and one-shot calls with a fixed output buffer.
        """
        for data in (
            b"",
            b"\x00",
            b"x",
            BODY,
            self.noise(64 * KIB),
            bytes(64 * KIB),
            self.text(8 * MIB),
            bytes(8 * MIB),
        ):
            self.trips(data)

    @case("CMP-003")
    def property(self) -> None:
        """Whatever bytes go in come out: random, repetitive and text, 100 drawn values.

        Broken by: what nobody thought of; the smallest failing value is shown.
        """
        drawn = st.one_of(
            st.binary(max_size=3000),
            st.text(max_size=1000).map(str.encode),
            st.tuples(st.binary(min_size=1, max_size=9), st.integers(0, 2000)).map(lambda pair: pair[0] * pair[1]),
        )
        self.forall(drawn, self.check, examples=100)

    @case("CMP-004")
    def growth(self) -> None:
        """Incompressible data grows by 1 % and the bound of the harness at most; the kernel then sends it as it was.

        Broken by: block headers, and codecs that never store.
        """
        for size in (0, 1, 100, 2 * KIB, 64 * KIB, MIB):
            grown = len(self.subject.compress(self.noise(size))) - size
            bound = size // 100 + self.harness.growth
            assert grown <= bound, f"{size:,} incompressible bytes grew by {grown:,}, more than {bound:,}"
        codec = Codec([PLAIN], [self.subject], [PLAIN.name], DecodeLimits())
        body = self.noise(2 * KIB)
        sent = codec.encode(body, PLAIN.name, self.subject.name)
        assert (sent.body, sent.compression) == (body, None), "the kernel sent the grown form"
        sent = codec.encode(BODY * 20, PLAIN.name, self.subject.name)
        assert sent.compression == self.subject.encoding, "a compressible body was not compressed"
        assert same(codec.decode(*sent), BODY * 20), "the body did not come back"

    @case("CMP-005", timeout_s=120.0)
    def levels(self) -> None:
        """Every declared level works; any other is INVALID, None is the default level.

        Broken by: passing the level on to a library that clamps, or raises an error of its own.
        """
        text = self.text(64 * KIB)
        sizes = [len(self.trips(text, level)) for level in self.subject.levels]
        assert sizes[-1] <= sizes[0], f"the last level, the smallest, gives {sizes[-1]:,} bytes, the first {sizes[0]:,}"
        default = self.subject.compress(BODY)
        assert default == self.subject.compress(BODY, self.subject.default_level), "None is not the default level"
        lowest, highest = self.subject.levels[0], self.subject.levels[-1]
        for wrong in (lowest - 1, highest + 1, -99, 10**9, 10**20):
            with self.raises(Code.INVALID):
                self.subject.compress(BODY, wrong)

    @case("CMP-006", needs=("canonical",))
    def canonical(self) -> None:
        """Equal bytes at an equal level give an equal stream: twice, and in another process with another hash seed.

        Broken by: a time or a file name in the header.
        """
        subject = pickle.dumps(self.subject)
        for level in (None, self.subject.levels[0]):
            text = self.text(20 * KIB)
            here = self.subject.compress(text, level)
            time.sleep(1.1)  # headers count in seconds
            assert self.subject.compress(text, level) == here, "the same input gave another stream a second later"
            run = subprocess.run(
                [sys.executable, "-c", _CHILD],
                input=pickle.dumps((pickle.loads(subject), text, level)),
                env={**os.environ, "PYTHONHASHSEED": "77"},
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert run.stdout == here, f"another process wrote another stream: {run.stderr.decode()[-200:]}"

    @case("CMP-007")
    def buffers(self) -> None:
        """Both calls take bytes, bytearray, memoryview and a slice of one; both give immutable bytes.

        Broken by: libraries that give a bytearray or keep a view of the caller's buffer.
        """
        small = self.subject.compress(BODY)
        plain = bytearray(BODY)
        for given in (bytes(plain), plain, memoryview(plain), memoryview(b"xx" + BODY + b"x")[2:-1]):
            assert self.subject.compress(given) == small, f"another stream for a {type(given).__name__}"
        packed = bytearray(small)
        for given in (bytes(packed), packed, memoryview(packed), memoryview(b"xx" + small + b"x")[2:-1]):
            found = self.subject.decompress(given, len(BODY))
            assert type(found) is bytes, f"decompress gave {type(found).__name__}"
            assert found == BODY, f"other bytes for a {type(given).__name__}"
        packed[:] = bytes(len(packed))
        plain[:] = bytes(len(plain))  # neither may be locked by a view that was kept

    @case("CMP-008")
    def threads_and_forks(self) -> None:
        """Eight threads may use one compressor at once, and so may a child process after a fork.

        Broken by: one native context kept on the instance.
        """
        faults: list[str] = []

        def work(number: int) -> None:
            try:
                for turn in range(20):
                    self.trips(BODY * (number + 1) + str(turn).encode())
            except Exception as error:  # noqa: BLE001 - it is judged by the main thread
                faults.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults, faults[0]
        in_child(lambda: len(self.trips(BODY))).answer("a child process")
        self.trips(BODY)

    @case("CMP-009")
    def bound_is_explicit(self) -> None:
        """``decompress`` has a parameter ``max_output`` without a default, so that nobody forgets the bound.

        Broken by: max_output=None, which means "as much as the sender likes".
        """
        parameters = inspect.signature(type(self.subject).decompress).parameters
        assert "max_output" in parameters, f"decompress takes {', '.join(parameters)}"
        assert parameters["max_output"].default is inspect.Parameter.empty, "max_output has a default"
        try:
            self.subject.decompress(self.subject.compress(BODY))  # type: ignore[call-arg] # that is the test
        except TypeError:
            return
        raise AssertionError("decompress works without max_output")

    @case("CMP-010")
    def exact_bound(self) -> None:
        """Exactly ``max_output`` bytes come out; one byte more is TOO_LARGE, and no part of it is returned.

        Broken by: off-by-one in a loop, and truncating instead of refusing.
        """
        for size in (1, 1000, 64 * KIB, 3 * MIB + 17):
            for data in (self.text(size), bytes(size), self.noise(size)):
                small = self.subject.compress(data)
                found = self.subject.decompress(small, size)
                assert found == data, f"{size:,} bytes did not come back at a bound of exactly so many"
                assert self.subject.decompress(small, size + 1) == data, "a bound of one more changes the result"
                self.fails(small, Code.TOO_LARGE, bound=size - 1)
                self.fails(small, Code.TOO_LARGE, bound=0)
        empty = self.subject.compress(b"")
        assert self.subject.decompress(empty, 0) == b"", "nothing does not fit into nothing"

    @case("CMP-020", needs=("speed",), timeout_s=120.0)
    def speed(self) -> None:
        """The default level compresses bodies of 2 KiB and of 256 KiB at least as fast as the harness declares, and
        decompresses them no slower.

        Broken by: a default level meant for archives.
        """
        for size in (2 * KIB, 256 * KIB):
            data = self.text(size)
            small = self.subject.compress(data)
            for what, call in (
                ("compresses", lambda data=data: self.subject.compress(data)),
                ("decompresses", lambda small=small, size=size: self.subject.decompress(small, size)),
            ):
                found = max(_rate(call, size) for _ in range(3))
                assert found >= self.harness.mb_per_s, f"it {what} {size // KIB} KiB at {found:.1f} MB per CPU second"


def _rate(call: object, size: int) -> float:
    rounds = max(2, (512 * KIB) // size)
    began = time.process_time()
    for _ in range(rounds):
        call()  # type: ignore[operator] # a function of the caller's
    return rounds * size / 1e6 / max(time.process_time() - began, 1e-9)
