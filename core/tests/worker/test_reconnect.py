"""A broker that comes and goes (pains P01): nothing is dropped, and the node takes up its work again."""

import threading
import time

import pytest
from worker_fakes import until

from kernel.errors import Applied, Code, DriverError
from kernel.runtime.consumer import LONGEST_WAIT_S
from kernel.runtime.shutdown import Level


@pytest.fixture
def weather(site):
    return site.storm()


def test_work_goes_on_after_a_loss(site, weather):
    site.task("add", lambda x, y: x + y)
    site.start()
    assert site.result(site.send()).result == 5
    weather.failing = {"all"}
    task_id = site.send(args=(3, 4))
    until(lambda: weather.calls.count("open") >= 3, what="attempts to connect")
    weather.failing = set()
    assert site.result(task_id).result == 7
    assert weather.calls.count("declare") >= 2
    until(site.settled)


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.TIMEOUT, Code.CLOSED, Code.NOT_FOUND, Code.INTERNAL])
def test_every_kind_of_loss_is_survived(site, weather, code):
    site.task("add", lambda x, y: x + y)
    site.start()
    weather.code = code
    weather.failing = {"receive"}
    until(lambda: weather.calls.count("declare") >= 2, what="a new connection")
    weather.failing = set()
    assert site.result(site.send()).result == 5


def test_a_defect_of_the_driver_does_not_end_the_node(site, weather):
    site.task("add", lambda x, y: x + y)
    site.start()
    weather.raises = ZeroDivisionError("a bug")
    weather.failing = {"receive", "settle"}
    until(lambda: weather.calls.count("declare") >= 2, what="a new connection")
    weather.failing = set()
    assert site.result(site.send()).result == 5
    until(site.settled)


def test_flapping_loses_nothing(site, weather):
    ran, lock = [], threading.Lock()

    def note(n):
        with lock:
            ran.append(n)

    site.task("early", note, ignore_result=True)
    site.task("late", note, ignore_result=True, acks_late=True)
    site.start()
    for n in range(300):
        site.send("late" if n % 2 else "early", (n,))
        if n % 25 == 0:
            weather.failing = {"all"}
            until(lambda: not site.node._link.up, what="the loss")
            weather.failing = set()
    until(lambda: len(ran) >= 300 and site.settled(), what="all tasks")
    assert sorted(ran) == list(range(300))


def test_a_running_task_goes_on_and_is_settled_afterwards(site, weather):
    begun, go = threading.Event(), threading.Event()

    def body():
        begun.set()
        assert go.wait(30)

    site.task("slow", body, acks_late=True)
    site.start()
    task_id = site.send("slow", ())
    assert begun.wait(30)
    weather.failing = {"all"}
    until(lambda: not site.node._link.up, what="the loss")
    go.set()
    site.result(task_id)
    assert site.depth().in_flight == 1
    weather.failing = set()
    until(site.settled)


def test_an_acknowledgement_that_failed_is_repeated_before_the_body_runs(site, weather):
    ran = []
    site.task("early", lambda: ran.append(site.depth().in_flight))
    site.start()
    weather.failing = {"settle"}
    site.send("early", ())
    until(lambda: weather.calls.count("settle") >= 2, what="a second try")
    assert ran == []
    weather.failing = set()
    until(lambda: ran)
    assert ran == [0]


@pytest.mark.parametrize(("outcome", "runs"), [(Applied.UNKNOWN, True), (Applied.NOT_APPLIED, False)])
def test_after_an_acknowledgement_of_unknown_fate_the_task_is_rather_run_than_lost(site, weather, outcome, runs):
    ran = []
    site.task("early", lambda: ran.append(1))
    site.start()
    weather.outcome = outcome
    weather.failing = {"settle"}
    task_id = site.send("early", ())
    until(lambda: weather.calls.count("settle") >= 2, what="a second try")
    weather.lose_leases.add(task_id)
    weather.failing = set()
    until(lambda: not site.node.desk.settlement, what="the end of it")
    assert site.send("early", ())
    until(lambda: len(ran) >= (2 if runs else 1))
    site.stop()
    assert len(ran) == (2 if runs else 1)


