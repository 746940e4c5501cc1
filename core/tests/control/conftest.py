"""A fleet over each embedded store; makes the helpers importable."""

import sys
from pathlib import Path

import pytest

FOLDER = str(Path(__file__).parent)
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)


@pytest.fixture(params=["memory", "sqlite"])
def fleet(request, tmp_path):
    names = {
        "memory": (f"memory://{tmp_path.name}-b", f"memory://{tmp_path.name}-r"),
        "sqlite": (f"sqlite:///{tmp_path}/k.db", f"sqlite:///{tmp_path}/k.db"),
    }
    from control_fleet import Fleet

    made = Fleet(*names[request.param])
    yield made
    made.close()
