"""Redis: kernel beside Huey, and beside a bare client that has no task queue at all, on one server.

A new database for every figure: no figure meets what another one left. The server flushes to disk once a second, for
everybody.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.process import ENVIRON, ROOT, drain_rate, latencies, pss_mb, run_python, workers
from kernel_conformance.servers.redis import DATABASES, RedisServer

BATCH = 10_000
MESSAGE = 900
"""Bytes of what the bare client pushes: about what a call of kernel or Celery is."""
WORKERS = {
    "kernel": ("-m", "kernel", "-A", "benchmarks.kernel_side", "worker", "-c", "2", "-l", "WARNING"),
    "huey": (
        *("-m", "huey.bin.huey_consumer", "benchmarks.huey_redis_side.huey"),
        *("-w", "2", "-k", "process", "-n", "-q", "-d", "0.001", "-m", "0.01"),
    ),
}
MODULES = {"kernel": "benchmarks.kernel_side", "huey": "benchmarks.huey_redis_side"}
CALLS = {"kernel": "side.{task}.delay()", "huey": "side.{task}()"}
GETS = {"kernel": "side.answer.delay().get(timeout=10)", "huey": "side.answer()(blocking=True, timeout=10)"}
_numbers = count(1)


@contextmanager
def server() -> Iterator[RedisServer]:
    """A Redis."""
    made = RedisServer(password="", fsync="everysec")
    made.start()
    try:
        yield made
    finally:
        made.stop()


def measure(side: str, redis: RedisServer, tasks: int, calls: int) -> dict[str, float]:
    """Every figure of one side."""
    figures: dict[str, float] = {}
    rows = [("drain/s", "noop"), ("drain with results/s", "answer")]
    if side == "kernel":
        rows.append(("drain, late ack/s", "late_noop"))
    for name, task in rows:
        with fresh(redis) as environ:
            enqueue = _enqueue(side, task, tasks, environ)
            figures.setdefault("enqueue/s", enqueue)
            figures[name] = _drain(side, tasks, environ)
    if side == "kernel":
        with fresh(redis) as environ:
            figures["enqueue in a group/s"] = _batch(environ)
    with fresh(redis) as environ:
        return figures | _latency(side, calls, environ)


def bare(redis: RedisServer, tasks: int) -> dict[str, float]:
    """What the client library does without any task queue."""
    code = (
        "import os, time, redis\nclient = redis.Redis.from_url(os.environ['BENCH_BROKER'])\n"
        f"message = 'x' * {MESSAGE}\nclient.lpush('bare', message)\nbegan = time.perf_counter()\n"
        f"for _ in range({tasks}):\n    client.lpush('bare', message)\n"
        f"print({tasks} / (time.perf_counter() - began))"
    )
    with fresh(redis) as environ:
        return {"enqueue/s": float(run_python(code, environ))}


@contextmanager
def fresh(redis: RedisServer) -> Iterator[dict[str, str]]:
    """Two databases and a counter nobody used."""
    base, number = redis.url.removesuffix("/0"), next(_numbers) * 2 % DATABASES
    with tempfile.TemporaryDirectory(prefix="kernel-bench-") as path:
        yield {
            **ENVIRON,
            "PYTHONPATH": str(ROOT),
            "BENCH_BROKER": f"{base}/{number}",
            "BENCH_BACKEND": f"{base}/{number + 1}",
            "BENCH_COUNTER": f"{path}/counter",
        }
    for used in (number, number + 1):
        redis.ask("-n", str(used), "FLUSHDB")


def _enqueue(side: str, task: str, tasks: int, environ: Mapping[str, str]) -> float:
    """Calls per second, one by one, after a warm-up of one call."""
    call = CALLS[side].format(task=task)
    code = (
        f"import time, {MODULES[side]} as side\n{call}\nbegan = time.perf_counter()\n"
        f"for _ in range({tasks - 1}):\n    {call}\nprint(({tasks} - 1) / (time.perf_counter() - began))"
    )
    return float(run_python(code, environ))


def _batch(environ: Mapping[str, str]) -> float:
    """Calls per second in one group, made and sent."""
    send = "group([side.noop.s() for _ in range({count})]).apply_async()"
    code = (
        f"import time, {MODULES['kernel']} as side\nfrom kernel import group\n{send.format(count=1)}\n"
        f"began = time.perf_counter()\n{send.format(count=BATCH)}\nprint({BATCH} / (time.perf_counter() - began))"
    )
    return float(run_python(code, environ))


def _drain(side: str, tasks: int, environ: Mapping[str, str]) -> float:
    counter = Path(environ["BENCH_COUNTER"])
    with workers([WORKERS[side]], environ, counter.with_suffix(".log")):
        return drain_rate(counter, tasks)


def _latency(side: str, calls: int, environ: Mapping[str, str]) -> dict[str, float]:
    get = GETS[side]
    code = (
        f"import time, {MODULES[side]} as side\n{get}\n"
        f"for _ in range({calls}):\n    began = time.perf_counter()\n    {get}\n"
        "    print((time.perf_counter() - began) * 1000)"
    )
    with workers([WORKERS[side]], environ, Path(environ["BENCH_COUNTER"]).with_suffix(".log")) as pids:
        times = [float(line) for line in run_python(code, environ).split()]
        return {**latencies(times), "worker memory MB (PSS)": pss_mb(pids)}