def test_a_lost_lease_is_not_acknowledged_and_counted(site, weather):
    site.task("late", lambda: None, acks_late=True)
    site.start()
    task_id = site.send("late", ())
    weather.lose_leases.add(task_id)
    until(lambda: site.node.desk.settlement.lost == 1, what="the lost lease")
    assert not site.node.desk.settlement


def test_without_retry_at_start_the_error_is_raised(site, weather):
    site.configure(broker_connection_retry_on_startup=False)
    weather.failing = {"open"}
    site.start(ready=False)
    site.thread.join(30)
    assert isinstance(site.error, DriverError)
    assert site.error.code is Code.UNAVAILABLE


def test_with_retry_at_start_the_node_waits_for_its_broker(site, weather):
    site.task("add", lambda x, y: x + y)
    weather.failing = {"open"}
    site.start(ready=False)
    until(lambda: weather.calls.count("open") >= 3, what="attempts")
    weather.failing = set()
    assert site.result(site.send()).result == 5


def test_a_limit_of_attempts_ends_the_node(site, weather):
    site.configure(broker_connection_max_retries=2)
    weather.failing = {"open"}
    site.start(ready=False)
    site.thread.join(30)
    assert isinstance(site.error, DriverError)
    assert weather.calls.count("open") == 3


@pytest.mark.parametrize("code", [Code.AUTH, Code.CONFLICT, Code.INVALID])
def test_what_waiting_cannot_cure_ends_the_start_at_once(site, weather, code):
    weather.code = code
    weather.failing = {"declare"}
    site.start(ready=False)
    site.thread.join(30)
    assert site.error.code is code
    assert weather.calls.count("declare") == 1


def test_without_retry_a_loss_ends_the_node_after_its_work(site, weather):
    site.configure(broker_connection_retry=False)
    begun, go = threading.Event(), threading.Event()

    def body():
        begun.set()
        assert go.wait(30)
        return "done"

    site.task("slow", body)
    site.start()
    task_id = site.send("slow", ())
    assert begun.wait(30)
    weather.failing = {"all"}
    until(lambda: weather.calls[-1] != "receive" and not site.node._link.up, what="the loss")
    time.sleep(0.3)  # long enough for a node that would not wait to end what runs
    go.set()
    site.thread.join(30)
    assert isinstance(site.error, DriverError)
    assert site.result(task_id).result == "done"


def test_a_node_can_be_stopped_while_it_waits_for_its_broker(site, weather):
    weather.failing = {"open"}
    site.start(ready=False)
    until(lambda: weather.calls.count("open") >= 2, what="attempts")
    assert site.stop() == 0


def test_a_stop_while_the_broker_is_away_ends_in_time(site, weather, monkeypatch):
    monkeypatch.setattr("kernel.runtime.node._LAST_WRITES_S", 1.0)
    begun, go = threading.Event(), threading.Event()

    def body():
        begun.set()
        assert go.wait(30)

    site.task("slow", body, acks_late=True)
    site.start()
    site.send("slow", ())
    assert begun.wait(30)
    weather.failing = {"all"}
    go.set()
    site.node.stop(Level.WARM)
    site.thread.join(60)
    assert not site.thread.is_alive()
    assert site.depth().in_flight + site.depth().ready == 1  # it comes back when its lease ends


def test_an_idle_node_sleeps(site, weather):
    site.start()
    time.sleep(0.2)
    used, began = time.process_time(), time.monotonic()
    time.sleep(2.0)
    share = (time.process_time() - used) / (time.monotonic() - began)
    assert share < 0.2  # a busy loop takes all of it
    assert LONGEST_WAIT_S >= 5.0
