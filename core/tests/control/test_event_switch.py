"""Task events turned on and off while a worker runs."""

import json
import time

import pytest
from control_fleet import until

from kernel.contracts.broker import Settle, SettleKind
from kernel.contracts.deadline import Deadline
from kernel.model.topology import Binding, Exchange, QueueSpec


@pytest.fixture
def heard(fleet):
    broker = fleet.app.client.services.open_control(Deadline.after(5))
    broker.declare([QueueSpec("ear", bindings=(Binding(Exchange("kernelev", "topic"), "#"),))], Deadline.after(5))
    consumer = broker.consumer(["ear"], 0)
    events = []

    def listen():
        deliveries = consumer.receive(100, 0.1)
        consumer.settle([Settle(each, SettleKind.ACK) for each in deliveries], Deadline.after(5))
        for each in deliveries:
            body = json.loads(each.message.body)
            events.extend(body if isinstance(body, list) else [body])
        return events

    return listen


def kinds(events, task_id):
    return [event["type"] for event in events if event.get("uuid") == task_id]


def test_events_begin_and_end_when_told_to(fleet, heard):
    with fleet.worker():
        silent = fleet.send("add")
        silent.get(timeout=20)
        assert fleet.tell("enable_events") == {"ok": "task events enabled"}
        assert fleet.tell("enable_events") == {"ok": "task events already enabled"}
        told = fleet.send("add")
        until(lambda: "task-succeeded" in kinds(heard(), told.id))
        assert kinds(heard(), told.id) == ["task-received", "task-started", "task-succeeded"]
        assert kinds(heard(), silent.id) == []
        assert fleet.tell("disable_events") == {"ok": "task events disabled"}
        assert fleet.tell("disable_events") == {"ok": "task events already disabled"}
        fleet.send("add").get(timeout=20)
        assert {event.get("uuid") for event in heard()} <= {told.id, None}


def test_what_runs_for_long_is_told_of_meanwhile(fleet, heard):
    with fleet.worker():
        fleet.tell("enable_events")
        running = fleet.send("hold")
        began = time.monotonic()
        until(lambda: "task-started" in kinds(heard(), running.id))
        assert time.monotonic() - began < 8.0, "nobody waits until the loop has something else to do"
        fleet.release.set()
        until(lambda: "task-succeeded" in kinds(heard(), running.id))
        assert kinds(heard(), running.id) == ["task-received", "task-started", "task-succeeded"]


def test_heartbeats_when_asked_for(fleet, heard):
    with fleet.worker(heartbeat=True):
        until(lambda: [event for event in heard() if event["type"] == "worker-online"])
        before = time.time()
        assert fleet.tell("heartbeat") == {"ok": "heartbeat sent"}
        until(lambda: [each for each in heard() if each["type"] == "worker-heartbeat" and each["timestamp"] >= before])


def test_a_worker_without_heartbeats_says_so(fleet):
    with fleet.worker():
        assert "--without-heartbeat" in fleet.tell("heartbeat")["error"]
