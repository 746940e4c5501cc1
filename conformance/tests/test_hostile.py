"""What a hostile call may do: return, raise, crash, hang, eat memory; the suite sees which."""

import os
import signal
import time

from kernel.errors import DecodeError
from kernel_conformance.hostile import MEBIBYTE, try_hostile


def fail():
    raise DecodeError("bad")


def test_what_returns_or_raises_is_seen():
    assert try_hostile(lambda: [1, 2]).value == [1, 2]
    assert isinstance(try_hostile(fail).error, DecodeError)
    assert isinstance(try_hostile(lambda: 1 / 0).error, ZeroDivisionError)


def test_what_crashes_or_hangs_is_seen():
    assert try_hostile(lambda: os.kill(os.getpid(), signal.SIGSEGV)).died == "killed by SIGSEGV"
    assert try_hostile(lambda: os._exit(3)).died == "ended with exit code 3"
    assert try_hostile(lambda: time.sleep(60), seconds=0.2).died == "did not end within 0.2 s"


def test_memory_is_bounded_and_measured():
    assert isinstance(try_hostile(lambda: len(bytearray(512 * MEBIBYTE)), memory=64 * MEBIBYTE).error, MemoryError)
    grown = try_hostile(lambda: len(b"x" * (40 * MEBIBYTE))).grown
    assert 39 * MEBIBYTE <= grown <= 60 * MEBIBYTE


def test_memory_that_the_allocator_keeps_hides_nothing():
    large = [b"x" * (30 * MEBIBYTE)]  # freeing one teaches glibc to keep pieces of this size
    large.clear()
    large = [b"x" * (25 * MEBIBYTE) for _ in range(4)]
    held = b"y" * 200_000  # above them, so that they are not given back
    large.clear()
    assert 39 * MEBIBYTE <= try_hostile(lambda: len(b"x" * (40 * MEBIBYTE))).grown <= 60 * MEBIBYTE
    assert held
