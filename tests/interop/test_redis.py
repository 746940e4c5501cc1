"""Celery and kernel on one Redis (wire.md 7, 11.2): calls both ways, and each picks up what the other left."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.redis import RedisServer

from .conftest import REQUIREMENTS, Notes, until
from .sides import PROGRAMS, QUEUES, Client, Side, Site, Worker, bins, end

VISIBILITY_S = 5
"""Seconds after which either side restores what the other holds; in a real fleet an hour."""
SIDES: tuple[Side, Side] = ("celery", "kernel")


class RedisClient(Client):
    """A client that knows chords."""

    def __init__(self, side: Side, site: Site) -> None:
        self.side = side
        self._site = site
        words = ["python", str(PROGRAMS / "client_with_chords.py")]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = site.start(side, f"{side}-client", words, **streams)
        self._pending = b""


@dataclass(frozen=True)
class Fleet:
    """Both clients on one database, and workers as a test wants them.

    Attributes:
        server: where everything is.
        db: number of the broker's database; results are in the next one.
    """

    server: RedisServer
    db: int
    site: Site
    clients: dict[Side, Client]
    stack: ExitStack

    def worker(self, side: Side, queue: str = "", name: str = "", *options: str) -> Worker:
        """Start a worker."""
        made = Worker(side, self.site, [queue] if queue else (), options or ("-c", "2"), name)
        self.stack.callback(made.stop)
        return made

    def ask(self, *words: Any) -> str:
        """A command to the broker's database, past both libraries."""
        return self.server.ask("-n", str(self.db), *map(str, words))


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer(fsync="everysec")
    server.start()
    yield server
    server.stop()


def fleet_of(redis: RedisServer, db: int, folder: Path, stack: ExitStack) -> Fleet:
    base = redis.url.removesuffix("/0")
    config = {
        "broker_url": f"{base}/{db}",
        "result_backend": f"{base}/{db + 1}",
        "broker_transport_options": {"visibility_timeout": VISIBILITY_S},
        "task_acks_late": True,
        "accept_content": ["json"],
    }
    site = Site(folder, bins(provision.venv("interop", REQUIREMENTS)), config)
    clients: dict[Side, Client] = {}
    for side in SIDES:
        clients[side] = RedisClient(side, site)
        stack.callback(clients[side].stop)
    return Fleet(redis, db, site, clients, stack)


