"""What a pool itself costs: no-op jobs per second and round trips, with an executor that does nothing.

Run with ``python -m benchmarks.bench_pools``. No broker, no codec, no result: the floor under every other figure.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Sequence

from kernel.builtins.pools.async_ import AsyncPool
from kernel.builtins.pools.prefork import PreforkPool
from kernel.builtins.pools.solo import SoloPool
from kernel.builtins.pools.threads import ThreadsPool
from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import Executor, Job, Loss, Pool, PoolListener, PoolOptions, Report, SoftLimiter

POOLS: tuple[type[Pool], ...] = (PreforkPool, ThreadsPool, AsyncPool, SoloPool)


class Nothing(Executor):
    """Runs and commits nothing."""

    def open(self) -> None: ...

    def run(self, job: Job, limiter: SoftLimiter | None) -> int:  # noqa: ARG002 - the contract's arguments
        return job.tag

    async def run_async(self, job: Job, limiter: SoftLimiter | None) -> int:  # noqa: ARG002 - as above
        return job.tag

    def commit(self, finished: Sequence[int]) -> list[Report]:
        return [Report(tag, SettleKind.ACK, "SUCCESS") for tag in finished]

    def close(self) -> None: ...


class Counter(PoolListener):
    """Counts reports and says when there is something new."""

    def __init__(self) -> None:
        self.count = 0
        self.news = threading.Event()

    def started(self, tag: int, pid: int, at: float) -> None: ...

    def reported(self, reports: Sequence[Report]) -> None:
        self.count += len(reports)
        self.news.set()

    def lost(self, losses: Sequence[Loss]) -> None:
        raise AssertionError(f"lost: {losses}")

    def room(self) -> None:
        self.news.set()


def drain(pool: Pool, counter: Counter, jobs: Sequence[Job]) -> float:
    """Push all jobs through; jobs per second."""
    began, at, target = time.perf_counter(), 0, counter.count + len(jobs)
    while counter.count < target:
        counter.news.clear()
        if at < len(jobs) and (room := pool.room()):
            pool.submit(jobs[at : at + room])
            at += room
        elif counter.count < target:
            counter.news.wait(1.0)
    return len(jobs) / (time.perf_counter() - began)


def latency(pool: Pool, counter: Counter, calls: int) -> list[float]:
    """Seconds from submit to report, one job at a time."""
    times = []
    for tag in range(calls):
        counter.news.clear()
        target, began = counter.count + 1, time.perf_counter()
        pool.submit([Job(tag, "noop", "id", b"{}")])
        while counter.count < target:
            counter.news.wait(1.0)
            counter.news.clear()
        times.append(time.perf_counter() - began)
    return times


def measure(kind: type[Pool], size: int, tasks: int) -> str:
    """One line of the table."""
    counter = Counter()
    pool = kind(PoolOptions(size=size), Nothing, counter)
    pool.prepare()
    pool.start()
    drain(pool, counter, [Job(tag, "noop", "id", b"{}") for tag in range(2000)])
    rate = drain(pool, counter, [Job(tag, "noop", "id", b'{"args": [1, 2]}') for tag in range(tasks)])
    times = sorted(latency(pool, counter, 1000))
    pool.stop()
    return f"{kind.name:8} {rate:10,.0f} {statistics.median(times) * 1e6:10,.0f} {times[989] * 1e6:10,.0f}"


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_pools", description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000, help="no-op jobs per pool (default 100,000)")
    parser.add_argument("--size", type=int, default=2, help="executors (default 2)")
    options = parser.parse_args()
    print("pool         jobs/s     p50 us     p99 us")
    for kind in POOLS:
        print(measure(kind, options.size, options.tasks))


if __name__ == "__main__":
    main()
