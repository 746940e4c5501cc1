"""RabbitMQ goes away and comes back: nothing is lost, nobody hangs, and workers go on without a restart."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel_conformance.proxy import ChaosProxy, Trouble
from kernel_conformance.servers.rabbitmq import RabbitMQ
from kernel_conformance.stalls import Stalls

from .conftest import Site, until

pytestmark = [pytest.mark.slow, pytest.mark.timed]

OUTAGE_S = 30.0
RESUME_S = 5.0
"""The worker goes on so soon after the server is back (issue 4)."""
PUBLISH_S = 4.6
"""Longest time a publish may take: ``broker_connection_timeout`` and the pauses of the publish policy."""
SLACK_S = 2.5
"""What a busy machine may add to one call."""


def assert_answered(site: Site) -> None:
    """Every call ended in time: it succeeded, or it raised the documented error."""
    attempts = site.attempts()
    assert {outcome for _, outcome, _ in attempts} <= {
        "ok",
        "OperationalError:UNAVAILABLE",
        "OperationalError:TIMEOUT",
        "OperationalError:EXHAUSTED",
    }
    slowest = max(seconds for _, _, seconds in attempts)
    assert slowest < PUBLISH_S + SLACK_S, f"a publish took {slowest} s"


def assert_workers_live(site: Site) -> None:
    assert [worker.poll() for worker in site.workers] == [None] * len(site.workers), site.logs()
    for number in range(len(site.workers)):
        assert "Traceback" not in site.log(f"worker-{number}"), site.log(f"worker-{number}")


def test_thirty_seconds_without_a_server_under_ten_thousand_tasks(rabbit: RabbitMQ, site: Site, stalls: Stalls) -> None:
    """Killed in the middle, while a fleet drains and a client publishes."""
    total, before = 10_000, 6_000
    site.backlog(before)
    client = site.publisher(before, total, 0.002)
    until(lambda: len(site.attempts()) > 200, what="the client to be in the middle")
    for _ in range(2):
        site.worker()
    until(lambda: site.executed() > 1500, what="the workers to be in the middle")

    rabbit.kill()
    down = time.monotonic()
    assert client.poll() is None
    time.sleep(OUTAGE_S)
    standing = site.executed()
    assert client.poll() is None, "the client was to publish during the outage"
    assert_workers_live(site)
    rabbit.start()
    back = time.monotonic()

    until(lambda: site.executed() > standing, 30, "a task after the outage")
    resumed = stalls.since(back)
    assert client.wait(120) == 0, site.logs()
    until(lambda: len(site.executions()) >= total, 120, f"all of {total} tasks ({len(site.executions())} so far)")
    assert set(site.executions()) == set(range(total))
    assert back - down >= OUTAGE_S
    assert standing < total
    assert resumed <= RESUME_S, f"the first task ran {resumed:.1f} s after the server's return"
    assert any(outcome != "ok" for _, outcome, _ in site.attempts()), "no publish met the outage"
    assert_answered(site)
    assert_workers_live(site)


def test_a_worker_waits_for_a_server_that_is_down_at_its_start(rabbit: RabbitMQ, site: Site, stalls: Stalls) -> None:
    site.backlog(50)
    rabbit.kill()
    site.worker()
    until(lambda: "Cannot connect to the broker" in site.log("worker-0"), what="the worker to say what it waits for")
    assert rabbit.url.rpartition("@")[2].rstrip("/") in site.log("worker-0")
    assert rabbit.password not in site.log("worker-0")

    rabbit.start()
    back = time.monotonic()

    until(site.executed, 30, "the first task")
    assert stalls.since(back) <= RESUME_S + SLACK_S  # its executors are started first
    until(lambda: len(site.executions()) == 50, what="all tasks")
    assert_workers_live(site)


@pytest.fixture
def proxied(rabbit: RabbitMQ, site: Site, tmp_path: Path) -> Iterator[tuple[ChaosProxy, Site]]:
    """The same with a proxy between everybody and the server."""
    with ChaosProxy(rabbit.address) as proxy:
        host, port = proxy.address
        folder = tmp_path / "proxied"
        folder.mkdir()
        made = Site(folder, f"amqp://{rabbit.user}:{rabbit.password}@{host}:{port}//")
        yield proxy, made
        proxy.heal()
        made.stop()


def test_a_flapping_connection_loses_nothing(proxied: tuple[ChaosProxy, Site], stalls: Stalls) -> None:
    """Reset every half second, and every second time nobody may come in for a while."""
    proxy, site = proxied
    total = 2_000
    client = site.publisher(0, total, 0.001)
    site.worker()
    until(lambda: site.executed() > 20, what="the first tasks")
    for turn in range(12):
        proxy.trouble = Trouble(refuse=turn % 2 == 0)
        proxy.reset()
        time.sleep(0.5)
    proxy.heal()
    healed = time.monotonic()
    standing = site.executed()

    until(lambda: site.executed() > standing, 30, "a task after the last cut")
    assert stalls.since(healed) <= RESUME_S
    assert client.wait(120) == 0, site.logs()
    until(lambda: len(site.executions()) == total, what="all tasks")
    assert_answered(site)
    assert_workers_live(site)


def test_a_black_hole_is_noticed_and_nothing_is_lost(proxied: tuple[ChaosProxy, Site], stalls: Stalls) -> None:
    """Bytes go nowhere and nobody closes anything: a publish answers by its deadline, the worker finds its way back."""
    proxy, site = proxied
    total = 1_500
    site.environ["KERNEL_BROKER_TRANSPORT_OPTIONS__HEARTBEAT"] = "2"
    client = site.publisher(0, total, 0.002)
    site.worker()
    until(lambda: site.executed() > 50, what="the first tasks")

    proxy.trouble = Trouble(black_hole=True)
    until(lambda: any(outcome != "ok" for _, outcome, _ in site.attempts()), 30, "a publish that fails")
    until(lambda: "lost" in site.log("worker-0"), 30, "the worker to notice")
    proxy.heal()
    proxy.reset()  # whoever made the hole has rebooted: what stood before is gone
    healed, standing = time.monotonic(), site.executed()

    until(lambda: site.executed() > standing, 30, "a task after the hole")
    assert stalls.since(healed) <= RESUME_S
    assert client.wait(120) == 0, site.logs()
    until(lambda: len(site.executions()) == total, what="all tasks")
    assert_answered(site)
    assert_workers_live(site)
