"""Workflows: a chord and a chain with kernel and with Celery, on one Redis for messages and one for results.

A run of each before the clock starts, then the best of some. One more run is counted and not timed: the messages that
clients and workers publish, by the signal that both libraries send for each, and the commands that the server of the
results executes, those of its scripts among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.process import run_python, workers
from benchmarks.rabbitmq import CELERY
from benchmarks.redis import WORKERS, fresh
from kernel_conformance.servers.redis import RedisServer

MEMBERS, STEPS = 1000, 100
RUNS = 3
WAIT_S = 120


@dataclass(frozen=True, slots=True)
class Side:
    """A library.

    Attributes:
        module: its tasks.
        package: where its canvas is.
        commands: its workers.
        environ: what they need.
    """

    module: str
    package: str
    commands: tuple[tuple[str, ...], ...]
    environ: Mapping[str, str] = field(default_factory=dict)


SIDES = {
    "kernel": Side("benchmarks.kernel_side", "kernel", (WORKERS["kernel"],)),
    "Celery 2 x solo": Side(
        "benchmarks.celery_side",
        "celery",
        ((*CELERY, "-P", "solo", "-n", "one"), (*CELERY, "-P", "solo", "-n", "two")),
    ),
    "Celery prefork 2": Side(
        "benchmarks.celery_side", "celery", ((*CELERY, "-c", "2"),), environ={"BENCH_PREFETCH": "64"}
    ),
}


def measure(side: Side, broker: RedisServer, results: RedisServer) -> dict[str, float]:
    """Every figure of one side."""
    expressions = {
        f"chord of {MEMBERS:,}": f"chord([side.answer.s() for _ in range({MEMBERS})])(side.total.s())",
        f"chain of {STEPS:,}": f"chain(side.one_more.s(0), *[side.one_more.s() for _ in range({STEPS - 1})])()",
    }
    figures: dict[str, float] = {}
    with fresh(broker) as base:
        environ = {**base, **side.environ, "BENCH_BACKEND": results.url}
        with workers(side.commands, environ, _log(environ)):
            for name, expression in expressions.items():
                figures[f"{name}, s"] = _seconds(side, expression, environ)
        published = Path(environ["BENCH_COUNTER"]).with_suffix(".published")
        counting = {**environ, "BENCH_PUBLISHED": str(published)}
        with workers(side.commands, counting, _log(environ)):
            for name, expression in expressions.items():
                _once(side, expression, counting)
                messages, commands = published.stat().st_size, _commands(results)
                _once(side, expression, counting)
                figures[f"{name}, messages"] = published.stat().st_size - messages
                figures[f"{name}, result store commands"] = _commands(results) - commands - 1
    results.ask("FLUSHALL")
    return figures


def _seconds(side: Side, expression: str, environ: Mapping[str, str]) -> float:
    """From making an expression to its result in the hands of who asked; the least of some runs after one."""
    code = _imports(side) + (
        "def run():\n"
        f"    began = time.perf_counter()\n    {expression}.get(timeout={WAIT_S})\n"
        "    return time.perf_counter() - began\n"
        f"run()\nprint(min(run() for _ in range({RUNS})))"
    )
    return float(run_python(code, environ))


def _once(side: Side, expression: str, environ: Mapping[str, str]) -> None:
    run_python(_imports(side) + f"{expression}.get(timeout={WAIT_S})", environ)


def _imports(side: Side) -> str:
    return f"import time, {side.module} as side\nfrom {side.package} import chain, chord\n"


def _commands(server: RedisServer) -> int:
    """How many commands the server has executed."""
    lines = server.ask("INFO", "stats").splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("total_commands_processed:"))


def _log(environ: Mapping[str, str]) -> Path:
    return Path(environ["BENCH_COUNTER"]).with_suffix(".log")
