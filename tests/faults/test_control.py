"""Remote control in trouble: the broker away, two nodes of one name, a worker killed, an asker that is gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kernel import Kernel
from kernel.contracts import Deadline
from kernel.errors import DriverError
from kernel.testing import start_worker
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.servers.rabbitmq import RabbitMQ
from kernel_conformance.servers.redis import RedisServer

NODE = "w1@here"
AWAY_S = 5.0
BACK_S = 20.0
"""Longest time after which it must work again; mostly it takes one or two seconds."""


@dataclass
class Place:
    """A server, straight and through a proxy."""

    url: str
    proxied: str
    proxy: ChaosProxy
    stack: ExitStack
    apps: list[Kernel] = field(default_factory=list)

    def app(self, url: str) -> Kernel:
        made = Kernel("p", broker=url, backend="memory://faults-of-control", set_as_current=False)
        made.task(name="add")(lambda x, y: x + y)
        self.stack.callback(made.close)
        return made

    def worker(self, app: Kernel, **options: Any) -> None:
        self.stack.enter_context(start_worker(app, **{"hostname": NODE, **options}))


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    made: Any = RedisServer() if request.param == "redis" else RabbitMQ()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def place(server: Any) -> Iterator[Place]:
    with ChaosProxy(server.address) as proxy, ExitStack() as stack:
        here = "{}:{}".format(*server.address)
        there = "{}:{}".format(*proxy.address)
        assert here in server.url
        stack.callback(proxy.heal)
        yield Place(server.url, server.url.replace(here, there), proxy, stack)


def until(condition: Callable[[], object], seconds: float, what: str) -> object:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        time.sleep(0.02)
    return found


def answers(app: Kernel, node: str = NODE) -> bool:
    with suppress(DriverError):
        return bool(app.control.inspect(node, timeout=1.0).ping() == {"ok": "pong"})
    return False


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
def test_the_broker_is_away_for_the_worker_and_comes_back(place: Place, silent: bool) -> None:
    outside, inside = place.app(place.url), place.app(place.proxied)
    place.worker(inside)
    until(lambda: answers(outside), BACK_S, "an answer")
    place.proxy.trouble.black_hole, place.proxy.trouble.refuse = silent, not silent
    if not silent:
        place.proxy.reset()
    time.sleep(AWAY_S / 2.0 if silent else AWAY_S)
    assert not answers(outside)
    place.proxy.heal()
    if silent:
        place.proxy.reset()
    until(lambda: answers(outside), BACK_S, "an answer after the outage")
    assert outside.control.revoke("x", reply=True, limit=1, timeout=10)[0][NODE]["ok"].endswith("flagged as revoked")
    assert inside.send_task("add", (1, 2)).get(timeout=30) == 3


def test_the_broker_is_away_for_the_one_who_asks(place: Place) -> None:
    outside, inside = place.app(place.proxied), place.app(place.url)
    place.worker(inside)
    until(lambda: answers(outside), BACK_S, "an answer")
    place.proxy.trouble.refuse = True
    place.proxy.reset()
    began = time.monotonic()
    with pytest.raises(DriverError):
        outside.control.ping(timeout=1.0)
    assert time.monotonic() - began < 15.0
    place.proxy.heal()
    until(lambda: answers(outside), BACK_S, "an answer after the outage")


def test_the_asker_is_gone_before_the_answer(place: Place) -> None:
    app, other = place.app(place.url), place.app(place.url)
    place.worker(app)
    until(lambda: answers(app), BACK_S, "an answer")
    for _ in range(20):
        other.control.ping(timeout=0.0)  # its queue is gone when the answer comes
    assert answers(app)


def test_two_nodes_of_one_name(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    first, second = place.app(place.url), place.app(place.url)
    outside = place.app(place.url)
    with ExitStack() as stack:
        stack.enter_context(start_worker(first, hostname=NODE))
        until(lambda: answers(outside), BACK_S, "an answer")
        place.worker(second)
        until(lambda: "this node cannot be controlled" in caplog.text, BACK_S, "a complaint")
        assert outside.control.ping(destination=[NODE], timeout=5) == [{NODE: {"ok": "pong"}}]
        assert second.send_task("add", (1, 2)).get(timeout=30) == 3
    until(lambda: answers(outside), BACK_S + 15.0, "the second one's answer")


def test_a_killed_worker_comes_back_under_its_name_with_what_it_knew(place: Place, tmp_path: Path) -> None:
    (tmp_path / "killed_app.py").write_text(
        f"from kernel import Kernel\napp = Kernel('p', broker={place.url!r}, backend='sqlite:///{tmp_path}/r.db')\n"
        "app.task(name='add')(lambda x, y: x + y)\n"
    )
    words = ["-m", "kernel", "-q", "-A", "killed_app", "worker", "-c", "1", "-n", NODE, "-S", str(tmp_path / "state")]
    outside = place.app(place.url)

    def start() -> subprocess.Popen[bytes]:
        log = (tmp_path / "log").open("ab")
        place.stack.callback(log.close)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        process = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log, cwd=tmp_path, env=environment)
        place.stack.callback(process.wait, 20)
        place.stack.callback(process.terminate)
        return process

    worker = start()
    until(lambda: answers(outside), 60, "an answer")
    outside.control.revoke(["one", "two"], reply=True, limit=1, timeout=10)
    worker.send_signal(signal.SIGKILL)
    worker.wait(10)
    start()
    until(lambda: answers(outside), 60, f"an answer of the next one: {(tmp_path / 'log').read_text()[-2000:]}")
    assert sorted(outside.control.inspect(NODE, timeout=10).revoked()) == ["one", "two"]


def test_many_who_ask_at_once(place: Place) -> None:
    app = place.app(place.url)
    place.worker(app)
    until(lambda: answers(app), BACK_S, "an answer")
    found: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(app.control.ping(destination=[NODE], timeout=20) == [{NODE: {"ok": "pong"}}])
        )
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert found == [True] * 20
    with suppress(DriverError):
        app.client.services.open_control(Deadline.after(5)).ping(Deadline.after(5))
