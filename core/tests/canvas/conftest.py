"""Workers for workflows, on the memory and SQLite brokers, and how many random ones are tried."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel import Kernel
from kernel.testing import start_worker

FOLDER = str(Path(__file__).parent)
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)
NUMBERS = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many random workflows are compared; the option is known when this folder is named on the command line."""
    parser.addoption("--workflows", type=int, default=300, help="random workflows to compare (default: 300)")


@pytest.fixture(scope="session")
def workflows(request: pytest.FixtureRequest) -> int:
    """How many random workflows to compare."""
    count: int = request.config.getoption("--workflows", default=300)
    return count


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Applications on stores of their own, in memory or in a file."""
    made: list[Kernel] = []

    def make(store: str = "memory", **settings: Any) -> Kernel:
        number = next(NUMBERS)
        url = f"memory://canvas-{number}" if store == "memory" else f"sqlite:///{tmp_path}/canvas-{number}.sqlite3"
        given = {"broker": url, "backend": url, "set_as_current": False, **settings}
        app = Kernel("canvas", **given)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app: Callable[..., Kernel]) -> Kernel:
    return make_app()


@pytest.fixture
def working() -> Iterator[Callable[..., Any]]:
    """Start a worker for an application once its tasks are defined; stopped at the end."""
    started: list[Any] = []

    def start(app: Kernel, **options: Any) -> Any:
        worker = start_worker(app, **{"concurrency": 4, "loglevel": "CRITICAL", **options}).__enter__()
        started.append(worker)
        return worker

    yield start
    for worker in reversed(started):
        worker.__exit__(None, None, None)
