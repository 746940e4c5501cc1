"""What run.py shows: a progress bar, or plain lines where there is no terminal, and the closing table."""

import os
import sys
import time
from collections.abc import Sequence


class Progress:
    """Shows how far `total` steps have come: a bar on a terminal, otherwise a line at every tenth."""

    WIDTH = 40

    def __init__(self, total: int) -> None:
        self._total = total
        self._live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = -1
        self._started = time.monotonic()

    def show(self, done: int) -> None:
        """`done` of the steps are finished."""
        if self._live:
            filled = self.WIDTH * done // max(1, self._total)
            bar = "#" * filled + "." * (self.WIDTH - filled)
            print(f"\r  [{bar}] {done}/{self._total} files, {self._seconds()}", end="", flush=True)
        elif done * 10 // max(1, self._total) > self._shown:
            self._shown = done * 10 // max(1, self._total)
            print(f"  {done}/{self._total} files, {self._seconds()}", flush=True)

    def say(self, text: str) -> None:
        """A line of its own, in the middle of it all."""
        print(f"\r{text:<78}" if self._live else text, flush=True)

    def close(self) -> None:
        """Leave the bar's line."""
        if self._live:
            print(flush=True)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._started:.1f} s"


def table(rows: Sequence[tuple[str, ...]], head: Sequence[str]) -> str:
    """Columns of text, the first to the left and all others to the right."""
    widths = [max(len(row[column]) for row in [*rows, tuple(head)]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "  " + "  ".join([cells[0].ljust(widths[0]), *rest]).rstrip()

    rule = "  " + "  ".join("-" * width for width in widths)
    return "\n".join([line(head), rule, *(line(row) for row in rows)])
