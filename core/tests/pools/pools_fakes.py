"""A small executor whose bodies are named by the job's payload, and a listener that remembers."""

import asyncio
import contextlib
import ctypes
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Executor, Job, Loss, PoolListener, Report, SoftLimiter
from kernel.contracts.soft_limit import SoftLimited
from kernel.errors import SoftTimeLimitExceeded


class Done:
    def __init__(self, tag: int, state: str, value: object, urgent: bool) -> None:
        self.tag, self.state, self.value, self.urgent = tag, state, value, urgent


def spin(seconds: float) -> float:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds


def nap(seconds: float) -> float:
    """Gives way often, as an interruptible body does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.002)
    return seconds


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def stubborn(seconds: float) -> object:
    try:
        time.sleep(seconds)
    except SoftTimeLimitExceeded:
        return "cleaned up"
    return seconds


def kill(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def hold() -> None:
    """Does not let go of the interpreter."""
    ctypes.PyDLL(None).sleep(60)


def once(path: str, payload: Any) -> object:
    """Kills its process the first time."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return body(payload)


def touch(path: str, payload: Any) -> object:
    Path(path).write_text(str(os.getpid()))
    return body(payload)


def meet(folder: str, count: int) -> int:
    """Ends when so many run at the same time."""
    Path(folder, uuid.uuid4().hex).touch()
    until(lambda: len(list(Path(folder).iterdir())) >= count, 60)
    return count


def wait_for(path: str) -> str:
    """Ends when the file is there."""
    until(Path(path).exists, 60)
    return path


def grow(mib: int) -> int:
    HELD.append(bytearray(mib << 20))
    return os.getpid()


def throw(error: Exception) -> None:
    raise error


