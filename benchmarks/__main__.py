"""``make bench``: measure beside the peers, every section in one run of its own, and write ``benchmarks/report.md``."""

import argparse
import os
import sys
from pathlib import Path

from benchmarks import embedded, rabbitmq, redis, report, workflows

REPORT = Path(__file__).with_name("report.md")
SECTIONS = ("embedded", "rabbitmq", "redis", "workflows")
HUEY = (("huey", True), ("huey, fsync off", False))
"""Column, and Huey's fsync: its default, and its fastest."""


def main() -> None:
    """Parse the command line, measure, and write the report."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{' or '.join(SECTIONS)} (default: all)")
    parser.add_argument("--tasks", type=int, default=20_000, help="no-op tasks per row (default 20,000)")
    parser.add_argument("--calls", type=int, default=500, help="calls for the latency row (default 500)")
    parser.add_argument("--rounds", type=int, default=1, help="measure so often and keep the best (default once)")
    parser.add_argument("--only", help="measure the columns that start so and print, write nothing")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; choose from {', '.join(SECTIONS)}")
    for section in options.sections or SECTIONS:
        busy = os.getloadavg()[0]
        measure, text_of = _SECTIONS[section]
        sides: dict[str, dict[str, float]] = {}
        for _ in range(options.rounds):
            _keep_best(sides, measure(options.tasks, options.calls, options.only or ""))
        if options.only is not None:
            _print(sides)
            continue
        text = text_of(sides, options.tasks, busy)
        REPORT.write_text(report.replaced(REPORT.read_text() if REPORT.exists() else "", text))
        sys.stdout.write(text)


def _keep_best(best: dict[str, dict[str, float]], found: dict[str, dict[str, float]]) -> None:
    """What the machine could do when its other work left it alone: the most a second, the least time and memory."""
    for side, figures in found.items():
        known = best.setdefault(side, figures)
        for name, value in figures.items():
            known[name] = (max if name.endswith("/s") else min)(known[name], value)


def _embedded(tasks: int, calls: int, only: str) -> dict[str, dict[str, float]]:
    sides = {"kernel": embedded.measure("kernel", tasks, calls)} if "kernel".startswith(only) else {}
    for name, fsync in HUEY:
        if name.startswith(only):
            sides[name] = embedded.measure("huey", tasks, calls, fsync=fsync)
    return sides


def _rabbitmq(tasks: int, calls: int, only: str) -> dict[str, dict[str, float]]:
    sides: dict[str, dict[str, float]] = {}
    with rabbitmq.servers() as (rabbit, redis):
        for peer in rabbitmq.PEERS:
            if peer.name.startswith(only):
                print(f"rabbitmq: {peer.name}", file=sys.stderr, flush=True)
                sides[peer.name] = rabbitmq.measure(peer, rabbit, redis, tasks, calls)
    return sides


def _redis(tasks: int, calls: int, only: str) -> dict[str, dict[str, float]]:
    sides: dict[str, dict[str, float]] = {}
    with redis.server() as server:
        for side in redis.WORKERS:
            if side.startswith(only):
                sides[side] = redis.measure(side, server, tasks, calls)
        if "bare".startswith(only):
            sides["bare"] = redis.bare(server, tasks)
    return sides


def _workflows(tasks: int, calls: int, only: str) -> dict[str, dict[str, float]]:  # noqa: ARG001 - of their own size
    sides: dict[str, dict[str, float]] = {}
    with redis.server() as broker, redis.server() as results:
        for name, side in workflows.SIDES.items():
            if name.startswith(only):
                sides[name] = workflows.measure(side, broker, results)
    return sides


_SECTIONS = {
    "embedded": (_embedded, report.embedded),
    "rabbitmq": (_rabbitmq, report.rabbitmq),
    "redis": (_redis, report.redis),
    "workflows": (_workflows, report.workflows),
}


def _print(sides: dict[str, dict[str, float]]) -> None:
    for side, figures in sides.items():
        for name, value in figures.items():
            print(f"{side:20} {name:28} {value:,.2f}")


if __name__ == "__main__":
    main()
