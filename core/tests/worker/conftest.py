"""Makes the fakes importable, also for subprocesses that are given this folder."""

import sys
from pathlib import Path

import pytest

FOLDER = str(Path(__file__).parent)
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)


@pytest.fixture
def site():
    """A node on the memory broker, started by the test; stopped at the end, and its store emptied."""
    from worker_fakes import Site

    made = Site()
    yield made
    made.close()
