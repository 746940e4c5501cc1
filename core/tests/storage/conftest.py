"""Both built-in pairs behind one set of fixtures; a clock that tests move by hand."""

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.builtins.memory.backend import MemoryBackend
from kernel.builtins.memory.broker import MemoryBroker
from kernel.builtins.sqlite.backend import SqliteBackend
from kernel.builtins.sqlite.broker import SqliteBroker
from kernel.contracts import Broker, Deadline, PluginContext, ResultBackend

FOLDER = str(Path(__file__).parent)
if FOLDER not in sys.path:  # makes storage_helpers importable, also in processes that tests start
    sys.path.insert(0, FOLDER)


class Clock:
    """Unix time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> str:
    return f"memory://{uuid.uuid4().hex}" if kind == "memory" else f"sqlite:///{tmp_path}/queue.db"


@pytest.fixture
def make_broker(kind: str, url: str) -> Iterator[Callable[..., Broker]]:
    """Makes opened brokers of one store: real time unless a clock is given."""
    made: list[Broker] = []

    def make(clock: Callable[[], float] | None = None, **options: object) -> Broker:
        factory = MemoryBroker if kind == "memory" else SqliteBroker
        broker = factory(url, options, PluginContext(clock=clock))
        broker.open(Deadline.after(5))
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.close(Deadline.after(5))


@pytest.fixture
def make_backend(kind: str, url: str) -> Iterator[Callable[..., ResultBackend]]:
    made: list[ResultBackend] = []

    def make(clock: Callable[[], float] | None = None) -> ResultBackend:
        factory = MemoryBackend if kind == "memory" else SqliteBackend
        backend = factory(url, {}, PluginContext(clock=clock))
        backend.open(Deadline.after(5))
        made.append(backend)
        return backend

    yield make
    for backend in made:
        backend.close(Deadline.after(5))
