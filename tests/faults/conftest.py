"""A worker and a client over the suite's toy server, behind a proxy that spoils the connection on purpose."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel import Kernel
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.server import Server
from kernel_conformance.stalls import Stalls
from kernel_conformance.toy.server import PASSWORD

WAIT_S = 60.0

PLUGIN = """
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from kernel_conformance.toy.driver import ToyBroker

class Plugin:
    @hookimpl
    def kernel_manifest(self):
        return Manifest("broker.toy", contracts={"broker": "1.0", "hooks": "1.0"})

    @hookimpl
    def kernel_brokers(self):
        return {"toy": ToyBroker}

plugin = Plugin()
"""


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    """What the machine stands still during the test: it does not count where time is measured."""
    with Stalls() as made:
        yield made


@pytest.fixture
def toy_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution on the path that provides ``toy://``."""
    folder = tmp_path / "site"
    info = folder / "broker_toy-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "faults_toy_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broker-toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kernel.plugins]\nbroker.toy = faults_toy_plugin:plugin\n")
    monkeypatch.syspath_prepend(str(folder))
    yield
    sys.modules.pop("faults_toy_plugin", None)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(f"{sys.executable} -m kernel_conformance.toy.server {{port}} {{dir}}")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def proxy(server: Server) -> Iterator[ChaosProxy]:
    with ChaosProxy(server.address) as made:
        yield made


class Site:
    """An application that works through the proxy, and what its task ran for."""

    def __init__(self, address: tuple[str, int], **settings: Any) -> None:
        url = f"toy://:{PASSWORD}@{address[0]}:{address[1]}"
        self.app = Kernel("p", broker=url, plugins=["broker.toy"], set_as_current=False, **settings)
        self.ran: list[int] = []
        self._lock = threading.Lock()
        for late in (False, True):
            self.app.task(name="late" if late else "early", acks_late=late)(self._note)

    def _note(self, number: int, seconds: float = 0.0) -> None:
        time.sleep(seconds)
        with self._lock:
            self.ran.append(number)

    def send(self, number: int, seconds: float = 0.0) -> None:
        self.app.send_task("late" if number % 2 else "early", (number, seconds))

    def until(self, condition: Callable[[], Any], what: str, seconds: float = WAIT_S) -> float:
        """Wait for it; how many seconds that took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() < began + seconds, f"{what} did not come true within {seconds:g} s"
            time.sleep(0.005)
        return time.monotonic() - began

    def until_ran(self, count: int) -> None:
        """Every number below ``count`` ran, at least once."""
        self.until(lambda: set(range(count)) <= set(self.ran), f"all of {count} tasks")


@pytest.fixture
def make_site(toy_plugin: None) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(address: tuple[str, int], **settings: Any) -> Site:
        made.append(Site(address, **settings))
        return made[-1]

    yield make
    for site in made:
        site.app.close()
