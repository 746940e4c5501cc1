"""Hostile input is tried in a child process, under limits on memory and time: it may crash without ending the suite."""

import contextlib
import ctypes
import faulthandler
import gc
import os
import pickle
import re
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEBIBYTE = 1024 * 1024
_CRASHED = 70


@dataclass(frozen=True, slots=True)
class Fate:
    """How a hostile call ended.

    Attributes:
        value: what it returned, when it returned something that can be pickled.
        error: what it raised, when that can be pickled; else a RuntimeError with its repr.
        died: how the process ended when it did not answer: ``"killed by SIGSEGV"``, ``"did not end within 5 s"``.
        seconds: how long the call took.
        grown: bytes of memory it needed at its peak, beyond what was there before.
    """

    value: Any = None
    error: BaseException | None = None
    died: str = ""
    seconds: float = 0.0
    grown: int = 0


def try_hostile(call: Callable[[], Any], *, seconds: float = 10.0, memory: int = 1024 * MEBIBYTE) -> Fate:
    """Make the call in a forked child process with at most ``memory`` bytes more than now and ``seconds`` of time."""
    reading, writing = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _be_child(call, writing, memory)
    os.close(writing)
    try:
        answer = _read(reading, started + seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    took = time.monotonic() - started
    if answer is None:
        return Fate(died=f"did not end within {seconds:g} s", seconds=took)
    if not answer:
        return Fate(died=_ended(status), seconds=took)
    fate: Fate = pickle.loads(answer)
    return fate


def _be_child(call: Callable[[], Any], writing: int, memory: int) -> None:
    """Never returns."""
    code = _CRASHED
    try:
        gc.disable()
        faulthandler.disable()  # a crash is an answer here
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + memory, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _give_back_freed_memory()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        before = _memory("VmRSS")
        started = time.monotonic()
        value, error = _outcome(call)
        took, grown = time.monotonic() - started, max(0, _memory("VmHWM") - before)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))  # the answer may need memory, too
        _write(writing, _packed(Fate(value, error, "", took, grown)))
        code = 0
    except BaseException:  # noqa: BLE001 - the child ends here, whatever happens
        traceback.print_exc()
    finally:
        os._exit(code)


def _give_back_freed_memory() -> None:
    """What the parent's allocator keeps for reuse counts as used already, and would hide what the call needs."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; other C libraries keep little
    if trim is not None:
        trim(0)


def _outcome(call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return call(), None
    except BaseException as error:  # noqa: BLE001 - that is the question
        return None, error


def _packed(fate: Fate) -> bytes:
    try:
        return pickle.dumps(fate)
    except Exception:  # noqa: BLE001 - a value or an error of any kind
        error = None if fate.error is None else RuntimeError(repr(fate.error)[:500])
        return pickle.dumps(Fate(None, error, "", fate.seconds, fate.grown))


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _read(handle: int, end: float) -> bytes | None:
    """Everything until the other side closes; None after the deadline."""
    found = bytearray()
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            return None
        data = os.read(handle, 65_536)
        if not data:
            return bytes(found)
        found += data


def _memory(name: str) -> int:
    """A figure of /proc/self/status, in bytes; 0 where there is none."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with exit code {os.WEXITSTATUS(status)}"
