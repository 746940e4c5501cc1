"""Enqueue, drain, drain with results, latency and memory of one side, each in processes of their own."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.process import ENVIRON, ROOT, drain_rate, import_ms, latencies, pss_mb, run_python, workers

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
    figures["client import ms"] = import_ms(side)
    return figures


@contextmanager
def _site(variant: dict[str, str]) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="kernel-bench-") as path:
        yield {
            **ENVIRON,
            **variant,
            "BENCH_DB": f"{path}/bench.sqlite3",
            "BENCH_BROKER": f"sqlite:///{path}/bench.sqlite3",
            "BENCH_BACKEND": f"sqlite:///{path}/bench.sqlite3",
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
    return float(run_python(code, environ))


def _drain(side: str, tasks: int, environ: dict[str, str]) -> float:
    with _worker(side, environ):
        return drain_rate(Path(environ["BENCH_COUNTER"]), tasks)


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
    with _worker(side, environ) as pids:
        times = json.loads(run_python(code, environ))
        memory = pss_mb(pids)
    return {**latencies(times), "worker memory MB (PSS)": memory}


@contextmanager
def _worker(side: str, environ: dict[str, str]) -> Iterator[list[int]]:
    with workers([WORKERS[side]], environ, Path(environ["BENCH_DB"]).with_suffix(".log")) as pids:
        yield pids
