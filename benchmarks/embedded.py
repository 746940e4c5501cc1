"""Enqueue, drain, drain with results, latency and memory of one side, each in processes of their own."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Both sides may keep their bytecode, as an installed program does; without it every start compiles all sources anew.
ENVIRON = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

WORKERS = {
    "kernel": ["-m", "kernel", "-A", "benchmarks.kernel_side", "worker", "-c", "2", "-l", "WARNING"],
    "huey": ["-m", "huey.bin.huey_consumer", "benchmarks.huey_side.huey", "-w", "2", "-k", "process", "-n", "-q",
             "-d", "0.001", "-m", "0.01"],
}  # fmt: skip


def measure(side: str, tasks: int, calls: int, *, fsync: bool = True) -> dict[str, float]:
    """Every figure of one side; ``fsync`` is Huey's option of that name."""
    figures: dict[str, float] = {}
    variant = {} if fsync else {"BENCH_NO_FSYNC": "1"}
    rows = [("drain/s", "noop"), ("drain with results/s", "answer")]
    if side == "kernel":
        rows.append(("drain, late ack/s", "late_noop"))
    for name, task in rows:
        with _site(variant) as environ:
            enqueue = _enqueue(side, task, tasks, environ)
            figures.setdefault("enqueue/s", enqueue)
            figures[name] = _drain(side, tasks, environ)
    with _site(variant) as environ:
        figures |= _latency(side, calls, environ)
    figures["client import ms"] = _import_ms(side)
    return figures


@contextmanager
def _site(variant: dict[str, str]) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="kernel-bench-") as path:
        yield {
            **ENVIRON,
            **variant,
            "BENCH_DB": f"{path}/bench.sqlite3",
            "BENCH_COUNTER": f"{path}/counter",
            "PYTHONPATH": str(ROOT),
        }


def _enqueue(side: str, task: str, tasks: int, environ: dict[str, str]) -> float:
    """Calls per second, one by one, after a warm-up of one call."""
    call = f"side.{task}.delay()" if side == "kernel" else f"side.{task}()"
    code = (
        f"import time, benchmarks.{side}_side as side\n{call}\nbegan = time.perf_counter()\n"
        f"for _ in range({tasks - 1}):\n    {call}\nprint(({tasks} - 1) / (time.perf_counter() - began))"
    )
    return float(_python(code, environ))


def _drain(side: str, tasks: int, environ: dict[str, str]) -> float:
    """Tasks per second from the first percent to the last task, by the independent counter."""
    counter = Path(environ["BENCH_COUNTER"])
    with _worker(side, environ):
        first = max(1, tasks // 100)
        _wait_for(counter, first)
        began, at = time.perf_counter(), counter.stat().st_size
        _wait_for(counter, tasks)
        return (tasks - at) / (time.perf_counter() - began)


def _wait_for(counter: Path, size: int) -> None:
    deadline = time.monotonic() + 300
    while not counter.exists() or counter.stat().st_size < size:
        if time.monotonic() > deadline:
            raise SystemExit(f"{counter} did not reach {size}")
        time.sleep(0.002)


def _latency(side: str, calls: int, environ: dict[str, str]) -> dict[str, float]:
    get = "side.answer.delay().get(timeout=10)" if side == "kernel" else "wait(side.answer())"
    code = (
        f"import json, time, benchmarks.{side}_side as side\n"
        "def wait(result):\n"
        "    while result.get(blocking=False) is None:\n        time.sleep(0.0005)\n"
        f"{get}\ntimes = []\n"
        f"for _ in range({calls}):\n"
        f"    began = time.perf_counter()\n    {get}\n    times.append((time.perf_counter() - began) * 1000)\n"
        "print(json.dumps(times))"
    )
    with _worker(side, environ) as pid:
        times = sorted(json.loads(_python(code, environ)))
        memory = _pss_mb(pid)
    cuts = statistics.quantiles(times, n=100)
    return {
        "round trip p50 ms": cuts[49],
        "round trip p95 ms": cuts[94],
        "round trip p99 ms": cuts[98],
        "worker memory MB (PSS)": memory,
    }


@contextmanager
def _worker(side: str, environ: dict[str, str]) -> Iterator[int]:
    log = Path(environ["BENCH_DB"]).with_suffix(".log")
    with log.open("wb") as out:
        worker = subprocess.Popen([sys.executable, *WORKERS[side]], env=environ, cwd=ROOT, stdout=out, stderr=out)
    try:
        yield worker.pid
        if worker.poll() is not None:
            raise SystemExit(f"The {side} worker ended by itself:\n{log.read_text()}")
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait(5)


def _pss_mb(pid: int) -> float:
    """Proportional set size of a process and its descendants, in MB."""
    total, todo = 0, [pid]
    while todo:
        each = todo.pop()
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        todo += [int(child) for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()]
    return total / 1024


def _import_ms(side: str) -> float:
    """Median extra time of importing the client library, over an interpreter that imports nothing."""
    bare = statistics.median(_seconds("pass") for _ in range(9))
    full = statistics.median(_seconds(f"import {side}") for _ in range(9))
    return (full - bare) * 1000


def _seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRON)
    return time.perf_counter() - began


def _python(code: str, environ: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout
