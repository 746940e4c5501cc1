"""Quorum queues with native delayed delivery (wire.md 6), shared by workers and clients of both libraries."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from kernel_conformance.servers.rabbitmq import RabbitMQ

from .conftest import Notes, Pair, add_vhost
from .sides import QUEUES, Client, Side, Site, Worker
from .test_declared import queue

VHOST = "quorum"


@pytest.fixture(scope="module", params=["celery-first", "kernel-first"])
def fleet(
    request: pytest.FixtureRequest, rabbit: RabbitMQ, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Side, Client]]:
    """Workers and clients of both; the first one declares everything, the second finds it declared."""
    order: list[Side] = ["celery", "kernel"] if request.param == "celery-first" else ["kernel", "celery"]
    url = add_vhost(rabbit, VHOST)
    queues = [queue(name, "jobs", "topic", name, {"x-queue-type": "quorum"}) for name in QUEUES.values()]
    settings = {"broker_url": url, "task_queues": queues, "task_queue_max_priority": None}
    own = Site(tmp_path_factory.mktemp("quorum"), site.bins, {**site.config, **settings})
    clients: dict[Side, Client] = {}
    with ExitStack() as stack:
        for side in order:
            stack.callback(Worker(side, own).stop)
            clients[side] = Client(side, own)
            stack.callback(clients[side].stop)
            assert clients[side].value(clients[side].send("shared.whoami", queue=QUEUES[side]), 60) == side
        yield clients


@pytest.fixture(params=["celery-to-kernel", "kernel-to-celery"])
def crossing(request: pytest.FixtureRequest, fleet: dict[Side, Client]) -> Pair:
    return Pair(fleet["celery"], "kernel") if request.param == "celery-to-kernel" else Pair(fleet["kernel"], "celery")


def test_a_call_over_a_quorum_queue(crossing: Pair) -> None:
    assert crossing.client.value(crossing.client.send("shared.whoami", queue=crossing.queue)) == crossing.worker


def test_a_countdown_is_waited_for(crossing: Pair, notes: Notes) -> None:
    """Celery's client leaves the waiting to the server's ladder, ours to the worker, which knows the time."""
    sent = time.time()
    crossing.client.send("shared.write", str(notes), "later", queue=crossing.queue, countdown=3)
    (line,) = notes.wait()
    assert line["side"] == crossing.worker
    assert line["at"] - sent >= 2


def test_a_retry_with_a_countdown(crossing: Pair) -> None:
    found = crossing.client.value(crossing.client.send("shared.flaky", 1, queue=crossing.queue))
    assert (found["retries"], found["side"]) == (1, crossing.worker)
