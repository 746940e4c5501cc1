"""Monitoring events of a node (wire.md 13), as a monitor sees them."""

import json
import os
import threading

import pytest
from worker_fakes import until

from kernel.builtins.memory import broker as memory_broker
from kernel.contracts.deadline import Deadline
from kernel.model.topology import Binding, Exchange, QueueSpec
from kernel.runtime.events import HEARTBEAT_S

COMMON = {"hostname", "utcoffset", "pid", "clock", "timestamp", "type"}


class Monitor:
    """A queue bound to the event exchange."""

    def __init__(self, site, exchange="kernelev"):
        binding = Binding(Exchange(exchange, "topic"), "#")
        site.broker.declare([QueueSpec("monitor", bindings=(binding,), temporary=True)], Deadline.after(5.0))
        self.consumer = site.broker.consumer(["monitor"], 0)
        self.events, self.keys = [], []

    def look(self):
        for delivery in self.consumer.receive(100, 0):
            told = json.loads(delivery.message.body)
            self.keys.append(delivery.message.routing_key)
            self.events += told if isinstance(told, list) else [told]
            assert delivery.message.headers == {"hostname": "w1@test"}
        return self.events

    def of(self, kind):
        return [event for event in self.look() if event["type"] == kind]

    def wait(self, kind, number=1):
        until(lambda: len(self.of(kind)) >= number, what=f"{number} {kind}")
        return self.of(kind)


@pytest.fixture
def monitor(site):
    site.heartbeat = site.task_events = True
    return Monitor(site)


def test_a_node_says_that_it_is_there_that_it_lives_and_that_it_goes(site, monitor):
    site.start()
    (online,) = monitor.wait("worker-online")
    beat = monitor.wait("worker-heartbeat")[0]
    site.stop()
    (offline,) = monitor.wait("worker-offline")
    for event in (online, beat, offline):
        assert set(event) == COMMON | {"freq", "active", "processed", "loadavg", "sw_ident", "sw_ver", "sw_sys"}
        assert event["hostname"] == "w1@test"
        assert event["pid"] == os.getpid()
        assert event["freq"] == HEARTBEAT_S == 2.0
        assert len(event["loadavg"]) == 3
    assert online["sw_ident"] == "py-kernel"
    assert {"worker.online", "worker.heartbeat", "worker.offline"} <= set(monitor.keys)


def test_with_the_namespace_celery_it_introduces_itself_as_monitors_expect(site):
    site.heartbeat = True
    site.configure(namespace="celery")
    monitor = Monitor(site, "celeryev")
    site.start()
    assert monitor.wait("worker-online")[0]["sw_ident"] == "py-celery"


def test_the_exchange_is_there_before_anybody_listens(site, monkeypatch):
    declared = []
    monkeypatch.setattr(
        memory_broker.MemoryBroker, "declare_exchange", lambda self, exchange, deadline: declared.append(exchange)
    )
    site.heartbeat = site.task_events = True
    site.task("add", lambda x, y: x + y)
    site.start()
    site.result(site.send())
    until(lambda: declared, what="a declaration")
    site.stop()
    assert declared == [Exchange("kernelev", "topic")]


def test_heartbeats_go_on_and_count(site, monitor):
    site.task("add", lambda x, y: x + y)
    site.start()
    site.result(site.send())
    beats = monitor.wait("worker-heartbeat", 2)
    assert beats[1]["timestamp"] - beats[0]["timestamp"] >= 1.5
    assert beats[1]["processed"] == 1


def test_a_task_is_told_from_arrival_to_success(site, monitor):
    site.task("add", lambda x, y: x + y)
    site.start()
    task_id = site.send(argsrepr="(2, 3)", kwargsrepr="{}", root_id="root", retries=1)
    succeeded = monitor.wait("task-succeeded")[0]
    (received,) = monitor.of("task-received")
    (started,) = monitor.of("task-started")
    assert received["uuid"] == started["uuid"] == succeeded["uuid"] == task_id
    assert (received["name"], received["args"], received["root_id"], received["retries"]) == (
        "add",
        "(2, 3)",
        "root",
        1,
    )
    assert set(received) >= COMMON | {"uuid", "name", "args", "kwargs", "root_id", "parent_id", "eta", "expires"}
    assert succeeded["result"] == "5"
    assert succeeded["runtime"] >= 0
    assert received["clock"] < succeeded["clock"]
    assert "task.multi" in monitor.keys


@pytest.mark.parametrize(
    ("task", "headers", "kind", "fields"),
    [
        ("fail", {}, "task-failed", {"exception": "ValueError('no')"}),
        ("nobody", {}, "task-failed", {"exception": "NotRegistered('nobody')"}),
        ("fail", {"expires": "2020-01-01T00:00:00+00:00"}, "task-revoked", {"expired": True, "terminated": False}),
    ],
)
def test_other_ends_are_told_too(site, monitor, task, headers, kind, fields):
    def fail():
        raise ValueError("no")

    site.task("fail", fail)
    site.start()
    task_id = site.send(task, (), **headers)
    (told,) = monitor.wait(kind)
    assert told["uuid"] == task_id
    assert {key: told[key] for key in fields} == fields


def test_a_task_that_runs_is_told_to_have_started(site, monitor):
    """Before it ends: a monitor shows what a worker is at (wire.md 2.8)."""
    go = threading.Event()
    site.task("slow", lambda: go.wait(30))
    site.start()
    task_id = site.send("slow", ())
    (started,) = monitor.wait("task-started")
    assert started["uuid"] == task_id
    assert monitor.of("task-succeeded") == []
    go.set()
    (succeeded,) = monitor.wait("task-succeeded")
    assert started["timestamp"] <= succeeded["timestamp"]
    assert len(monitor.of("task-started")) == 1


def test_without_e_only_the_node_itself_is_told(site, monitor):
    site.task_events = False
    site.task("add", lambda x, y: x + y)
    site.start()
    site.result(site.send())
    monitor.wait("worker-heartbeat", 2)
    assert {event["type"] for event in monitor.events} == {"worker-online", "worker-heartbeat"}


def test_a_task_may_keep_quiet(site, monitor):
    site.task("secret", lambda: None, send_events=False)
    site.task("loud", lambda: None)
    site.start()
    site.send("secret", ())
    loud = site.send("loud", ())
    monitor.wait("task-succeeded")
    assert {event["uuid"] for event in monitor.events if "uuid" in event} == {loud}


def test_events_that_cannot_be_sent_are_dropped_and_the_task_is_not(site):
    site.heartbeat = site.task_events = True
    weather = site.storm()
    site.task("add", lambda x, y: x + y)
    site.start()
    weather.failing = {"publish"}
    assert site.result(site.send()).result == 5
    until(site.settled)
    weather.failing = set()
    assert site.node._link.up
