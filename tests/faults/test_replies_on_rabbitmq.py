"""Results by message on a real RabbitMQ, whose clients lose their connections (pains P12)."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from kernel import Kernel
from kernel.contracts import Deadline
from kernel.errors import TimeoutError as TaskTimeoutError
from kernel.testing.worker import start_worker
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.servers.rabbitmq import RabbitMQ

pytestmark = pytest.mark.timed

WAIT_S = 60.0


def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not come true"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitMQ]:
    server = RabbitMQ()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(rabbit: RabbitMQ) -> Iterator[ChaosProxy]:
    with ChaosProxy(rabbit.address) as made:
        yield made


@pytest.fixture
def added() -> list[int]:
    """First arguments of the additions that were begun; a task that came twice is here twice, and so is its result."""
    return []


@pytest.fixture
def make_app(added: list[int]) -> Iterator[Callable[..., Kernel]]:
    made: list[Kernel] = []

    def add(x: int, y: int, seconds: float = 0.0) -> int:
        added.append(x)
        time.sleep(seconds)
        return x + y

    def make(url: str, **settings: Any) -> Kernel:
        app = Kernel("p", broker=url, backend="rpc://", namespace="celery", set_as_current=False, **settings)
        app.task(name="add")(add)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def client(rabbit: RabbitMQ, proxy: ChaosProxy, make_app: Callable[..., Kernel]) -> Kernel:
    """A client behind the proxy."""
    port = urlsplit(rabbit.url).port
    return make_app(rabbit.url.replace(f":{port}", f":{proxy.address[1]}", 1))


def waiting(app: Kernel, queue: str) -> int:
    """Results in a reply queue."""
    return app.client.services.broker.depth([queue], Deadline.after(10))[queue].ready


def test_results_that_come_while_the_client_is_cut_off_are_there_when_it_is_back(rabbit, proxy, client, make_app):
    worker = make_app(rabbit.url)
    with start_worker(worker, concurrency=4):
        assert client.send_task("add", (1, 1)).get(timeout=WAIT_S) == 2
        results = [client.send_task("add", (n, n, 1.0)) for n in range(8)]
        proxy.trouble.refuse = True
        proxy.reset()
        oid = client.client.services.mailbox.oid
        until(lambda: waiting(worker, oid) >= 8, "8 results that nobody takes")
        with pytest.raises(TaskTimeoutError):
            results[0].get(timeout=0.2)
        proxy.heal()
        assert [result.get(timeout=WAIT_S) for result in results] == [2 * n for n in range(8)]
        assert client.send_task("add", (2, 2)).get(timeout=WAIT_S) == 4


def test_connections_that_are_cut_again_and_again_lose_no_result(rabbit, proxy, client, make_app):
    with start_worker(make_app(rabbit.url), concurrency=2):
        results = []
        for n in range(200):
            results.append(client.send_task("add", (n, n)))
            if n % 40 == 0:
                proxy.reset()
        assert [result.get(timeout=WAIT_S) for result in results] == [2 * n for n in range(200)]


def test_a_server_that_restarts_keeps_persistent_results(rabbit, make_app, added):
    numbers = range(1000, 1020)  # of no other test: what came twice there may still be in the queue
    client, worker = (make_app(rabbit.url, result_persistent=True) for _ in range(2))
    with start_worker(worker, concurrency=2):
        results = [client.send_task("add", (n, n)) for n in numbers]
        until(lambda: set(added) >= set(numbers), "20 additions")
    oid = client.client.services.mailbox.oid  # a worker that has ended has sent the results of what it began
    there = waiting(worker, oid)
    assert there >= 20
    rabbit.restart()
    assert f"{oid}\t{there}\n" in rabbit.control("list_queues", "name", "messages")
    assert [result.get(timeout=WAIT_S) for result in results] == [2 * n for n in numbers]
    client.close()
    assert oid not in rabbit.control("list_queues", "name")
