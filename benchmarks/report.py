"""The report as a page."""

import os
import platform
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version

HIGHER = {"enqueue/s", "drain/s", "drain with results/s", "drain, late ack/s"}
TARGETS = {"enqueue/s": "≥ 2 x", "drain/s": "≥ 3 x", "drain with results/s": "≥ 3 x", "client import ms": "≤ 60"}


def write(sides: dict[str, dict[str, float]], tasks: int) -> str:
    """A Markdown page with one row per figure: ours, then each peer with the ratio, then the target."""
    ours = sides["kernel"]
    peers = {name: figures for name, figures in sides.items() if name != "kernel"}
    lines = [
        "# Embedded: SQLite broker and results beside Huey's SQLite storage",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}.",
        f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},",
        f"kernel {version('kernel')}, huey {version('huey')}.",
        f"{tasks:,} no-op tasks, two prefork executors each, counted by a file that every task writes one byte to.",
        "Absolute figures move with the machine; the ratio is what counts. Huey's default flushes every commit to the",
        "disk and so survives a power cut; with fsync off it survives a killed process, as kernel's default does.",
        "",
        "| figure | kernel | " + " | ".join(f"{name} | ratio" for name in peers) + " | target |",
        "|---|---|" + "---|---|" * len(peers) + "---|",
    ]
    for name, value in ours.items():
        cells = [_cells(name, value, figures.get(name)) for figures in peers.values()]
        lines.append(f"| {name} | {_shown(name, value)} | " + " | ".join(cells) + f" | {TARGETS.get(name, '')} |")
    return "\n".join(lines) + "\n"


def _cells(name: str, ours: float, other: float | None) -> str:
    return f"{_shown(name, other)} | {ours / other:.2f} x" if other else " | "


def _shown(name: str, value: float) -> str:
    return f"{value:,.0f}" if name in HIGHER else f"{value:,.2f}"
