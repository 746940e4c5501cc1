"""Redis goes away and comes back: nothing is lost, nobody hangs, and workers go on without a restart."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel_conformance.proxy import ChaosProxy, Trouble
from kernel_conformance.servers.redis import RedisServer
from kernel_conformance.stalls import Stalls

from .conftest import Site, until
from .test_rabbitmq_outage import RESUME_S, SLACK_S, assert_answered, assert_workers_live

pytestmark = [pytest.mark.slow, pytest.mark.timed]

OUTAGE_S = 8.0
LEASE_S = "4"
"""What a worker held when it lost its connection comes back after so long."""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def place(redis: RedisServer, tmp_path: Path) -> Iterator[Site]:
    """A place on a server that runs and has nothing from the test before."""
    redis.start()
    redis.ask("FLUSHALL")
    made = Site(tmp_path, redis.url)
    made.environ["KERNEL_BROKER_TRANSPORT_OPTIONS__LEASE_S"] = LEASE_S
    yield made
    made.stop()


@pytest.fixture
def proxied(redis: RedisServer, place: Site, tmp_path: Path) -> Iterator[tuple[ChaosProxy, Site]]:
    """The same with a proxy between everybody and the server."""
    with ChaosProxy(redis.address) as proxy:
        host, port = proxy.address
        folder = tmp_path / "proxied"
        folder.mkdir()
        made = Site(folder, f"redis://:{redis.password}@{host}:{port}/0")
        made.environ["KERNEL_BROKER_TRANSPORT_OPTIONS__LEASE_S"] = LEASE_S
        yield proxy, made
        proxy.heal()
        made.stop()


def assert_all_run(site: Site, redis: RedisServer, total: int) -> None:
    until(lambda: len(site.executions()) >= total, 120, f"all of {total} tasks ({len(site.executions())} so far)")
    assert set(site.executions()) == set(range(total))
    until(lambda: redis.ask("HLEN", "unacked") == "0", 30, "the settlement of everything")
    assert redis.ask("LLEN", "kernel.quarantine") == "0"


def test_a_server_killed_while_a_fleet_drains_and_a_client_publishes(
    redis: RedisServer, place: Site, stalls: Stalls
) -> None:
    total, before = 4_000, 2_500
    place.backlog(before)
    client = place.publisher(before, total, 0.002)
    until(lambda: len(place.attempts()) > 100, what="the client to be in the middle")
    for _ in range(2):
        place.worker()
    until(lambda: place.executed() > 500, what="the workers to be in the middle")

    redis.kill()
    time.sleep(OUTAGE_S)
    standing = place.executed()
    assert client.poll() is None, "the client was to publish during the outage"
    assert_workers_live(place)
    redis.start()
    back = time.monotonic()

    until(lambda: place.executed() > standing, 30, "a task after the outage")
    resumed = stalls.since(back)
    assert client.wait(120) == 0, place.logs()
    assert_all_run(place, redis, total)
    assert resumed <= RESUME_S + SLACK_S, f"the first task ran {resumed:.1f} s after the server's return"
    assert any(outcome != "ok" for _, outcome, _ in place.attempts()), "no publish met the outage"
    assert_answered(place)
    assert_workers_live(place)


def test_a_flapping_connection_loses_nothing(redis: RedisServer, proxied: tuple[ChaosProxy, Site]) -> None:
    """Reset every half second, and every second time nobody may come in for a while."""
    proxy, site = proxied
    total = 1_500
    client = site.publisher(0, total, 0.001)
    site.worker()
    until(lambda: site.executed() > 20, what="the first tasks")
    for turn in range(10):
        proxy.trouble = Trouble(refuse=turn % 2 == 0)
        proxy.reset()
        time.sleep(0.5)
    proxy.heal()

    assert client.wait(120) == 0, site.logs()
    assert_all_run(site, redis, total)
    assert_answered(site)
    assert_workers_live(site)


def test_a_black_hole_is_noticed_and_nothing_is_lost(redis: RedisServer, proxied: tuple[ChaosProxy, Site]) -> None:
    """Bytes go nowhere and nobody closes anything: a publish answers by its deadline, the worker finds its way back."""
    proxy, site = proxied
    total = 1_000
    client = site.publisher(0, total, 0.002)
    site.worker()
    until(lambda: site.executed() > 50, what="the first tasks")

    proxy.trouble = Trouble(black_hole=True)
    until(lambda: any(outcome != "ok" for _, outcome, _ in site.attempts()), 30, "a publish that fails")
    until(lambda: "lost" in site.log("worker-0"), 30, "the worker to notice")
    proxy.heal()
    proxy.reset()  # whoever made the hole has rebooted: what stood before is gone

    assert client.wait(120) == 0, site.logs()
    assert_all_run(site, redis, total)
    assert_answered(site)
    assert_workers_live(site)
