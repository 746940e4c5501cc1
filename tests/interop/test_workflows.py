"""Workflows sent by either library, their tasks run half by one worker and half by the other, on one Redis."""

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.redis import RedisServer

from .conftest import REQUIREMENTS
from .sides import PROGRAMS, QUEUES, Client, Side, Site, Worker, bins

SIDES: tuple[Side, Side] = ("celery", "kernel")


class WorkflowClient(Client):
    """A client that knows workflows."""

    def __init__(self, side: Side, site: Site) -> None:
        self.side = side
        self._site = site
        words = ["python", str(PROGRAMS / "client_with_workflows.py")]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = site.start(side, f"{side}-client", words, **streams)
        self._pending = b""


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


class Trees:
    """Expressions whose tasks go to one worker and the other in turn, beginning with either."""

    def __init__(self, first: Side) -> None:
        self._queues = itertools.cycle([QUEUES[first], QUEUES["kernel" if first == "celery" else "celery"]])

    def task(self, name: str, *args: Any) -> list[Any]:
        return ["task", f"shared.{name}", next(self._queues), args]

    def add(self, *args: Any) -> list[Any]:
        return self.task("add", *args)

    def total(self) -> list[Any]:
        return self.task("total")

    def same(self) -> list[Any]:
        return self.task("same")

    def each(self) -> dict[str, tuple[list[Any], Any]]:
        """Expressions and their values."""
        add, total, same = self.add, self.total, self.same
        fan = ["group", add(1), ["chain", add(2), add(3)]]
        return {
            "chain": (["chain", add(1, 1), add(2), add(3), add(4)], 11),
            "group": (["group", add(1, 1), add(2, 2), ["chain", add(3, 3), add(1)]], [2, 4, 7]),
            "chord": (["chord", [add(n, n) for n in range(6)], total()], 30),
            "chord-of-one": (["chord", [add(1, 1)], same()], [2]),
            "chord-of-none": (["chord", [], same()], []),
            "chain-group-task": (["chain", add(1, 1), fan, total(), add(5)], 15),
            "group-group": (["chain", ["group", add(1, 1), add(2, 2)], ["group", total(), total()]], [6, 6]),
            "group-group-task": (
                ["chain", ["group", add(1, 1), add(2, 2)], ["group", total(), total()], total()],
                12,
            ),
            "group-at-the-end-of-a-member": (
                ["chord", [["chain", add(1, 1), ["group", add(1), add(2)]], add(2, 2)], same()],
                [[3, 4], 4],
            ),
            "chord-in-a-header": (["chord", [["chord", [add(1, 1), add(2, 2)], total()], add(2, 2)], total()], 10),
            "chord-as-a-body": (["chord", [add(1, 1), add(2, 2)], ["chord", [total(), total()], total()]], 12),
        }


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
