"""One RabbitMQ, and one worker and one client of each library on it, for all tests of this folder."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.rabbitmq import RabbitMQ

from .sides import QUEUES, Client, Side, Site, Worker, bins

REQUIREMENTS = Path(__file__).parents[2] / "requirements/interop.txt"
START_S = 60.0


@dataclass(frozen=True)
class Pair:
    """A client of one library and the worker of the other one.

    Attributes:
        client: who calls.
        queue: the queue that the other library's worker consumes.
        worker: the side of that worker.
        back: the queue of the client's own side.
    """

    client: Client
    worker: Side

    @property
    def queue(self) -> str:
        return QUEUES[self.worker]

    @property
    def back(self) -> str:
        return QUEUES[self.client.side]


class Notes:
    """A file that tasks write lines to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def lines(self) -> list[dict[str, Any]]:
        text = self.path.read_text() if self.path.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def wait(self, count: int = 1, seconds: float = 30.0) -> list[dict[str, Any]]:
        until(lambda: len(self.lines()) >= count, seconds, f"{count} notes in {self.path.name}")
        return self.lines()


def until(condition: Callable[[], object], seconds: float = 30.0, what: str = "the condition") -> object:
    """Poll until the condition holds; what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitMQ]:
    server = RabbitMQ()
    server.start()
    yield server
    server.stop()


def add_vhost(rabbit: RabbitMQ, name: str) -> str:
    """Make a virtual host where nothing is declared; the URL of a broker there."""
    with contextlib.suppress(RuntimeError):
        rabbit.control("delete_vhost", name)
    rabbit.control("add_vhost", name)
    rabbit.control("set_permissions", "-p", name, rabbit.user, ".*", ".*", ".*")
    return rabbit.url.removesuffix("/") + name


@pytest.fixture(scope="session")
def site(rabbit: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Site:
    celery = provision.venv("interop", REQUIREMENTS)
    config = {
        "broker_url": rabbit.url,
        "result_backend": "rpc://",
        "task_queue_max_priority": 10,
        "accept_content": ["json"],
    }
    return Site(tmp_path_factory.mktemp("interop"), bins(celery), config)


@pytest.fixture(scope="session")
def workers(site: Site) -> Iterator[dict[Side, Worker]]:
    """A worker of each library, ready."""
    with ExitStack() as stack:
        both: dict[Side, Worker] = {}
        for side in QUEUES:
            both[side] = Worker(side, site)
            stack.callback(both[side].stop)
        yield both


@pytest.fixture(scope="session")
def clients(site: Site) -> Iterator[dict[Side, Client]]:
    with ExitStack() as stack:
        both: dict[Side, Client] = {}
        for side in QUEUES:
            both[side] = Client(side, site)
            stack.callback(both[side].stop)
        yield both


@pytest.fixture(params=["celery", "kernel"], ids=["celery-to-kernel", "kernel-to-celery"])
def pair(request: pytest.FixtureRequest, clients: dict[Side, Client], workers: dict[Side, Worker]) -> Iterator[Pair]:
    """Both directions; afterwards the worker must still live."""
    worker: Side = "kernel" if request.param == "celery" else "celery"
    yield Pair(clients[request.param], worker)
    assert workers[worker].running, workers[worker].log()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")
