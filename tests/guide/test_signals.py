"""The page about signals lists every signal with every argument, and nothing else."""

import re
from pathlib import Path

import kernel.signals

PAGE = (Path(__file__).parents[2] / "docs/signals.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", PAGE, re.MULTILINE)


def test_the_table_is_complete() -> None:
    listed = {name: set(re.findall(r"`(\w+)`", arguments)) for name, arguments in ROWS}
    signals = {name: getattr(kernel.signals, name) for name in kernel.signals.__all__ if name != "Signal"}
    assert listed == {name: set(signal.providing_args) for name, signal in signals.items()}
    assert len(ROWS) == len(listed)
