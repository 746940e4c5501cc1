"""The report as a page."""

import os
import platform
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version

HIGHER = {"enqueue/s", "drain/s", "drain with results/s", "drain, late ack/s"}
TARGETS = {"enqueue/s": "≥ 2 x", "drain/s": "≥ 3 x", "drain with results/s": "≥ 3 x", "client import ms": "≤ 60"}


def write(figures: dict[str, dict[str, float]], tasks: int) -> str:
    """A Markdown page with one row per figure: ours, the peer's, the ratio, the target."""
    ours, peer = figures["kernel"], figures["huey"]
    lines = [
        "# Embedded: SQLite broker and results beside Huey's SQLite storage",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}.",
        f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},",
        f"kernel {version('kernel')}, huey {version('huey')}.",
        f"{tasks:,} no-op tasks, two prefork executors each, counted by a file that every task writes one byte to.",
        "Absolute figures move with the machine; the ratio is what counts.",
        "",
        "| figure | kernel | huey | ratio | target |",
        "|---|---|---|---|---|",
    ]
    for name, value in ours.items():
        other = peer.get(name)
        ratio = "" if not other else f"{value / other:.2f} x"
        shown = "" if other is None else _shown(name, other)
        lines.append(f"| {name} | {_shown(name, value)} | {shown} | {ratio} | {TARGETS.get(name, '')} |")
    return "\n".join(lines) + "\n"


def _shown(name: str, value: float) -> str:
    return f"{value:,.0f}" if name in HIGHER else f"{value:,.2f}"
