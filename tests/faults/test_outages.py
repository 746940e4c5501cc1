"""A server that is away, flaps, or is silent: nothing is lost, nobody waits longer than promised (pains P01, P08)."""

import threading
import time

import pytest

from kernel.app.worker import Worker
from kernel.errors import OperationalError
from kernel.testing.worker import start_worker

pytestmark = pytest.mark.timed

WAIT_S = 60.0
RESUME_S = 5.0
TASKS = 120
TIMEOUT_S = 1.0
NO_RETRIES = {"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0}


@pytest.fixture
def site(make_site, proxy):
    return make_site(proxy.address)


@pytest.fixture
def client(make_site, proxy):
    """Another client, impatient, through the same proxy."""
    return make_site(proxy.address, broker_connection_timeout=TIMEOUT_S, task_publish_retry_policy=NO_RETRIES)


@pytest.fixture
def direct(make_site, server):
    """A client that the proxy does not hinder."""
    return make_site(server.address)


@pytest.fixture
def resumed(site, direct, stalls):
    """Seconds until a task runs that is sent now."""

    def measure(number):
        direct.send(number)
        began = time.monotonic()
        site.until(lambda: number in site.ran, "a task after the outage")
        return stalls.since(began)

    return measure


def test_a_worker_waits_for_a_server_that_is_not_there_yet(site, server, resumed, stalls):
    server.kill()
    worker = Worker(site.app, pool="threads", concurrency=2, heartbeat=False)
    thread = threading.Thread(target=worker.start, kwargs={"signals": False}, daemon=True)
    thread.start()
    try:
        assert not worker.ready.wait(3.0)
        server.start()
        back = time.monotonic()
        assert worker.ready.wait(WAIT_S)
        assert stalls.since(back) < RESUME_S
        resumed(0)
    finally:
        worker.stop()
        thread.join(WAIT_S)


def test_an_outage_in_the_middle_loses_nothing_and_ends_with_it(site, server, resumed):
    with start_worker(site.app, concurrency=2):
        for number in range(TASKS):
            site.send(number, 0.02)
        site.until(lambda: len(site.ran) > TASKS / 4, "a quarter of the tasks")
        server.kill()
        time.sleep(4.0)
        server.start()
        assert resumed(TASKS) < RESUME_S + 2.0  # two threads work off what waits before it
        site.until_ran(TASKS + 1)


def test_flapping_leaves_no_worker_deaf(site, server, resumed):
    with start_worker(site.app, concurrency=2):
        for number in range(TASKS):
            site.send(number, 0.02)
        for _ in range(5):
            server.restart()
            time.sleep(0.2)
        site.until_ran(TASKS)
        assert resumed(TASKS) < RESUME_S


def test_connections_that_are_cut_again_and_again(site, proxy, direct, resumed):
    with start_worker(site.app, concurrency=2):
        for number in range(TASKS):
            direct.send(number)
            if number % 10 == 0:
                proxy.reset()
        site.until_ran(TASKS)
        assert resumed(TASKS) < RESUME_S


def test_a_silent_server_is_noticed_and_found_again(site, proxy, direct, resumed):
    with start_worker(site.app, concurrency=2):
        assert resumed(0) < RESUME_S
        proxy.trouble.black_hole = True
        direct.send(1)
        site.until(lambda: proxy.accepted > 3, "a new connection")
        assert site.ran == [0]
        proxy.heal()
        proxy.reset()
        site.until_ran(2)
        assert resumed(2) < RESUME_S


@pytest.mark.parametrize("trouble", ["away", "silent", "silent after the first call"])
def test_publishing_answers_in_time_the_first_time_and_every_time(client, server, proxy, trouble, stalls):
    if trouble == "away":
        server.kill()
    elif trouble == "silent":
        proxy.trouble.black_hole = True
    else:
        client.send(0)
        proxy.trouble.black_hole = True
    for number in range(1, 4):
        began = time.monotonic()
        with pytest.raises(OperationalError):
            client.send(number)
        assert stalls.since(began) < TIMEOUT_S * 1.1 + 0.5
    server.start()
    proxy.heal()
    proxy.reset()
    client.send(9)


def test_many_threads_get_their_answer_in_time_too(client, proxy, stalls):
    proxy.trouble.black_hole = True
    took = []

    def call(number):
        began = time.monotonic()
        with pytest.raises(OperationalError):
            client.send(number)
        took.append(stalls.since(began))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(took) == 8
    assert max(took) < TIMEOUT_S * 1.1 + 1.0
