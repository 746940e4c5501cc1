"""What the two libraries declare on RabbitMQ, each alone on a virtual host of its own (wire.md 5.1 to 5.3)."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest

from kernel_conformance.servers.rabbitmq import RabbitMQ

from .conftest import add_vhost
from .sides import QUEUES, Client, Side, Site, Worker

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OF_CONTROL_AND_EVENTS = re.compile(r".*pidbox|celeryev.*")
"""What is declared for remote control, which has a test of its own, and for gossip, which the kernel does not have."""
ELSEWHERE = re.compile(OF_CONTROL_AND_EVENTS.pattern + "|celery_delayed_.*")
"""These and the delay ladder, which has a test of its own."""
OWN = {"celery.quarantine"}
"""What the kernel declares and Celery does not."""


@dataclass(frozen=True)
class Objects:
    """What stands on a virtual host: queues and exchanges by name, and bindings as (source, key, queue)."""

    queues: dict[str, dict[str, Any]]
    exchanges: dict[str, dict[str, Any]]
    bindings: set[tuple[str, str, str]]


def queue(
    name: str, exchange: str, kind: str, key: str, arguments: Mapping[str, object] = MappingProxyType({})
) -> dict[str, object]:
    """An entry of ``task_queues`` (ours as it is, Celery's is made a Queue of it)."""
    return {
        "name": name,
        "exchange": exchange,
        "exchange_type": kind,
        "routing_key": key,
        "queue_arguments": dict(arguments),
    }


def listed(rabbit: RabbitMQ, vhost: str, kind: str, *columns: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(rabbit.control(kind, "--formatter", "json", "-p", vhost, *columns))
    return rows


def plain(name: str) -> str:
    return UUID.sub("UUID", name)


def objects(rabbit: RabbitMQ, vhost: str) -> Objects:
    queues = listed(rabbit, vhost, "list_queues", "name", "durable", "auto_delete", "arguments")
    exchanges = listed(rabbit, vhost, "list_exchanges", "name", "type", "durable", "auto_delete", "arguments")
    bindings = listed(rabbit, vhost, "list_bindings", "source_name", "routing_key", "destination_name")
    return Objects(
        {plain(row.pop("name")): {**row, "arguments": sorted(row["arguments"])} for row in queues},
        {name: row for row in exchanges if (name := plain(row.pop("name"))) and not name.startswith("amq.")},
        {(plain(row["source_name"]), plain(row["routing_key"]), plain(row["destination_name"])) for row in bindings},
    )


@pytest.fixture(scope="module")
def declared(rabbit: RabbitMQ, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Side, Objects]]:
    """A worker and a client of each library, on a virtual host where the other one never was."""
    found: dict[Side, Objects] = {}
    queues = [
        queue("celery", "celery", "direct", "celery"),
        queue("mail", "letters", "topic", "mail.#"),
        queue("wide", "everybody", "fanout", "wide"),
        queue("quorum", "strong", "direct", "q", {"x-queue-type": "quorum"}),
    ]
    with ExitStack() as stack:
        for side in QUEUES:
            vhost = f"declared-{side}"
            settings = {"broker_url": add_vhost(rabbit, vhost), "task_queues": queues, "task_queue_max_priority": None}
            own = Site(tmp_path_factory.mktemp(vhost), site.bins, {**site.config, **settings})
            stack.callback(Worker(side, own, ("celery", "mail", "wide", "quorum", "on-the-fly")).stop)
            client = Client(side, own)
            stack.callback(client.stop)
            assert client.value(client.send("shared.whoami"), 60) == side
            assert client.value(client.send("shared.whoami", queue="on-the-fly"), 60) == side
            found[side] = objects(rabbit, vhost)
        yield found


def test_queues_are_declared_alike(declared: dict[Side, Objects]) -> None:
    theirs, ours = declared["celery"].queues, declared["kernel"].queues
    shared = {name: row for name, row in theirs.items() if not ELSEWHERE.fullmatch(name)}
    assert shared.keys() == {"celery", "mail", "wide", "quorum", "on-the-fly", "UUID"}
    reply = shared.pop("UUID")
    assert {name: ours.get(name) for name in shared} == shared
    # A server removes an auto-delete queue when its client loses the connection, with the results in it: ours stays.
    assert ours["UUID"] == {**reply, "auto_delete": False}
    assert {name for name in ours if not ELSEWHERE.fullmatch(name)} - shared.keys() == OWN | {"UUID"}


def test_remote_control_is_declared_alike(declared: dict[Side, Objects]) -> None:
    """Wire.md 5.3: the queue of a node's own, bound to the exchange that requests go to."""
    found = []
    for side in ("celery", "kernel"):
        name, mine = f"{side}-worker@interop.celery.pidbox", declared[side]
        binding = ("celery.pidbox", "", name)
        found.append((mine.queues[name], mine.exchanges["celery.pidbox"], binding in mine.bindings))
    theirs, ours = found
    assert ours == theirs
    assert ours[2]


def test_exchanges_are_declared_alike(declared: dict[Side, Objects]) -> None:
    theirs, ours = declared["celery"].exchanges, declared["kernel"].exchanges
    shared = {name: row for name, row in theirs.items() if not OF_CONTROL_AND_EVENTS.fullmatch(name)}
    assert {"celery", "letters", "everybody", "strong", "on-the-fly"} <= shared.keys()
    assert {name: ours.get(name) for name in shared} == shared
    assert ours.keys() <= theirs.keys(), "an exchange that Celery does not have"
    assert ours == {name: theirs[name] for name in ours}


def test_queues_are_bound_alike(declared: dict[Side, Objects]) -> None:
    theirs, ours = (
        {row for row in declared[side].bindings if row[2] in {"celery", "mail", "wide", "quorum", "on-the-fly"}}
        for side in ("celery", "kernel")
    )
    assert ours == theirs


def test_the_delay_ladder_is_declared_alike(declared: dict[Side, Objects]) -> None:
    """Wire.md 6: a fleet may have declared it before, or will declare it again."""
    theirs, ours = (
        {name: row for name, row in declared[side].queues.items() if name.startswith("celery_delayed")}
        for side in ("celery", "kernel")
    )
    assert len(theirs) == 28
    assert {name: ours.get(name) for name in theirs} == theirs
    steps = [
        {row for row in declared[side].bindings if row[2].startswith("celery_delayed")} for side in ("celery", "kernel")
    ]
    assert steps[0] == steps[1]
