"""Workflows sent by either library, their tasks run half by one worker and half by the other, on one Redis."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.redis import RedisServer

from .conftest import REQUIREMENTS
from .sides import Client, Side, Site, Worker, bins
from .workflows import SIDES, Trees, WorkflowClient


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Side, Client]]:
    """Both clients, with a worker of each library."""
    server = RedisServer(fsync="everysec")
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        config = {"broker_url": server.url, "result_backend": server.url, "accept_content": ["json"]}
        site = Site(tmp_path_factory.mktemp("workflows"), bins(provision.venv("interop", REQUIREMENTS)), config)
        workers = [Worker(side, site) for side in SIDES]
        for worker in workers:
            stack.callback(worker.stop)
        made: dict[Side, Client] = {side: WorkflowClient(side, site) for side in SIDES}
        for client in made.values():
            stack.callback(client.stop)
        yield made
        assert all(worker.running for worker in workers), site.logs()


@pytest.mark.parametrize("first", SIDES)
@pytest.mark.parametrize("sender", SIDES)
@pytest.mark.parametrize("name", list(Trees("kernel").each()))
def test_values(clients: dict[Side, Client], sender: Side, first: Side, name: str) -> None:
    tree, value = Trees(first).each()[name]
    assert clients[sender].ask("workflow", tree=tree) == {"value": value}


@pytest.mark.parametrize("first", SIDES)
@pytest.mark.parametrize("sender", SIDES)
def test_failures(clients: dict[Side, Client], sender: Side, first: Side) -> None:
    trees = Trees(first)
    fails = [["chord", [trees.add(1, 1), trees.task("fail", "builtin")], trees.total()]]
    fails.append(["chain", trees.task("fail", "builtin"), trees.add(1), trees.add(2)])
    fails.append(["chord", [["chain", trees.task("fail", "builtin"), trees.add(1)], trees.add(1, 1)], trees.total()])
    for tree in fails:
        found = clients[sender].ask("workflow", tree=tree)
        assert found["error"] in {"ChordError", "ValueError"}, found
        assert "not this" in found["text"]
