"""Processes of a measurement: workers that are stopped again, clients that print one figure, memory of a tree."""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRON = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""Both sides may keep their bytecode, as an installed program does; without it every start compiles all sources."""


@contextmanager
def workers(commands: Sequence[Sequence[str]], environ: Mapping[str, str], log: Path) -> Iterator[list[int]]:
    """Run the worker programs of one side (words after ``python``); their process ids."""
    with ExitStack() as stack:
        yield [stack.enter_context(_worker(command, environ, log)) for command in commands]


@contextmanager
def _worker(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Iterator[int]:
    with log.open("ab") as out:
        worker = subprocess.Popen([sys.executable, *command], env=environ, cwd=ROOT, stdout=out, stderr=out)
    try:
        yield worker.pid
        if worker.poll() is not None:
            raise SystemExit(f"A worker ended by itself: {' '.join(command)}\n{log.read_text()}")
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait(5)


def drain_rate(counter: Path, tasks: int) -> float:
    """Tasks per second from the first percent to the last task, by the independent counter."""
    wait_for(counter, max(1, tasks // 100))
    began, at = time.perf_counter(), counter.stat().st_size
    wait_for(counter, tasks)
    return (tasks - at) / (time.perf_counter() - began)


def wait_for(counter: Path, size: int) -> None:
    """Until so many tasks have counted themselves."""
    deadline = time.monotonic() + 120
    while not counter.exists() or counter.stat().st_size < size:
        if time.monotonic() > deadline:
            raise SystemExit(f"{counter} did not reach {size}: {counter.stat().st_size if counter.exists() else None}")
        time.sleep(0.002)


def run_python(code: str, environ: Mapping[str, str]) -> str:
    """What a program printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"A client failed:\n{done.stderr}")
    return done.stdout


@contextmanager
def standing(code: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Run a program that prints one line, and keep its process until the end: its reply queue is there so long."""
    client = subprocess.Popen(
        [sys.executable, "-c", f"{code}\nimport sys\nsys.stdout.flush()\nsys.stdin.read()"],
        env=environ,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    with client.stdin, client.stdout:
        line = client.stdout.readline()
        if not line:
            raise SystemExit("A client failed; what it printed stands above.")
        yield line
        client.stdin.close()
        client.wait(30)


def latencies(times: Sequence[float]) -> dict[str, float]:
    """The cuts of round trips in milliseconds."""
    cuts = statistics.quantiles(sorted(times), n=100)
    return {"round trip p50 ms": cuts[49], "round trip p95 ms": cuts[94], "round trip p99 ms": cuts[98]}


def pss_mb(pids: Sequence[int]) -> float:
    """Proportional set size of processes and their descendants, in MB."""
    total, todo = 0, list(pids)
    while todo:
        each = todo.pop()
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        todo += [int(child) for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()]
    return total / 1024


def import_ms(module: str) -> float:
    """Median extra time of importing a client library, over an interpreter that imports nothing."""
    bare = statistics.median(_seconds("pass") for _ in range(9))
    full = statistics.median(_seconds(f"import {module}") for _ in range(9))
    return (full - bare) * 1000


def _seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRON)
    return time.perf_counter() - began