def descriptors() -> dict[int, str]:
    return {int(path.name): os.fspath(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


HELD: list[bytearray] = []
BODIES: dict[object, Callable[..., object]] = {
    "sleep": sleep,
    "spin": spin,
    "nap": nap,
    "stubborn": stubborn,
    "kill": kill,
    "hold": hold,
    "once": once,
    "touch": touch,
    "pid": os.getpid,
    "grow": grow,
    "meet": meet,
    "wait_for": wait_for,
    "raise": throw,
    "fds": descriptors,
    "thread": lambda: threading.current_thread().name,
}


def body(payload: Any) -> object:
    run = BODIES.get(payload[0]) if payload else None
    return payload if run is None else run(*payload[1:])


async def async_body(payload: Any) -> object:
    match payload:
        case ("asleep", seconds):
            await asyncio.sleep(seconds)
            return seconds
        case ("awake", *payload):
            return body(tuple(payload))  # blocks the loop
        case ("adefiant", times):
            for _ in range(times):
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)
            return times
    return body(payload)


class FakeExecutor(Executor):
    """Reports a body's value in ``detail``; payload ``("break", what)`` breaks the contract of run or commit."""

    def __init__(self, trace: str = "", urgent: bool = False) -> None:
        self.trace, self.urgent = trace, urgent
        self.commits = 0

    def note(self, what: str) -> None:
        if self.trace:
            with Path(self.trace).open("a") as file:
                file.write(f"{what} {os.getpid()}\n")

    def open(self) -> None:
        self.note("open")

    def run(self, job: Job, limiter: SoftLimiter | None) -> Done:
        if job.payload == ("break", "run"):
            raise RuntimeError("broken run")
        try:
            if job.payload and job.payload[0].startswith("a"):
                return self.done(job, self._drive(job, limiter))
            if job.soft_limit is None or limiter is None:
                return self.done(job, body(job.payload))
            with limiter.arm(job.soft_limit):
                return self.done(job, body(job.payload))
        except Exception as error:
            return Done(job.tag, "FAILURE", error, self.urgent)

    async def run_async(self, job: Job, limiter: SoftLimiter | None) -> Done:
        if job.payload == ("break", "run"):
            raise RuntimeError("broken run")
        if job.payload and job.payload[0] == "plain":
            plain = Job(job.tag, job.task, job.id, job.payload[1:], job.soft_limit)
            return await asyncio.to_thread(self.run, plain, limiter)
        try:
            return self.done(job, await self._limited(job))
        except Exception as error:
            return Done(job.tag, "FAILURE", error, self.urgent)

    def _drive(self, job: Job, limiter: SoftLimiter | None) -> object:
        if job.soft_limit is None or limiter is None:
            return asyncio.run(async_body(job.payload))
        limited = SoftLimited(async_body(job.payload), job.soft_limit, timer=False)

        async def awaited() -> object:
            return await limited

        with limiter.arm(job.soft_limit, limited.expire):
            return asyncio.run(awaited())

    async def _limited(self, job: Job) -> object:
        coroutine = async_body(job.payload)
        return await (coroutine if job.soft_limit is None else SoftLimited(coroutine, job.soft_limit))

    def done(self, job: Job, value: object) -> Done:
        return Done(job.tag, "SUCCESS", value, self.urgent or job.payload[:1] == ("lag",))

    def commit(self, finished: Sequence[Done]) -> list[Report]:
        self.commits += 1
        for each in finished:
            if isinstance(each.value, tuple) and each.value[:1] == ("lag",):
                wait_for(each.value[1])
        if any(each.value == ("break", "commit") for each in finished):
            raise OSError("the disk is full")
        if any(each.value == ("break", "length") for each in finished):
            return []
        return [
            Report(each.tag, SettleKind.ACK, each.state, detail={"value": each.value, "group": len(finished)})
            for each in finished
        ]

    def close(self) -> None:
        self.note("close")


class Trivial(Executor):
    """The cheapest executor, for speed."""

    def open(self) -> None: ...

    def run(self, job: Job, limiter: SoftLimiter | None) -> int:
        return job.tag

    async def run_async(self, job: Job, limiter: SoftLimiter | None) -> int:
        return job.tag

    def commit(self, finished: Sequence[int]) -> list[Report]:
        return [Report(tag, SettleKind.ACK, "SUCCESS") for tag in finished]

    def close(self) -> None: ...


class Factory:
    """Picklable."""

    def __init__(self, trace: str = "", urgent: bool = False) -> None:
        self.trace, self.urgent = trace, urgent

    def __call__(self) -> FakeExecutor:
        return FakeExecutor(self.trace, self.urgent)


class FailingFactory:
    """Raises, dies or hangs when an executor is built."""

    def __init__(self, exitcode: int | None = None, hangs: bool = False) -> None:
        self.exitcode, self.hangs = exitcode, hangs

    def __call__(self) -> FakeExecutor:
        if self.hangs:
            time.sleep(600)
        if self.exitcode is not None:
            os._exit(self.exitcode)
        raise ImportError("No module named 'missing'")


class Ear(PoolListener):
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.starts: dict[int, tuple[int, float]] = {}
        self.reports: dict[int, Report] = {}
        self.losses: dict[int, Loss] = {}
        self.rooms = 0

    def started(self, tag: int, pid: int, at: float) -> None:
        with self.changed:
            self.starts[tag] = (pid, at)
            self.changed.notify_all()

    def reported(self, reports: Sequence[Report]) -> None:
        with self.changed:
            for report in reports:
                assert report.tag not in self.reports, "reported twice"
                self.reports[report.tag] = report
            self.changed.notify_all()

    def lost(self, losses: Sequence[Loss]) -> None:
        with self.changed:
            for loss in losses:
                assert loss.tag not in self.losses, "lost twice"
                self.losses[loss.tag] = loss
            self.changed.notify_all()

    def room(self) -> None:
        with self.changed:
            self.rooms += 1
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool], timeout: float = 20.0) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout), (len(self.reports), self.losses, self.starts)

    def wait_for_tags(self, *tags: int) -> None:
        self.wait(lambda: set(tags) <= set(self.reports) | set(self.losses))

    def value(self, tag: int) -> Any:
        return self.reports[tag].detail["value"]


def job(tag: int, *payload: object, task: str = "t", soft: float | None = None, hard: float | None = None) -> Job:
    return Job(tag, task, f"id-{tag}", payload, soft, hard)


def until(condition: Callable[[], object], timeout: float = 20.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "not within the deadline"
        time.sleep(0.005)
