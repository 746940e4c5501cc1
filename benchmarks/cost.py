"""CPU per task, by process: where the time goes, on a machine that others use, too.

``python -m benchmarks.cost [sqlite|redis|rabbitmq ...]``. Rates move with everything else that runs; the CPU time a
process was given hardly does. For each broker: the client's for one ``delay()``, for one member of a group, then the
node's parent, its executors and the server for one task drained. Every figure is the least of so many rounds.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from benchmarks.process import ENVIRON, ROOT, run_python, wait_for, workers
from kernel_conformance.servers.rabbitmq import RabbitMQ
from kernel_conformance.servers.redis import DATABASES, RedisServer

WORKER = ("-m", "kernel", "-A", "benchmarks.kernel_side", "worker", "-c", "2", "-l", "WARNING")
TICKS = os.sysconf("SC_CLK_TCK")
WARM = 10
"""One of so many tasks is run before the count begins: imports and connections are no cost of a task."""

Urls = Callable[[str], Mapping[str, str]]
"""The environment that names broker and results, for a folder of one measurement."""
_numbers = count(1)


def main() -> None:
    """Measure what the command line asks for, and print one line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("brokers", nargs="*", metavar="BROKER", help=f"{', '.join(_BROKERS)} (default: all)")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    if unknown := set(options.brokers) - _BROKERS.keys():
        parser.error(f"unknown broker {', '.join(sorted(unknown))}; choose from {', '.join(_BROKERS)}")
    for broker in options.brokers or _BROKERS:
        with ExitStack() as stack:
            urls, servers = _BROKERS[broker](stack)
            best: dict[str, float] = {}
            for _ in range(options.rounds):
                for name, value in measure(urls, servers, options.tasks):
                    best[name] = min(value, best.get(name, value))
        for name, value in best.items():
            print(f"{broker:9} {name:34} {value:7.1f} µs", flush=True)


def measure(urls: Urls, servers: list[int], tasks: int) -> Iterator[tuple[str, float]]:
    """Every figure of one round: its name, and microseconds of CPU for one task."""
    with _site(urls) as environ:
        yield "client, delay()", _sent("for _ in range({n}): side.noop.delay()", tasks, environ)
        yield from _drained("noop", servers, tasks, environ)
    if environ["BENCH_BACKEND"] != "rpc://":  # replies need a client that stays
        with _site(urls) as environ:
            _sent("for _ in range({n}): side.answer.delay()", tasks, environ)
            yield from _drained("answer", servers, tasks, environ)
    with _site(urls) as environ:
        yield (
            "client, member of a group",
            _sent("group([side.noop.s() for _ in range({n})]).apply_async()", tasks, environ),
        )


@contextmanager
def _site(urls: Urls) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="kernel-cost-") as path:
        yield {**ENVIRON, **urls(path), "BENCH_COUNTER": f"{path}/counter", "PYTHONPATH": str(ROOT)}


def _sent(code: str, tasks: int, environ: Mapping[str, str]) -> float:
    warm = tasks // WARM
    return float(
        run_python(
            "import time\nfrom kernel import group\nimport benchmarks.kernel_side as side\n"
            f"{code.format(n=warm)}\nbegan = time.process_time()\n{code.format(n=tasks - warm)}\n"
            f"print((time.process_time() - began) / {tasks - warm} * 1e6)",
            environ,
        )
    )


def _drained(task: str, servers: list[int], tasks: int, environ: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """What was spent between the first tenth and the last task."""
    counter = Path(environ["BENCH_COUNTER"])
    with workers([WORKER], environ, counter.with_suffix(".log")) as [node]:
        wait_for(counter, tasks // WARM)
        before = _spent(node, servers)
        at, began = counter.stat().st_size, time.perf_counter()
        wait_for(counter, tasks)
        time.sleep(0.1)  # results and settlements of the last batch
        after, took = _spent(node, servers), time.perf_counter() - began - 0.1
    for name, value in after.items():
        yield f"{name}, {task}", (value - before[name]) / (tasks - at) * 1e6
    yield f"wall, {task}", took / (tasks - at) * 1e6


def _spent(node: int, servers: list[int]) -> dict[str, float]:
    """CPU seconds so far."""
    family = _descendants(node)
    found = {"parent": _cpu(node), "executors": sum(map(_cpu, family))}
    if servers:
        found["server"] = sum(map(_cpu, servers))
    return found


def _descendants(pid: int) -> list[int]:
    children = [
        int(child) for each in Path(f"/proc/{pid}/task").iterdir() for child in (each / "children").read_text().split()
    ]
    return [found for child in children for found in (child, *_descendants(child))]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _sqlite(_: ExitStack) -> tuple[Urls, list[int]]:
    def urls(path: str) -> Mapping[str, str]:
        url = f"sqlite:///{path}/bench.sqlite3"
        return {"BENCH_BROKER": url, "BENCH_BACKEND": url}

    return urls, []


def _redis(stack: ExitStack) -> tuple[Urls, list[int]]:
    server = RedisServer(password="", fsync="everysec")
    server.start()
    stack.callback(server.stop)

    def urls(_: str) -> Mapping[str, str]:
        base, number = server.url.removesuffix("/0"), next(_numbers) * 2 % DATABASES
        for used in (number, number + 1):
            server.ask("-n", str(used), "FLUSHDB")
        return {"BENCH_BROKER": f"{base}/{number}", "BENCH_BACKEND": f"{base}/{number + 1}"}

    return urls, [server.pid]


def _rabbitmq(stack: ExitStack) -> tuple[Urls, list[int]]:
    server = RabbitMQ()
    server.start()
    stack.callback(server.stop)

    def urls(_: str) -> Mapping[str, str]:
        name = f"cost-{next(_numbers)}"
        server.control("add_vhost", name)
        server.control("set_permissions", "-p", name, server.user, ".*", ".*", ".*")
        url = server.url.removesuffix("/") + name
        return {"BENCH_BROKER": url, "BENCH_BACKEND": "rpc://", "BENCH_UNCONFIRMED": "1"}

    return urls, [server.pid]


_BROKERS = {"sqlite": _sqlite, "redis": _redis, "rabbitmq": _rabbitmq}

if __name__ == "__main__":
    main()
