"""Corners of single parts that a whole node seldom turns."""

import logging
import threading

import pytest
from worker_fakes import until
from worker_pool_fake import PuppetPool

from kernel.builtins.memory import broker as memory_broker
from kernel.builtins.memory import consumer as memory_consumer
from kernel.contracts.broker import PublishResult, SettleKind, SettleResult
from kernel.contracts.pool import PoolOptions
from kernel.engine.backoff import FIRST_S, LONGEST_S, reconnect_delay
from kernel.errors import Code, DriverError
from kernel.model import states
from kernel.runtime.inbox import Inbox
from kernel.runtime.timer import Timer


@pytest.fixture
def stage(site):
    site.pool = PuppetPool
    site.pool_options = PoolOptions(size=4)
    site.task("early", None)
    site.task("late", None, acks_late=True)
    return site


def begun(stage, task):
    task_id = stage.send(task, ())
    until(lambda: PuppetPool.made.job(task_id), what="the job")
    return task_id


def test_a_copy_the_broker_will_never_take_is_written_down_in_full(stage, monkeypatch, caplog):
    stage.start()
    task_id = begun(stage, "early")
    refusal = PublishResult(DriverError(Code.TOO_LARGE, "above the limit"))
    monkeypatch.setattr(memory_broker.MemoryBroker, "publish", lambda self, items, deadline: [refusal] * len(items))
    PuppetPool.made.report(task_id, SettleKind.REJECT, states.REJECTED, reason="bad body")
    until(lambda: [record for record in caplog.records if record.levelno == logging.CRITICAL])
    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert task_id in record.getMessage()
    assert "[[], {}, {}]" in record.getMessage()
    assert stage.thread.is_alive()


def test_a_copy_of_one_that_is_still_held_leaves_it_held(stage, monkeypatch, caplog):
    from dataclasses import replace

    less = replace(memory_broker.CAPS, dlq=False)
    monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: less)
    stage.start()
    task_id = begun(stage, "late")
    refusal = PublishResult(DriverError(Code.INVALID, "no"))
    monkeypatch.setattr(memory_broker.MemoryBroker, "publish", lambda self, items, deadline: [refusal] * len(items))
    PuppetPool.made.report(task_id, SettleKind.REJECT, states.REJECTED, reason="bad body")
    until(lambda: "stays as it is" in caplog.text, what="the line in the log")
    assert stage.depth().in_flight == 1


def test_the_only_copy_left_is_written_down_when_the_broker_stays_away(stage, monkeypatch, caplog):
    monkeypatch.setattr("kernel.runtime.node._LAST_WRITES_S", 0.5)
    weather = stage.storm()
    stage.start()
    task_id = begun(stage, "early")
    weather.failing = {"all"}
    PuppetPool.made.report(task_id, SettleKind.RELEASE, states.REJECTED)
    stage.stop()
    assert task_id in caplog.text
    assert "the broker is away" in caplog.text


@pytest.mark.parametrize("code", [Code.INVALID, Code.UNAVAILABLE])
def test_a_settlement_refused_alone_fails_alone(stage, monkeypatch, caplog, code):
    stage.start()
    wrong, right = begun(stage, "late"), begun(stage, "late")
    settle = memory_consumer.MemoryConsumer.settle
    refused = []

    def picky(self, actions, deadline):
        results = settle(self, [action for action in actions if action.delivery.message.id != wrong], deadline)
        merged = iter(results)
        answers = []
        for action in actions:
            if action.delivery.message.id == wrong:
                refused.append(action)
                answers.append(SettleResult(DriverError(code, "not this one")))
            else:
                answers.append(next(merged))
        return answers

    monkeypatch.setattr(memory_consumer.MemoryConsumer, "settle", picky)
    PuppetPool.made.report(wrong)
    PuppetPool.made.report(right)
    until(lambda: stage.depth().in_flight == 1, what="the other one to be settled")
    if code is Code.INVALID:
        until(lambda: "could not be settled" in caplog.text)
        assert not stage.node.desk.settlement
    else:
        until(lambda: len(refused) >= 3, what="further tries")
        monkeypatch.undo()
        until(stage.settled)


def test_an_errback_that_fails_is_logged(stage, caplog):
    stage.task("told", lambda request, error, traceback: 1 / 0)
    stage.start()
    errbacks = b'[[], {}, {"errbacks": [{"task": "told", "args": [], "kwargs": {}, "options": {}}]}]'
    task_id = stage.send("early", body=errbacks)
    until(lambda: PuppetPool.made.job(task_id))
    PuppetPool.made.lose(task_id)
    until(lambda: "Errback told" in caplog.text)
    assert "ZeroDivisionError" in caplog.text


def test_a_duty_that_fails_goes_on(monkeypatch, caplog):
    monkeypatch.setattr("kernel.runtime.timer._AFTER_ERROR_S", 0.01)
    turns, enough = [], threading.Event()

    def duty():
        turns.append(1)
        if len(turns) == 1:
            raise RuntimeError("once")
        enough.set()
        return 60.0

    timer = Timer("kernel-test", duty)
    timer.start()
    assert enough.wait(30)
    timer.close()
    assert len(turns) == 2
    assert "kernel-test failed and goes on" in caplog.text
    timer.close()


def test_a_hurried_duty_comes_at_once():
    turns = []

    def duty():
        turns.append(1)
        return 3600.0

    timer = Timer("kernel-test", duty)
    timer.start()
    until(lambda: len(turns) == 1)
    timer.hurry()
    until(lambda: len(turns) == 2)
    timer.close()


def test_news_keep_their_order_and_ring_while_somebody_listens():
    inbox, rings = Inbox(), []
    inbox.poke()
    assert inbox.drain() == []
    inbox.listen(lambda: rings.append(1))
    inbox.lease_gone([1, 2])
    inbox.started(3, 77, 1.0)
    inbox.room()
    inbox.listen(None)
    inbox.room()
    assert len(rings) == 3
    assert [each.tag for each in inbox.wait(10.0)] == [1, 2, 3]
    assert inbox.wait(0.01) == []


def test_pauses_between_connections_grow_to_a_bound_and_differ():
    longest = [reconnect_delay(failures, lambda low, high: high) for failures in range(1, 40)]
    shortest = [reconnect_delay(failures, lambda low, high: low) for failures in range(1, 40)]
    assert longest[0] == FIRST_S
    assert longest == sorted(longest)
    assert longest[-1] == LONGEST_S
    assert all(low == high / 2 for low, high in zip(shortest, longest, strict=True))
