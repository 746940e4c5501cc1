"""Applications on the memory broker, and a clock that tests set."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel import Kernel
from kernel.contracts import Deadline
from kernel.engine.topology import queue_spec
from kernel.runtime.boot import build_services

NUMBERS = itertools.count()


class FakeClock:
    """A ``nowfun``."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **units: float) -> None:
        self.moment += timedelta(**units)


class Inbox:
    """What was sent, as a worker would see it."""

    def __init__(self, app: Kernel) -> None:
        self.services = build_services(app.config, "reader@test")
        self.consumer: Any = None

    def take(self, queue: str = "kernel") -> list[Any]:
        if self.consumer is None:
            spec = queue_spec(self.services.topology, queue)
            self.services.broker.declare([spec], Deadline.after(5))
            self.consumer = self.services.broker.consumer([queue], 0)
        return [delivery.message for delivery in self.consumer.receive(100, 0.01)]

    def close(self) -> None:
        if self.consumer is not None:
            self.consumer.close(True, Deadline.after(5))
        self.services.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_app(tmp_path, monkeypatch) -> Iterator[Callable[..., Kernel]]:
    """Applications whose stores are their own, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    made: list[Kernel] = []

    def make(**config: Any) -> Kernel:
        url = f"memory://beat-{next(NUMBERS)}"
        made.append(Kernel("proj", set_as_current=False, **{"broker": url, "backend": url, **config}))
        return made[-1]

    yield make
    for app in made:
        app.close()


@pytest.fixture
def inbox() -> Iterator[Callable[[Kernel], Inbox]]:
    made: list[Inbox] = []

    def make(app: Kernel) -> Inbox:
        made.append(Inbox(app))
        return made[-1]

    yield make
    for each in made:
        each.close()
