"""Workflows sent by either library over RabbitMQ, their tasks run half by one worker and half by the other.

Results are on Redis, where both count the members of chords. Chains and groups whose results come back by message are
in ``test_canvas``. Workflows run all at the same time, since what differs from Redis alone is on the way.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.rabbitmq import RabbitMQ
from kernel_conformance.servers.redis import RedisServer

from .conftest import REQUIREMENTS, Notes, add_vhost
from .sides import QUEUES, Client, Side, Site, Worker, bins
from .workflows import SIDES, Trees, WorkflowClient

BOTH = "of-both"
"""A queue that both workers consume."""


@pytest.fixture(scope="module")
def clients(rabbit: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Side, Client]]:
    """Both clients, with a worker of each library."""
    server = RedisServer(fsync="everysec")
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        url = add_vhost(rabbit, "workflows")
        config = {"broker_url": url, "result_backend": server.url, "accept_content": ["json"]}
        site = Site(tmp_path_factory.mktemp("workflows"), bins(provision.venv("interop", REQUIREMENTS)), config)
        workers = [Worker(side, site, queues=[QUEUES[side], BOTH]) for side in SIDES]
        for worker in workers:
            stack.callback(worker.stop)
        made: dict[Side, Client] = {side: WorkflowClient(side, site) for side in SIDES}
        for client in made.values():
            stack.callback(client.stop)
        for queue in (*QUEUES.values(), BOTH):
            made["celery"].ask("declare", queue=queue)
        for side, queue in QUEUES.items():  # both workers consume
            assert made["celery"].value(made["celery"].send("shared.whoami", queue=queue), 60) == side
        yield made
        assert all(worker.running for worker in workers), site.logs()


@pytest.mark.parametrize("first", SIDES)
@pytest.mark.parametrize("sender", SIDES)
def test_values(clients: dict[Side, Client], sender: Side, first: Side) -> None:
    trees = {**Trees(first).each(), **Trees(first).more()}
    found = clients[sender].ask("workflows", 120, trees=[tree for tree, _ in trees.values()])
    assert dict(zip(trees, found, strict=True)) == {name: {"value": value} for name, (_, value) in trees.items()}


@pytest.mark.parametrize("first", SIDES)
@pytest.mark.parametrize("sender", SIDES)
def test_failures(clients: dict[Side, Client], sender: Side, first: Side, notes: Notes) -> None:
    """Whoever waits is told why, and the error callback of each is called once, on either side."""
    trees = Trees(first).failures()
    for number, queue in enumerate(QUEUES.values(), start=1):
        told = ["task", "shared.failed", queue, [str(notes)]]
        found = clients[sender].ask("workflows", 120, trees=list(trees.values()), told=told)
        for one in found:
            assert one["error"] in {"ChordError", "ValueError"}, found
            assert "not this" in one["text"], found
        notes.wait(number * len(trees))
    fence = [["task", "shared.add", queue, [1, 1]] for queue in QUEUES.values()]
    assert clients[sender].ask("workflows", trees=fence) == [{"value": 2}] * 2
    failed = [line["failed"] for line in notes.lines()]
    assert len(failed) == 2 * len(trees), notes.lines()
    assert len(set(failed)) == len(failed), notes.lines()


@pytest.mark.parametrize("sender", SIDES)
def test_members_that_either_worker_may_take(clients: dict[Side, Client], sender: Side, tmp_path: Path) -> None:
    """A mixed fleet on one queue: both take members, and each body runs once."""
    notes = Notes(tmp_path / "bodies")
    visits = [["task", "shared.visit", BOTH, [[number]]] for number in range(40)]
    ends = ["task", "shared.write_trail", BOTH, [str(notes)]]
    chords = [["chain", ["chord", visits, ["task", "shared.same", BOTH, []]], ends] for _ in range(5)]
    assert clients[sender].ask("workflows", 120, trees=chords) == [{"value": None}] * 5
    lines = notes.lines()
    assert len(lines) == 5
    for line in lines:
        assert [number for number, _ in line["trail"]] == list(range(40))
    assert {side for line in lines for _, side in line["trail"]} == set(SIDES)
