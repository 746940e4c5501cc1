"""``make bench``: measure the embedded default beside Huey's SQLite storage and write ``benchmarks/report.md``."""

import argparse
import sys
from pathlib import Path

from benchmarks.embedded import measure
from benchmarks.report import write

SIDES = [("kernel", "kernel", True), ("huey", "huey", True), ("huey, fsync off", "huey", False)]
"""Column, side, and Huey's fsync: its default, and its fastest."""
REPORT = Path(__file__).with_name("report.md")


def main() -> None:
    """Parse the command line, measure, and write the report."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000, help="no-op tasks per row (default 20,000)")
    parser.add_argument("--calls", type=int, default=500, help="calls for the latency row (default 500)")
    parser.add_argument("--only", choices=["kernel", "huey"], help="measure one side only and print, write nothing")
    options = parser.parse_args()
    sides = {
        name: measure(side, options.tasks, options.calls, fsync=fsync)
        for name, side, fsync in SIDES
        if options.only in (None, side)
    }
    if options.only:
        for side, figures in sides.items():
            for name, value in figures.items():
                print(f"{side:16} {name:28} {value:,.2f}")
        return
    text = write(sides, options.tasks)
    REPORT.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
