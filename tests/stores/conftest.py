"""Every result backend there is, on a real server where it needs one."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel import Kernel
from kernel.runtime.plugins import discover
from kernel_conformance.harness import BackendHarness
from kernel_conformance.targets import harness_of

EMBEDDED = ("memory", "sqlite")
ADAPTERS = ("celery-backend",)
"""Of a class that somebody else wrote: they are as good as it is, and tested where they are."""
SERVED = sorted(
    entry.name.removeprefix("backend.")
    for entry in discover()
    if entry.kind == "backend" and entry.name.removeprefix("backend.") not in EMBEDDED + ADAPTERS
)
_numbers = itertools.count()


@dataclass(frozen=True)
class Store:
    """A result backend that can be reached.

    Attributes:
        name: of its plugin, without the kind.
        harness: knows the server; None for one without.
    """

    name: str
    harness: BackendHarness | None

    def settings(self, folder: Path) -> dict[str, Any]:
        """What an application with this backend is told; each has a namespace of its own."""
        number = next(_numbers)
        if self.harness is None:
            url = f"memory://store-{number}" if self.name == "memory" else f"sqlite:///{folder}/results-{number}.db"
            return {"backend": url}
        options = dict(self.harness.options)
        return {
            "backend": self.harness.current_url(),
            "namespace": f"stores{number}",
            "result_backend_transport_options": options,
        }


def started(name: str) -> Iterator[Store]:
    """The store of that name, with its server."""
    if name in EMBEDDED:
        yield Store(name, None)
        return
    harness = harness_of(f"backend.{name}")
    assert isinstance(harness, BackendHarness)
    try:
        harness.start()
        yield Store(name, harness)
    finally:
        harness.stop()


@pytest.fixture(scope="module", params=[*EMBEDDED, *SERVED])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from started(request.param)


@pytest.fixture(scope="module", params=SERVED)
def served(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Those with a server."""
    yield from started(request.param)


@pytest.fixture
def make(store: Store, tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Applications whose results are on the store."""
    made: list[Kernel] = []
    given = store.settings(tmp_path)

    def build(**settings: Any) -> Kernel:
        broker = f"memory://broker-{next(_numbers)}"
        app = Kernel("stores", broker=broker, set_as_current=False, **{**given, **settings})
        made.append(app)
        return app

    yield build
    for app in made:
        app.close()
