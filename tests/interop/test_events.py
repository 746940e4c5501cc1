"""Monitors of both libraries beside workers of both, on one broker (wire.md 13, 17.8)."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.rabbitmq import RabbitMQ
from kernel_conformance.servers.redis import RedisServer

from .conftest import REQUIREMENTS, add_vhost, until
from .sides import QUEUES, Client, Side, Site, Worker, bins, end

SIDES: tuple[Side, ...] = ("celery", "kernel")
STORY = ["task-received", "task-started", "task-succeeded"]


@pytest.fixture
def redis_url() -> Iterator[str]:
    server = RedisServer(fsync="no")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(params=["rabbitmq", "redis"])
def meeting(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """Where workers and monitors meet: a broker on which nothing is."""
    if request.param == "redis":
        url: str = request.getfixturevalue("redis_url")
    else:
        rabbit: RabbitMQ = request.getfixturevalue("rabbit")
        url = add_vhost(rabbit, "events")
    config = {"broker_url": url, "result_backend": "rpc://", "accept_content": ["json"], "task_send_sent_event": True}
    return Site(tmp_path, bins(provision.venv("interop", REQUIREMENTS)), config)


def test_both_monitors_see_both_workers_and_what_they_do(meeting: Site) -> None:
    ours, theirs = meeting.folder / "kernel-monitor.log", meeting.folder / "celery-monitor.log"
    with ExitStack() as stack:
        watch = ["-A", "interop_tasks", "events", "--dump"]
        for side, more in (("kernel", ["--output", "json"]), ("celery", [])):
            stack.callback(end, meeting.start(side, f"{side}-monitor", [side, *watch, *more]))
        for side in SIDES:
            stack.callback(Worker(side, meeting, options=("-c", "1", "-E")).stop)
        for side in SIDES:
            node = f"{side}-worker@interop"
            until(lambda node=node: node in theirs.read_text() and node in ours.read_text(), 90, f"{node} to be seen")
        for side in SIDES:
            client = Client(side, meeting)
            stack.callback(client.stop)
            for queue in QUEUES.values():
                task_id = client.send("shared.add", 2, 3, queue=queue)
                seen_by_both(ours, theirs, task_id)
                told = {event["type"]: event for event in events(ours) if event.get("uuid") == task_id}
                assert sorted(told) == sorted([*STORY, "task-sent"])
                assert told["task-received"]["name"] == "shared.add"
                assert told["task-succeeded"]["result"] == "5"
                assert told["task-sent"]["queue"] == queue
                assert told["task-received"]["clock"] < told["task-succeeded"]["clock"]


def seen_by_both(ours: Path, theirs: Path, task_id: str) -> None:
    """Wait until both monitors have told the whole story, which may come in any order from different senders."""
    until(lambda: set(kinds(ours, task_id)) >= {*STORY, "task-sent"}, 60, "our monitor to see everything")
    until(lambda: f"task succeeded: shared.add({task_id})" in theirs.read_text(), 30, "Celery's monitor to see success")


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def kinds(log: Path, task_id: str) -> list[str]:
    return [event["type"] for event in events(log) if event.get("uuid") == task_id]
