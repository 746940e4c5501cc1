"""Applications whose results come by message, over both built-in brokers, with a real worker each."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel import Kernel


@pytest.fixture(params=["memory", "sqlite"])
def broker_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"memory://{uuid.uuid4().hex}" if request.param == "memory" else f"sqlite:///{tmp_path}/queue.db"


@pytest.fixture
def make_app(broker_url: str) -> Iterator[Callable[..., Kernel]]:
    made: list[Kernel] = []

    def make(**settings: Any) -> Kernel:
        app = Kernel("proj", broker=broker_url, backend="rpc://", set_as_current=False, **settings)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app: Callable[..., Kernel]) -> Kernel:
    return make_app()
