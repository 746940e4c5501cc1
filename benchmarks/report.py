"""The report as a page: one section per broker, each with a table of ratios."""

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

Sides = Mapping[str, Mapping[str, float]]

TITLE = "# Measurements beside peers"
EMBEDDED_TARGETS = {
    "enqueue/s": "≥ 2 x", "drain/s": "≥ 3 x", "drain with results/s": "≥ 3 x", "client import ms": "≤ 60",
}  # fmt: skip
RABBITMQ_TARGETS = {
    "enqueue/s": "≥ 1.2 x Dramatiq", "drain/s": "≥ 3 x Dramatiq", "drain with results/s": "≥ 3 x Dramatiq",
    "enqueue in a group/s": "≥ 40,000", "drain, late ack/s": "≥ 0.9 of early ack",
    "round trip p99 ms": "≤ the best peer", "worker memory MB (PSS)": "≤ Dramatiq",
}  # fmt: skip

REDIS_TARGETS = {
    "enqueue/s": "≥ 0.9 x bare", "drain/s": "≥ 3 x Huey", "drain with results/s": "≥ 2.5 x Huey",
    "enqueue in a group/s": "≥ 40,000", "drain, late ack/s": "≥ 0.9 of early ack",
}  # fmt: skip


def embedded(sides: Sides, tasks: int, busy: float) -> str:
    """The section of the embedded default."""
    return _section(
        "## Embedded: SQLite broker and results beside Huey's SQLite storage",
        [
            f"{_machine(busy)}, SQLite {sqlite3.sqlite_version},",
            f"kernel {version('kernel')}, huey {version('huey')}.",
            f"{tasks:,} no-op tasks, two prefork executors each, counted by a file that every task writes one byte to.",
            "Absolute figures move with the machine; the ratio is what counts. Huey's default flushes every commit to",
            "the disk and so survives a power cut; with fsync off it survives a killed process, as kernel's default.",
        ],
        sides,
        EMBEDDED_TARGETS,
    )


def rabbitmq(sides: Sides, tasks: int, busy: float) -> str:
    """The section of RabbitMQ."""
    peers = ", ".join(f"{name} {version(name)}" for name in ("kernel", "dramatiq", "celery", "kombu", "pika"))
    return _section(
        "## RabbitMQ: beside Dramatiq and Celery",
        [
            f"{_machine(busy)},",
            f"{peers}.",
            f"{tasks:,} no-op tasks, counted by a file that every task writes one byte to; persistent messages; every",
            "peer at its best configuration for two cores, kernel with two prefork executors. `enqueue` is one call",
            "after the other without waiting for the server's confirmation, as the peers do by default;",
            "`enqueue, confirmed` waits for each, as kernel does by default. A group is confirmed with kernel,",
            "and not with the peers. Results travel by message (`rpc://`); Dramatiq, which has none by message,",
            "keeps them in Redis. The server runs on the same two cores.",
            "Absolute figures move with the machine; the ratio is what counts.",
        ],
        sides,
        RABBITMQ_TARGETS,
    )


def redis(sides: Sides, tasks: int, busy: float) -> str:
    """The section of Redis."""
    return _section(
        "## Redis: broker and results beside Huey",
        [
            f"{_machine(busy)},",
            f"kernel {version('kernel')}, huey {version('huey')}, redis-py {version('redis')}.",
            f"{tasks:,} no-op tasks, two prefork executors each, counted by a file that every task writes one byte to.",
            "`bare` pushes messages of the same size one by one with redis-py and has no task queue. The server",
            "flushes to disk once a second and runs on the same two cores. Absolute figures move with the machine; the",
            "ratio is what counts.",
        ],
        sides,
        REDIS_TARGETS,
    )


def workflows(sides: Sides, tasks: int, busy: float) -> str:  # noqa: ARG001 - they have sizes of their own
    """The section of workflows."""
    return _section(
        "## Workflows: beside Celery on Redis",
        [
            f"{_machine(busy)},",
            f"kernel {version('kernel')}, celery {version('celery')}, redis-py {version('redis')}.",
            "From making the expression to its value with who asked, the best of three runs; members and steps return",
            "a number, and the body adds them up. Two executors each. Messages are what clients and workers publish;",
            "commands are counted by the server that has the results, one by one, also in scripts and transactions.",
            "Absolute figures move with the machine; the ratio is what counts.",
        ],
        sides,
        {},
    )


def replaced(page: str, section: str) -> str:
    """The page with this section in place of the one with the same title; new sections come last."""
    title = section.partition("\n")[0]
    sections = [f"## {part}".rstrip() + "\n" for part in page.split("\n## ")[1:]]
    titles = [part.partition("\n")[0] for part in sections]
    if title in titles:
        sections[titles.index(title)] = section
    else:
        sections.append(section)
    return "\n".join([f"{TITLE}\n\nWritten by `make bench`; do not edit it by hand.\n", *sections])


def _machine(busy: float) -> str:
    """Where and when; ``busy`` is the load average before the measurement, above 1 a sign of noise."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores (load {busy:.1f} before), Python"
        f" {platform.python_version()}"
    )


def _section(title: str, prose: Sequence[str], sides: Sides, targets: Mapping[str, str]) -> str:
    """One row per figure: ours, then each peer with the ratio, then the target."""
    ours = sides["kernel"]
    peers = {name: figures for name, figures in sides.items() if name != "kernel"}
    lines = [
        title,
        "",
        *prose,
        "",
        "| figure | kernel | " + " | ".join(f"{name} | ratio" for name in peers) + " | target |",
        "|---|---|" + "---|---|" * len(peers) + "---|",
    ]
    for name, value in ours.items():
        cells = [_cells(name, value, figures.get(name)) for figures in peers.values()]
        lines.append(f"| {name} | {_shown(name, value)} | " + " | ".join(cells) + f" | {targets.get(name, '')} |")
    return "\n".join(lines) + "\n"


def _cells(name: str, ours: float, other: float | None) -> str:
    return f"{_shown(name, other)} | {ours / other:.2f} x" if other else " | "


def _shown(name: str, value: float) -> str:
    return f"{value:,.0f}" if name.endswith(("/s", "messages", "commands")) else f"{value:,.2f}"
