"""Remote control across the two libraries (wire.md 12): either reaches the workers of the other, and they mingle."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.rabbitmq import RabbitMQ
from kernel_conformance.servers.redis import RedisServer

from .conftest import REQUIREMENTS, Notes, add_vhost, until
from .sides import QUEUES, Client, Side, Site, Worker, bins

SIDES: tuple[Side, Side] = ("celery", "kernel")
NODES: dict[Side, str] = {side: f"{side}-worker" for side in SIDES}


def other(side: Side) -> Side:
    """The other one."""
    return "kernel" if side == "celery" else "celery"


@dataclass(frozen=True)
class Fleet:
    """A worker and a client of each library on one broker."""

    site: Site
    clients: dict[Side, Client]
    workers: dict[Side, Worker]

    def run(self, side: Side, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of one side's program."""
        return subprocess.run(
            [str(self.site.bins[side] / side), "-A", "interop_tasks", *words],
            cwd=self.site.folder,
            env=self.site.environ(side),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def ask(self, side: Side, to: str, command: str, **arguments: Any) -> Any:
        """What a worker answers one side's client."""
        return self.clients[side].ask("control", method=command, node=f"{to}@interop", arguments=arguments)


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with ExitStack() as stack:
        if request.param == "redis":
            server = RedisServer(fsync="everysec")
            server.start()
            stack.callback(server.stop)
            url = server.url.removesuffix("/0")
            config = {"broker_url": f"{url}/2", "result_backend": f"{url}/3"}
        else:
            rabbit: RabbitMQ = request.getfixturevalue("rabbit")
            config = {"broker_url": add_vhost(rabbit, "control"), "result_backend": "rpc://"}
        site = Site(
            tmp_path_factory.mktemp(request.param), bins(provision.venv("interop", REQUIREMENTS)),
            {**config, "accept_content": ["json"]},
        )  # fmt: skip
        workers, clients = {}, {}
        for side in SIDES:
            workers[side] = Worker(side, site)
            stack.callback(workers[side].stop)
        for side in SIDES:
            clients[side] = Client(side, site)
            stack.callback(clients[side].stop)
            until(lambda worker=workers[side]: "ready." in worker.log(), 90, f"{side} ready")
        yield Fleet(site, clients, workers)
        assert all(worker.running for worker in workers.values()), site.logs()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.mark.parametrize("side", SIDES)
def test_either_program_sees_both_workers(fleet: Fleet, side: Side) -> None:
    def both() -> bool:
        done = fleet.run(side, "status", "-t", "3")
        return done.returncode == 0 and all(f"->  {node}@interop: OK" in done.stdout for node in NODES.values())

    until(both, 60, f"both workers in the status of {side}")


@pytest.mark.parametrize("side", SIDES)
def test_a_command_of_either_program(fleet: Fleet, side: Side) -> None:
    node = f"{NODES[other(side)]}@interop"
    done = fleet.run(side, "control", "rate_limit", "shared.total", "10/m", "-d", node, "-t", "20")
    assert done.returncode == 0, done.stderr
    assert [line.strip() for line in done.stdout.splitlines()[:2]] == [
        f"->  {node}: OK", "new rate limit set successfully",
    ]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
def test_questions_and_answers(fleet: Fleet, side: Side) -> None:
    node = NODES[other(side)]
    assert fleet.ask(side, node, "ping") == {"ok": "pong"}
    stats = fleet.ask(side, node, "stats")
    assert {"total", "pid", "clock", "uptime", "pool", "broker", "prefetch_count", "rusage"} <= stats.keys()
    assert stats["pool"]["max-concurrency"] == 2
    assert len(stats["pool"]["processes"]) == 2
    (queue,) = fleet.ask(side, node, "active_queues")
    assert (queue["name"], queue["exchange"]["name"], queue["routing_key"]) == (QUEUES[other(side)],) * 3
    assert "shared.add" in {line.split()[0] for line in fleet.ask(side, node, "registered")}
    assert fleet.ask(side, node, "conf")["accept_content"] == ["json"]
    assert fleet.ask(side, node, "clock")["clock"] > 0
    assert fleet.ask(side, node, "scheduled") == []
    assert fleet.ask(side, node, "reserved") == []
    assert fleet.ask(side, node, "report")["ok"]
    assert fleet.ask(side, node, "query_task", ids=["nobody"]) == {}
    assert fleet.ask(side, node, "nosuch") == {"error": "KeyError('nosuch')"}


def test_the_shapes_of_answers_are_the_same(fleet: Fleet) -> None:
    """What monitors read must be there, whoever answers."""
    shapes = {}
    for side in SIDES:
        (queue,) = fleet.ask("celery", NODES[side], "active_queues")
        shapes[side] = (queue.keys(), queue["exchange"].keys())
    assert shapes["kernel"] == shapes["celery"]


@pytest.mark.parametrize("side", SIDES)
def test_limits_and_sizes(fleet: Fleet, side: Side) -> None:
    node = NODES[other(side)]
    for command, arguments, said in (
        ("rate_limit", {"task_name": "shared.total", "rate_limit": "10/m"}, {"ok": "new rate limit set successfully"}),
        ("rate_limit", {"task_name": "shared.total", "rate_limit": 0}, {"ok": "rate limit disabled successfully"}),
        ("rate_limit", {"task_name": "no.task", "rate_limit": 0}, {"error": "unknown task"}),
        ("time_limit", {"task_name": "shared.total", "soft": 30, "hard": 60}, {"ok": "time limits set successfully"}),
        ("pool_grow", {"n": 1}, {"ok": "pool will grow"}),
        ("pool_shrink", {"n": 1}, {"ok": "pool will shrink"}),
    ):
        assert fleet.ask(side, node, command, **arguments) == said


@pytest.mark.parametrize("side", SIDES)
def test_revoked_by_one_and_discarded_by_the_other(fleet: Fleet, side: Side, notes: Notes) -> None:
    node, client, task_id = NODES[other(side)], fleet.clients[side], f"revoked-by-{side}"
    assert "ok" in fleet.ask(side, node, "revoke", task_id=[task_id])
    assert task_id in fleet.ask(side, node, "revoked")
    client.send("shared.write", str(notes), "never", task_id=task_id, queue=QUEUES[other(side)])
    assert client.error(task_id)["type"] == "TaskRevokedError"
    until(lambda: "Discarding revoked task" in fleet.workers[other(side)].log(), 30, "the discarding")
    assert notes.lines() == []


@pytest.mark.parametrize("side", SIDES)
def test_terminated_by_one_on_the_other(fleet: Fleet, side: Side, notes: Notes) -> None:
    node, client = NODES[other(side)], fleet.clients[side]
    task_id = client.send("shared.slow", str(notes), 60, queue=QUEUES[other(side)])

    def active() -> list[str]:
        return [info["id"] for info in fleet.ask(side, node, "active")]

    until(lambda: active() == [task_id], 30, "the task to be active")
    assert fleet.ask(side, node, "terminate", task_id=task_id, signal="KILL") == {"ok": f"terminate: {task_id}"}
    assert client.error(task_id)["type"] == "TaskRevokedError"
    until(lambda: active() == [], 30, "nothing to be active")


@pytest.mark.parametrize("side", SIDES)
def test_a_queue_is_taken_up_and_left(fleet: Fleet, side: Side) -> None:
    node, client, queue = NODES[other(side)], fleet.clients[side], f"taken-up-for-{side}"
    assert fleet.ask(side, node, "add_consumer", queue=queue) == {"ok": f"add consumer {queue}"}
    assert client.value(client.send("shared.whoami", queue=queue)) == other(side)
    until(lambda: queue in {each["name"] for each in fleet.ask(side, node, "active_queues")}, 30, "the queue")
    held = client.send("shared.add", 1, 2, queue=QUEUES[other(side)])
    assert fleet.ask(side, node, "cancel_consumer", queue=queue) == {"ok": f"no longer consuming from {queue}"}
    until(lambda: queue not in {each["name"] for each in fleet.ask(side, node, "active_queues")}, 30, "its end")
    left = client.send("shared.whoami", queue=queue)
    assert client.value(held) == 3
    assert client.value(client.send("shared.add", 3, 4, queue=QUEUES[other(side)])) == 7
    assert fleet.ask(side, node, "add_consumer", queue=queue) == {"ok": f"add consumer {queue}"}
    assert client.value(left) == other(side)


@pytest.mark.parametrize("side", SIDES)
def test_a_newcomer_learns_what_was_revoked_and_obeys_when_told_to_leave(fleet: Fleet, side: Side) -> None:
    """The worker of one library is asked and told by one of the other that starts."""
    fleet.ask(side, NODES[side], "revoke", task_id=[f"known-to-{side}"])
    newcomer = Worker(other(side), fleet.site, ["nowhere"], ("-c", "1"), name=f"newcomer-beside-{side}")
    try:
        until(lambda: "ready." in newcomer.log(), 90, "the newcomer")
        assert "mingle: sync with " in newcomer.log()
        assert f"known-to-{side}" in fleet.ask(side, newcomer.name, "revoked")
        fleet.clients[side].ask("control", method="shutdown", node=f"{newcomer.name}@interop", timeout=1)
        until(lambda: not newcomer.running, 30, "its end")
        assert newcomer.process.returncode == 0
    finally:
        newcomer.stop()
