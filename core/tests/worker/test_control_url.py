"""A second broker for events, beside one that has no fan-out."""

import time
from dataclasses import replace

import pytest
from test_events import Monitor
from worker_fakes import StormyBroker, Weather, provided, until

from kernel import Kernel
from kernel.app.worker import Worker
from kernel.builtins.memory import broker as memory_broker
from kernel.contracts.deadline import Deadline
from kernel.errors import ImproperlyConfigured, PluginError
from kernel.model.topology import Binding, Exchange, QueueSpec

PLAIN = replace(memory_broker.CAPS, fanout=False, exchanges=False)


class PlainBroker(memory_broker.MemoryBroker):
    """A queue server that knows no exchanges."""

    def capabilities(self):
        return PLAIN


@pytest.fixture
def weather():
    return Weather()


@pytest.fixture
def apart(site, weather):
    """A site whose events go over a broker of their own, with its own weather."""
    control = type("Control", (StormyBroker,), {"weather": weather})
    site.brokers = {
        "memory": provided("broker.plain", PlainBroker, memory_broker.OPTIONS),
        "control": provided(
            "broker.control", lambda url, *rest: control(url.replace("control", "memory", 1), *rest), {}
        ),
    }
    site.configure(control_url=f"control://{site.url.partition('//')[2]}-2")
    site.heartbeat = site.task_events = True
    site.task("add", lambda x, y: x + y)
    return site


@pytest.fixture
def monitor(apart):
    """Listens on the second broker."""

    class Ear:
        broker = memory_broker.MemoryBroker(apart.url + "-2", {}, memory_broker.PluginContext())

    Ear.broker.open(Deadline.after(5))
    yield Monitor(Ear)
    Ear.broker.close(Deadline.after(5))


def test_events_go_over_the_second_broker_and_tasks_over_the_first(apart, monitor):
    apart.start()
    task_id = apart.send()
    assert apart.result(task_id).result == 5
    assert monitor.wait("task-succeeded")[0]["uuid"] == task_id
    monitor.wait("worker-online")
    apart.stop()
    monitor.wait("worker-offline")


def test_an_outage_of_the_second_broker_holds_no_task_up(apart, monitor, weather):
    weather.failing = {"all"}
    apart.start()
    for _ in range(20):
        assert apart.result(apart.send()).result == 5
    until(lambda: apart.node._events.dropped, what="dropped events")
    weather.failing = set()
    end = time.monotonic() + 30
    while not monitor.of("task-succeeded"):
        apart.result(apart.send())
        assert time.monotonic() < end
    assert apart.node._link.losses == 0


def test_a_call_is_told_over_the_second_broker_too(tmp_path):
    app = Kernel("p", broker=f"sqlite:///{tmp_path}/a.db", control_url="memory://told", task_send_sent_event=True,
                 set_as_current=False)  # fmt: skip
    binding = Binding(Exchange("kernelev", "topic"), "task.sent")
    with app:
        control = app.client.services.open_control(Deadline.after(5))
        control.declare([QueueSpec("ear", bindings=(binding,))], Deadline.after(5))
        app.send_task("t")
        (told,) = control.consumer(["ear"], 0).receive(5, 1)
        assert b'"task-sent"' in told.message.body


def test_events_without_a_broker_that_carries_them_are_refused_at_start(monkeypatch):
    monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: PLAIN)
    app = Kernel("p", broker="memory://plain", set_as_current=False)
    with app, pytest.raises(PluginError, match="worker_send_task_events") as caught:
        Worker(app, pool="threads", task_events=True)
    assert caught.value.code == "E107"
    assert "control_url" in caught.value.cure


def test_so_are_events_of_calls(monkeypatch):
    monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: PLAIN)
    app = Kernel("p", broker="memory://plain", task_send_sent_event=True, set_as_current=False)
    with app, pytest.raises(PluginError, match="task_send_sent_event = True needs capability 'fanout'"):
        app.send_task("t")


def test_a_control_url_that_is_no_url():
    app = Kernel("p", broker="memory://", control_url="nowhere", set_as_current=False)
    with app, pytest.raises(ImproperlyConfigured, match="control_url 'nowhere' is not a URL"):
        app.send_task("t")


def test_remote_control_goes_over_the_second_broker(monkeypatch, tmp_path):
    """As with SQS: tasks over a queue server, commands over a broker that has broadcasts."""
    from kernel.testing import start_worker

    monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: PLAIN)
    app = Kernel("p", broker="memory://tasks", control_url=f"sqlite:///{tmp_path}/control.db", set_as_current=False)
    app.task(name="add")(lambda x, y: x + y)
    with app, start_worker(app, hostname="w1@here"):
        assert app.control.ping(destination=["w1@here"], timeout=20) == [{"w1@here": {"ok": "pong"}}]
        sent = app.send_task("add", (1, 2))
        assert app.client.services.broker.capabilities() is PLAIN
        end = time.monotonic() + 20
        while app.control.inspect("w1@here", timeout=20).stats()["total"] != {"add": 1}:
            assert time.monotonic() < end
        assert sent.id


def test_without_a_second_broker_the_worker_says_so_and_works(monkeypatch, caplog):
    from kernel.testing import start_worker

    monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: PLAIN)
    app = Kernel("p", broker="memory://alone", set_as_current=False)
    with app, caplog.at_level("INFO", "kernel.worker"), start_worker(app, hostname="w1@here"):
        assert "control_url, can" in caplog.text
        with pytest.raises(PluginError, match="remote control needs capability 'fanout'"):
            app.control.ping()