@pytest.fixture(scope="module")
def both(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet with a worker of each library."""
    with ExitStack() as stack:
        fleet = fleet_of(redis, 2, tmp_path_factory.mktemp("redis"), stack)
        workers = [fleet.worker(side) for side in SIDES]
        yield fleet
        assert all(worker.running for worker in workers), fleet.site.logs()


@pytest.fixture
def alone(redis: RedisServer, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet without workers, on an empty database."""
    redis.ask("-n", "4", "FLUSHDB")
    redis.ask("-n", "5", "FLUSHDB")
    with ExitStack() as stack:
        yield fleet_of(redis, 4, tmp_path, stack)


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


def other(side: Side) -> Side:
    return "kernel" if side == "celery" else "celery"


def sig(name: str, *args: Any, queue: str) -> dict[str, Any]:
    """A signature as a plain mapping (wire.md 3)."""
    kinds = {"subtask_type": None, "immutable": False}
    return {"task": name, "args": list(args), "kwargs": {}, "options": {"queue": queue}, **kinds}


@pytest.mark.parametrize("sender", SIDES)
@pytest.mark.parametrize("worker", SIDES)
class TestCalls:
    def test_values_and_failures(self, both: Fleet, sender: Side, worker: Side) -> None:
        client, queue = both.clients[sender], QUEUES[worker]
        ids = [client.send("shared.add", number, 1000, queue=queue) for number in range(50)]
        assert [client.value(task_id) for task_id in ids] == [number + 1000 for number in range(50)]
        assert client.value(client.send("shared.whoami", queue=queue)) == worker
        assert client.error(client.send("shared.fail", "builtin", queue=queue))["args"] == ["not this", 7]

    def test_retries_countdowns_and_expiry(self, both: Fleet, sender: Side, worker: Side) -> None:
        client, queue = both.clients[sender], QUEUES[worker]
        task_id = client.send("shared.flaky", 2, queue=queue)
        later = client.send("shared.whoami", queue=queue, countdown=1)
        late = client.send("shared.whoami", queue=queue, countdown=1, expires=0.2)
        assert client.value(task_id) == {"retries": 2, "side": worker, "id": task_id}
        assert client.value(later) == worker
        assert client.error(late)["args"] == ["expired"]

    def test_a_compressed_body(self, both: Fleet, sender: Side, worker: Side) -> None:
        client, text = both.clients[sender], "compress me ✓ " * 5000
        task_id = client.send("shared.echo", text, queue=QUEUES[worker], compression="zlib")
        assert client.value(task_id)["args"] == [text]

    def test_a_chord_that_both_finish(self, both: Fleet, sender: Side, worker: Side) -> None:
        """Members run on both sides; whoever comes last starts the body, once, with the results in order."""
        client = both.clients[sender]
        header = [sig("shared.add", n, 100, queue=QUEUES[SIDES[n % 2]]) for n in range(10)]
        task_id = client.ask("chord", header=header, body=sig("shared.echo", queue=QUEUES[worker]))
        assert client.value(task_id)["args"] == [[n + 100 for n in range(10)]]
        database = str(both.db + 1)
        until(
            lambda: ".j" not in both.server.ask("-n", database, "KEYS", "*.[jdst]"), what="the end of the chord's keys"
        )


@pytest.mark.parametrize("sender", SIDES)
@pytest.mark.parametrize("worker", SIDES)
def test_priorities(alone: Fleet, notes: Notes, sender: Side, worker: Side) -> None:
    """0 is the most urgent on Redis, for clients and workers of both."""
    priorities = [9, 3, 0, 6, 9, 0, 3, 6]
    for number, priority in enumerate(priorities):
        alone.clients[sender].send("shared.write", str(notes), priority, number, queue="ranked", priority=priority)
    waiting = [alone.ask("LLEN", f"ranked{end}") for end in ("", "\x06\x163", "\x06\x166", "\x06\x169")]
    assert waiting == ["2", "2", "2", "2"]

    alone.worker(worker, "ranked", "", "-P", "solo")

    found = [line["values"] for line in notes.wait(len(priorities), 60)]
    assert found == sorted([p, n] for n, p in enumerate(priorities))


@pytest.mark.parametrize("first", SIDES)
def test_a_worker_killed_in_the_middle(alone: Fleet, notes: Notes, first: Side) -> None:
    """What it held is run by a worker of the other library, marked as delivered before."""
    task_id = alone.clients[first].send("shared.slow", str(notes), 3600, queue="risky")
    killed = alone.worker(first, "risky", "killed")
    (line,) = notes.wait(1, 60)
    assert (alone.ask("LLEN", "risky"), alone.ask("HLEN", "unacked")) == ("0", "1")

    killed.process.kill()
    killed.process.wait(10)
    os.kill(line["pid"], signal.SIGKILL)
    held = json.loads(alone.ask("--json", "HVALS", "unacked"))
    assert json.loads(held[0])[0]["headers"]["id"] == task_id
    if first == "kernel":  # its lease is longer than what Celery's workers have
        tag = alone.ask("HKEYS", "unacked")
        alone.ask("ZADD", "unacked_index", 1, tag)
    else:
        oldest = float(alone.ask("ZRANGE", "unacked_index", 0, 0, "WITHSCORES").split()[1])
        until(lambda: float(alone.ask("TIME").split()[0]) > oldest + VISIBILITY_S + 1, what="the end of its time")
    heir = alone.worker(other(first), "risky", "heir")

    assert [line["side"] for line in notes.wait(2, 60)] == [first, other(first)]
    until(lambda: "true" in alone.ask("HVALS", "unacked").partition("redelivered")[2][:8], what="the mark")
    heir.process.kill()  # politely, it would wait for the end of its hour
    os.kill(notes.lines()[1]["pid"], signal.SIGKILL)


def test_a_delay_reaches_a_celery_worker_when_no_kernel_is_left(alone: Fleet, notes: Notes) -> None:
    """It waits where Celery's own restoring finds it."""
    alone.clients["kernel"].send("shared.write", str(notes), "late", queue="slow-lane", countdown=1)
    assert alone.ask("LLEN", "slow-lane") == "0"
    due = float(alone.ask("ZRANGE", "unacked_index", 0, 0, "WITHSCORES").split()[-1]) + VISIBILITY_S
    until(lambda: float(alone.ask("TIME").split()[0]) > due + 1, what="the time")

    alone.worker("celery", "slow-lane")

    (line,) = notes.wait(1, 60)
    assert (line["side"], line["values"]) == ("celery", ["late"])


@pytest.mark.parametrize("purger", SIDES)
def test_purging_what_the_other_sent(alone: Fleet, purger: Side) -> None:
    for number in range(4):
        alone.clients[other(purger)].send("shared.add", 1, 1, queue="full", priority=3 * number)
    if purger == "kernel":  # it purges what it knows
        alone.clients["kernel"].send("shared.add", 1, 1, queue="full")
    words = [purger, "-A", "interop_tasks", "purge", "-f", "-Q", "full"]
    process = alone.site.start(purger, "purge", words)
    assert process.wait(60) == 0, alone.site.logs()
    assert alone.ask("KEYS", "full*") == ""


def test_celerys_monitor_hears_our_worker(alone: Fleet) -> None:
    """Events travel on the channels that Celery's receivers listen to (wire.md 7.4, 13)."""
    words = ["celery", "-A", "interop_tasks", "events", "--dump"]
    alone.stack.callback(end, alone.site.start("celery", "monitor", words))
    alone.worker("kernel", "", "", "-c", "1", "-E")
    log = alone.site.folder / "monitor.log"
    until(lambda: "kernel-worker@interop" in log.read_text(), 60, "a heartbeat of our worker")
    client = alone.clients["celery"]
    task_id = client.send("shared.add", 1, 2, queue=QUEUES["kernel"])
    assert client.value(task_id) == 3
    for kind in ("received", "started", "succeeded"):
        until(lambda kind=kind: f"task {kind}" in log.read_text() and task_id in log.read_text(), 30, f"task-{kind}")  # type: ignore[misc] # bound at once


HEADERS = {"task": "shared.whoami", "id": "bad"}
PLAIN = {
    "body": "W1tdLHt9LHt9XQ==",
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "headers": HEADERS,
    "properties": {
        "body_encoding": "base64",
        "delivery_tag": "t",
        "delivery_info": {"exchange": "", "routing_key": "bad"},
    },
}
BAD = [
    "no json at all",
    "7",
    *[json.dumps({key: value for key, value in PLAIN.items() if key != left_out}) for left_out in PLAIN],
    json.dumps({**PLAIN, "headers": None}),
    json.dumps({**PLAIN, "headers": {"task": "shared.whoami"}}),
    json.dumps({**PLAIN, "properties": {"body_encoding": "base64"}}),
    json.dumps({**PLAIN, "body": "W1tdLHt9XQ=="}),
    json.dumps({**PLAIN, "body": "%"}),
]


def test_what_ends_or_stalls_a_celery_worker_is_quarantined_here(alone: Fleet) -> None:
    """The rows of wire.md 2 that are Redis's own."""
    worker = alone.worker("kernel", "bad")
    for text in BAD:
        alone.ask("LPUSH", "bad", text)
    client = alone.clients["kernel"]
    assert client.value(client.send("shared.whoami", queue="bad"), 60) == "kernel"
    until(lambda: alone.ask("HLEN", "unacked") == "0", what="the settlement of all of them")
    assert worker.running
    assert client.value(client.send("shared.whoami", queue="bad")) == "kernel"
