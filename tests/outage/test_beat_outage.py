"""Beat on a Redis that goes away and comes back: what is due waits, and is sent when it is back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel_conformance.servers.redis import RedisServer

from .conftest import Site, until

pytestmark = [pytest.mark.slow, pytest.mark.timed]

FOUND_S = 30.0
"""A server that is back is found within 5 s on a machine that does nothing else; this bound is for one that does."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


def test_a_broker_that_is_away(redis: RedisServer, tmp_path: Path) -> None:
    site = Site(tmp_path, redis.url)
    often = {"task": "outage.nobody", "schedule": 0.2}
    wrong = {"task": "outage.nobody", "schedule": 0.2, "options": {"serializer": "nosuch"}}
    site.environ["KERNEL_BEAT_SCHEDULE"] = json.dumps({"often": often, "wrong": wrong})
    beat = site._start("beat", ["-m", "kernel", "-A", "outage_tasks", "beat", "-l", "INFO"])
    try:
        until(lambda: redis.ask("LLEN", "kernel") > "1", 60, "the first messages")
        redis.kill()
        until(lambda: "Entry often waits for the broker" in site.log("beat"), 60, "notice of the outage")
        redis.start()
        before = int(redis.ask("LLEN", "kernel"))
        until(lambda: int(redis.ask("LLEN", "kernel")) > before, FOUND_S, "a message after the outage")
        assert "Entry wrong could not be sent and waits for its next time" in site.log("beat")
        assert beat.poll() is None
    finally:
        site.stop()
    assert beat.returncode == 0, site.logs()
