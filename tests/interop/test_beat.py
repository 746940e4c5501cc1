"""Beat of one library, worker of the other, on one Redis (features.md 2.3; wire.md 1.1)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.redis import RedisServer

from .conftest import REQUIREMENTS, Notes, until
from .sides import QUEUES, Side, Site, Worker, bins, end

SIDES: tuple[Side, Side] = ("celery", "kernel")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer(fsync="everysec")
    server.start()
    yield server
    server.stop()


def site_of(redis: RedisServer, folder: Path, queue: str, notes: object) -> Site:
    """Where beat of either library sends a note every second, and nothing else."""
    redis.ask("FLUSHALL")
    entry = {"task": "shared.write", "schedule": 1.0, "args": [str(notes), "from beat"]}
    config: dict[str, Any] = {
        "broker_url": redis.url,
        "result_backend": redis.url,
        "result_expires": None,
        "accept_content": ["json"],
        "beat_schedule": {"every second": {**entry, "options": {"queue": queue, "expires": 60}}},
    }
    return Site(folder, bins(provision.venv("interop", REQUIREMENTS)), config)


@pytest.mark.parametrize("beat", SIDES)
def test_beat_of_one_and_the_worker_of_the_other(redis: RedisServer, tmp_path: Path, beat: Side) -> None:
    other: Side = "kernel" if beat == "celery" else "celery"
    notes = Notes(tmp_path / "notes")
    site = site_of(redis, tmp_path, QUEUES[other], notes)
    worker = Worker(other, site)
    try:
        process = site.start(beat, "beat", [beat, "-A", "interop_tasks", "beat", "-l", "INFO"])
        try:
            lines = notes.wait(3, 90)
        finally:
            end(process)
    finally:
        worker.stop()
    assert {line["side"] for line in lines} == {other}
    assert {tuple(line["values"]) for line in lines} == {("from beat",)}


def test_celery_pings_our_beat(redis: RedisServer, tmp_path: Path) -> None:
    site = site_of(redis, tmp_path, "parked", "notes")
    words = ["kernel", "-A", "interop_tasks", "beat", "--enable-remote-control", "-l", "INFO"]
    process = site.start("kernel", "beat", words)
    name = f"celerybeat@{os.uname().nodename}"

    def answered() -> bool:
        inspect = ["celery", "-A", "interop_tasks", "inspect", "-t", "2", "-d", name, "ping"]
        return site.start("celery", "inspect", inspect).wait(60) == 0

    try:
        until(answered, 90, "an answer to Celery's inspect")
    finally:
        end(process)
    log = (tmp_path / "inspect.log").read_text()
    assert f"{name}: OK" in log
    assert "pong" in log


def test_messages_are_alike(redis: RedisServer, tmp_path: Path) -> None:
    found: dict[Side, dict[str, Any]] = {}
    for side in SIDES:
        site = site_of(redis, tmp_path, "parked", "notes")
        process = site.start(side, f"{side}-beat", [side, "-A", "interop_tasks", "beat", "-l", "INFO"])
        try:
            until(lambda: int(redis.ask("LLEN", "parked")) > 0, 60, f"a message of {side}'s beat")
        finally:
            end(process)
        found[side] = json.loads(json.loads(redis.ask("--json", "LRANGE", "parked", "0", "0"))[0])
    ours, theirs = found["kernel"], found["celery"]
    assert ours["headers"]["celery_beat_task"] is theirs["headers"]["celery_beat_task"] is True
    own = {"id", "root_id", "origin", "expires", "argsrepr"}  # the last one for people: a list there, a tuple here
    assert ours["headers"].keys() == theirs["headers"].keys()
    for name in theirs["headers"].keys() - own:
        assert ours["headers"][name] == theirs["headers"][name], name
    assert ours["body"] == theirs["body"]
