"""Results on stores that both libraries share: either reads what a worker of the other wrote (wire.md 10, 11).

The client that sent a task and one of the other library that has only its id see the same: values, failures, states
of the task's own, extended fields, compressed results, groups and chords. Results by rpc:// go to the sender alone,
and are in the other modules.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kernel.runtime.plugins import discover
from kernel_conformance import provision
from kernel_conformance.harness import DriverHarness
from kernel_conformance.servers.rabbitmq import RabbitMQ
from kernel_conformance.targets import harness_of

from .conftest import REQUIREMENTS, add_vhost, until
from .sides import QUEUES, Client, Side, Site, Worker, bins

CELERY_URLS: Mapping[str, Callable[[str], str]] = {
    "memcached": lambda url: "cache+" + url,
    "mongo": lambda url: url,
    "redis": lambda url: url,
}
"""Store → its URL as Celery spells it."""
INSTALLED = sorted(name for name in CELERY_URLS if any(entry.name == f"backend.{name}" for entry in discover()))
SIDES: tuple[Side, Side] = ("celery", "kernel")


@dataclass(frozen=True)
class Shop(Site):
    """A site whose result backend each library spells in its own way."""

    backends: Mapping[Side, str]

    def environ(self, side: Side) -> dict[str, str]:
        config = json.dumps({**self.config, "result_backend": self.backends[side]})
        return {**super().environ(side), "INTEROP_CONFIG": config}


@dataclass(frozen=True)
class Store:
    """Both workers and both clients on one store.

    Attributes:
        name: of the store.
        sender: the library whose client calls.
        worker: the library whose worker runs it.
    """

    name: str
    clients: Mapping[Side, Client]
    sender: Side
    worker: Side

    @property
    def sends(self) -> Client:
        return self.clients[self.sender]

    @property
    def queue(self) -> str:
        return QUEUES[self.worker]

    def done(self, task_id: str) -> dict[str, Any]:
        """What is stored in the end: the same for both readers, but for what each makes of an exception."""
        until(lambda: self.clients["kernel"].ask("stored", task_id=task_id)["done"], what=f"the end of {task_id}")
        seen = [self.clients[side].ask("stored", task_id=task_id) for side in SIDES]
        for field in ("state", "traceback", "name", "retries", "queue", "worker", "exists"):
            assert seen[0][field] == seen[1][field], field
        return dict(seen[0])

    def signature(self, name: str, *args: Any, **options: Any) -> dict[str, Any]:
        """A call of the worker as a plain mapping."""
        return {
            "task": name,
            "args": list(args),
            "kwargs": {},
            "options": {"queue": self.queue, **options},
            "subtask_type": None,
            "immutable": False,
        }


@pytest.fixture(scope="module", params=INSTALLED)
def shop(
    request: pytest.FixtureRequest, rabbit: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[Side, Client]]]:
    """A worker and a client of each library on one store, with a virtual host of their own."""
    name = request.param
    harness = harness_of(f"backend.{name}")
    assert isinstance(harness, DriverHarness)
    folder = tmp_path_factory.mktemp(f"results-{name}")
    with ExitStack() as stack:
        stack.callback(harness.stop)
        harness.start()
        url = harness.current_url()
        config = {
            "broker_url": add_vhost(rabbit, f"results-{name}"),
            "accept_content": ["json"],
            "result_extended": True,
            "result_compression": "zlib",
        }
        backends: dict[Side, str] = {"kernel": url, "celery": CELERY_URLS[name](url)}
        site = Shop(folder, bins(provision.venv("interop", REQUIREMENTS)), config, backends)
        for side in SIDES:
            stack.callback(Worker(side, site).stop)
        clients: dict[Side, Client] = {}
        for side in SIDES:
            clients[side] = Client(side, site)
            stack.callback(clients[side].stop)
        yield name, clients


@pytest.fixture(params=[(one, other) for one in SIDES for other in SIDES], ids=lambda both: f"{both[0]}-to-{both[1]}")
def store(request: pytest.FixtureRequest, shop: tuple[str, dict[Side, Client]]) -> Store:
    return Store(*shop, *request.param)


@pytest.mark.parametrize("value", [None, 0, "", "Größe €", 2.5, [1, [None, {"a": []}]], {"k": "x" * 5000}])
def test_values(store: Store, value: Any) -> None:
    task_id = store.sends.send("shared.echo", value, queue=store.queue)
    for side in SIDES:
        assert store.clients[side].ask("wait", task_id=task_id) == {"args": [value], "kwargs": {}}
    seen = store.done(task_id)
    assert (seen["state"], seen["traceback"], seen["exists"]) == ("SUCCESS", None, True)


@pytest.mark.parametrize(
    ("kind", "name", "args"),
    [
        ("builtin", "ValueError", ["not this", 7]),
        ("shared", "Overdrawn", ["savings", 30]),
        ("stranger", "Stranger", ["a stranger", [1, 2]]),
    ],
)
def test_failures(store: Store, kind: str, name: str, args: list[Any]) -> None:
    task_id = store.sends.send("shared.fail", kind, queue=store.queue)
    seen = store.done(task_id)
    assert seen["state"] == "FAILURE"
    assert f"{name}" in seen["traceback"]
    for side in SIDES:
        error = store.clients[side].ask("stored", task_id=task_id)["result"]
        assert (error["type"], error["args"]) == (name, args)
        assert (error["builtin"], error["shared"]) == (kind == "builtin", kind == "shared")


def test_a_state_of_its_own(store: Store, tmp_path: Path) -> None:
    meta = {"percent": 40, "of": "Größe"}
    go_on = tmp_path / "go on"
    task_id = store.sends.send("shared.hold", "PROGRESS", meta, str(go_on), queue=store.queue)
    try:
        for side in SIDES:
            client = store.clients[side]
            until(lambda client=client: client.ask("stored", task_id=task_id)["state"] == "PROGRESS", what="PROGRESS")
            seen = client.ask("stored", task_id=task_id)
            assert (seen["result"], seen["done"]) == (meta, False)
    finally:
        go_on.touch()
    assert store.done(task_id)["state"] == "SUCCESS"


def test_extended_fields(store: Store) -> None:
    task_id = store.sends.send("shared.flaky", 1, queue=store.queue)
    seen = store.done(task_id)
    assert (seen["name"], seen["retries"], seen["queue"]) == ("shared.flaky", 1, store.queue)
    assert seen["worker"] == f"{store.worker}-worker@interop"
    for side in SIDES:
        mine = store.clients[side].ask("stored", task_id=task_id)
        assert (mine["args"], mine["kwargs"]) == ([1], {})


def test_giving_up(store: Store) -> None:
    task_id = store.sends.send("shared.give_up", queue=store.queue)
    assert store.done(task_id)["state"] == "FAILURE"
    for side in SIDES:
        error = store.clients[side].ask("stored", task_id=task_id)["result"]
        assert (error["type"], error["args"]) == ("Overdrawn", ["checking", 2])


def test_forgetting(store: Store) -> None:
    for side in SIDES:
        task_id = store.sends.send("shared.add", 1, 2, queue=store.queue)
        store.done(task_id)
        store.clients[side].ask("forget", task_id=task_id)
        for reader in SIDES:
            seen = store.clients[reader].ask("stored", task_id=task_id)
            assert (seen["state"], seen["exists"]) == ("PENDING", False)


def test_chords(store: Store) -> None:
    """The value of the body, and the ChordError when a member failed; every part runs on one worker.

    Beside Redis a worker of Celery joins only what a client of Celery sent: that one keeps the members' ids, or sends
    the task that looks at them.
    """
    if store.name != "redis" and (store.sender, store.worker) == ("kernel", "celery"):
        store = replace(store, sender="celery")
    members = [store.signature("shared.add", number, 10) for number in range(4)]
    task_id = store.sends.ask("chord", members=members, body=store.signature("shared.total"))
    for side in SIDES:
        assert store.clients[side].ask("wait", task_id=task_id) == 46
    broken = [*members[:2], store.signature("shared.fail", "builtin")]
    task_id = store.sends.ask("chord", members=broken, body=store.signature("shared.total"))
    assert store.done(task_id)["state"] == "FAILURE"
    for side in SIDES:
        error = store.clients[side].ask("stored", task_id=task_id)["result"]
        assert error["type"] == "ChordError"
        assert "ValueError" in error["args"][0]


def test_saved_groups(store: Store) -> None:
    members = [store.signature("shared.add", number, 10) for number in range(3)]
    group_id = store.sends.ask("save_group", members=members)
    for side in SIDES:
        assert store.clients[side].ask("restore_group", group_id=group_id) == [group_id, [10, 11, 12]]
    other: Side = "celery" if store.sender == "kernel" else "kernel"
    store.clients[other].ask("delete_group", group_id=group_id)
    for side in SIDES:
        assert store.clients[side].ask("restore_group", group_id=group_id) is None
