"""Brokers that can do less: what they lack is made up for, and nothing is lost by it."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from worker_fakes import until
from worker_pool_fake import PuppetPool

from kernel.builtins.memory import broker as memory_broker
from kernel.contracts.broker import SettleKind
from kernel.contracts.pool import PoolOptions
from kernel.engine.quarantine import ORIGIN, REASON
from kernel.model import states


@pytest.fixture
def limit(monkeypatch):
    """Takes capabilities away."""

    def take(**caps):
        less = replace(memory_broker.CAPS, **caps)
        monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: less)

    return take


@pytest.fixture
def stage(site):
    site.pool = PuppetPool
    site.pool_options = PoolOptions(size=4)
    site.task("late", None, acks_late=True)
    return site


def begun(stage, task_id):
    return until(lambda: PuppetPool.made.job(task_id), what="the job")


def test_without_dead_letters_a_copy_is_quarantined_before_the_message_goes(stage, limit):
    limit(dlq=False)
    stage.start()
    unknown = stage.send("nobody", ())
    rejected = stage.send("late", ())
    begun(stage, rejected)
    PuppetPool.made.report(rejected, SettleKind.REJECT, states.REJECTED, reason="bad body")
    until(lambda: len(stage.quarantined()) == 2, what="two messages in quarantine")
    until(stage.settled)
    kept = {delivery.message.id: delivery.message.headers for delivery in stage.quarantined()}
    assert kept[rejected][REASON] == "bad body"
    assert "nobody" in kept[unknown][REASON]
    assert kept[unknown][ORIGIN] == "work"


def test_a_copy_that_cannot_be_sent_keeps_the_message(stage, limit):
    limit(dlq=False)
    weather = stage.storm()
    stage.start()
    rejected = stage.send("late", ())
    begun(stage, rejected)
    weather.failing = {"publish"}
    PuppetPool.made.report(rejected, SettleKind.REJECT, states.REJECTED, reason="bad body")
    until(lambda: weather.calls.count("publish") >= 2, what="attempts")
    assert stage.depth().in_flight == 1
    weather.failing = set()
    until(stage.settled)
    assert len(stage.quarantined()) == 1


def test_where_every_delivery_counts_waiting_is_a_new_message(stage, limit):
    limit(uncount=False)
    stage.configure(task_delivery_limit=1)
    stage.start()
    due = time.time() + 1.5
    task_id = stage.send("late", (), eta=datetime.fromtimestamp(due, UTC).isoformat())
    job = begun(stage, task_id)
    assert time.time() >= due
    assert job.payload.attempt == 1
    PuppetPool.made.report(task_id)
    until(stage.settled)


def test_where_every_delivery_counts_some_more_are_allowed(stage, limit):
    limit(uncount=False)
    stage.configure(task_delivery_limit=1)
    stage.start()
    task_id = stage.send("late", ())
    for attempt in (1, 2, 3):
        assert begun(stage, task_id).payload.attempt == attempt
        PuppetPool.made.report(task_id, SettleKind.RELEASE, states.REJECTED)
    (kept,) = until(stage.quarantined)
    assert "delivered 4 times" in kept.dead_reason


def test_what_cannot_be_given_back_with_a_delay_is_published_with_one(stage, limit):
    limit(nack_delay=False)
    stage.start()
    due = time.time() + 1.5
    task_id = stage.send("late", (), eta=datetime.fromtimestamp(due, UTC).isoformat())
    until(lambda: stage.depth().delayed == 1, what="a delayed message")
    assert not stage.depth().in_flight
    begun(stage, task_id)
    assert time.time() >= due
    PuppetPool.made.report(task_id)
    until(stage.settled)


def test_without_any_delay_a_message_takes_its_turn_here_and_then_goes_to_the_end(stage, limit, monkeypatch):
    limit(nack_delay=False, delay=False)
    monkeypatch.setattr("kernel.engine.postpone.TURN_S", 0.2)
    monkeypatch.setattr("kernel.runtime.consumer._MOST_WAITING", 2)
    weather = stage.storm()
    stage.start()
    due = time.time() + 3.0
    later = datetime.fromtimestamp(due, UTC).isoformat()
    far = [stage.send("late", (), eta=later) for _ in range(6)]
    behind = stage.send("late", ())
    begun(stage, behind)
    assert time.time() < due
    PuppetPool.made.report(behind)
    assert "publish" in weather.calls  # copies
    for task_id in far:
        assert begun(stage, task_id).payload.attempt == 1
        assert time.time() >= due
        PuppetPool.made.report(task_id)
    until(stage.settled)


def test_too_many_that_wait_here_stop_the_node_from_taking_more(stage, limit, monkeypatch):
    limit(nack_delay=False, delay=False)
    monkeypatch.setattr("kernel.runtime.consumer._MOST_WAITING", 2)
    stage.start()
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    first = [stage.send("late", (), eta=soon) for _ in range(2)]
    until(lambda: len(stage.node.desk.waiting) == 2, what="two that wait")
    third = stage.send("late", ())
    time.sleep(0.3)
    assert PuppetPool.made.job(third) is None
    for task_id in (*first, third):
        begun(stage, task_id)
        PuppetPool.made.report(task_id)
    until(stage.settled)
