"""ETA, rate limits, leases: what is not run now, and what takes long."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from worker_fakes import until

from kernel.builtins.memory import broker as memory_broker
from kernel.errors import ImproperlyConfigured


def at(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.fixture
def ran(site):
    """Names and times of what ran."""
    found = []
    for name, late in (("early", False), ("late", True)):
        site.task(name, lambda n=0: found.append((n, time.time())), acks_late=late)
    return found


@pytest.mark.parametrize("task", ["early", "late"])
def test_what_is_due_in_a_moment_waits_here_and_runs_in_time(site, ran, task):
    site.start()
    due = time.time() + 0.6
    site.send(task, (), eta=datetime.fromtimestamp(due, UTC).isoformat())
    until(lambda: len(site.node.desk.waiting) == 1, what="a waiting message")
    assert site.depth().in_flight == 1
    until(lambda: ran)
    assert due <= ran[0][1]
    until(site.settled)


def test_what_is_due_later_waits_in_the_broker(site, ran):
    site.start()
    task_id = site.send("early", (), eta=at(3600))
    until(lambda: site.depth().delayed == 1, what="a delayed message")
    assert len(site.node.desk.waiting) == 0
    assert site.broker.peek("work", 1, _soon()) == []
    assert ran == []
    assert site.record(task_id) is None


def test_waiting_for_its_time_costs_no_attempt(site, ran):
    site.start()
    site.send("late", (), eta=at(1.5))
    until(lambda: ran)
    until(site.settled)
    assert not site.quarantined()


def test_a_message_that_waits_goes_back_when_the_node_stops(site, ran):
    site.start()
    site.send("early", (), eta=at(0.9))
    until(lambda: len(site.node.desk.waiting) == 1)
    site.stop()
    assert site.depth().delayed + site.depth().ready == 1
    assert ran == []


def test_it_may_expire_while_it_waits(site, ran):
    site.start()
    task_id = site.send("early", (), eta=at(0.5), expires=at(0.2))
    assert site.result(task_id).status == "REVOKED"
    until(site.settled)


def test_a_broker_without_delays_leaves_the_waiting_to_the_node(site, ran, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: NO_DELAY)
    NO_DELAY = replace(memory_broker.CAPS, nack_delay=False, delay=False)
    site.start()
    site.send("early", (), eta=at(3600))
    until(lambda: len(site.node.desk.waiting) == 1)
    site.stop()
    assert site.depth().ready == 1


def test_a_delay_beyond_what_the_broker_takes_is_cut(site, ran, monkeypatch):
    from dataclasses import replace

    short = replace(memory_broker.CAPS, limits=replace(memory_broker.CAPS.limits, max_delay_s=1.2))
    monkeypatch.setattr(memory_broker.MemoryBroker, "capabilities", lambda self: short)
    site.start()
    due = time.time() + 3.0
    site.send("early", (), eta=datetime.fromtimestamp(due, UTC).isoformat())
    until(lambda: ran)
    assert due <= ran[0][1]


def test_a_rate_limit_spaces_the_starts(site, ran):
    site.tasks["early"].rate_limit = "10/s"
    site.start()
    for n in range(8):
        site.send("early", (n,))
    until(lambda: len(ran) == 8)
    starts = sorted(moment for _, moment in ran)
    assert starts[-1] - starts[0] >= 0.6
    until(site.settled)


def test_the_default_rate_limit_and_the_switch_that_turns_all_off(site, ran):
    site.configure(task_default_rate_limit="1/h")
    site.start()
    for n in range(2):
        site.send("early", (n,))
    until(lambda: site.depth().delayed == 1, what="a limited message")
    site.stop()
    site.hooks.calls.clear()
    site.configure(worker_disable_rate_limits=True)
    site.start()
    site.send("early", (2,))
    until(lambda: len(ran) == 2)


def test_a_wrong_rate_limit_is_an_error_at_start(site, ran):
    site.tasks["early"].rate_limit = "often"
    with pytest.raises(ImproperlyConfigured, match="often"):
        site.make_node()


def test_a_lease_is_renewed_as_long_as_the_task_runs(site):
    site.configure(broker_transport_options={"lease_s": 2.0})
    runs, go = [], threading.Event()

    def body():
        runs.append(1)
        assert go.wait(30)

    site.task("slow", body, acks_late=True)
    site.start()
    site.send("slow", ())
    until(lambda: runs)
    time.sleep(4.5)  # two leases; nothing may happen in them
    assert site.depth().in_flight == 1
    go.set()
    until(site.settled)
    assert runs == [1]
    assert site.node._leases.lost == 0


def test_a_lease_that_was_lost_meanwhile_is_told_and_not_acknowledged(site):
    weather = site.storm()
    site.configure(broker_transport_options={"lease_s": 0.3})
    begun, go = threading.Event(), threading.Event()

    def body():
        begun.set()
        assert go.wait(30)

    site.task("slow", body, acks_late=True)
    site.start()
    task_id = site.send("slow", ())
    assert begun.wait(30)
    weather.lose_leases.add(task_id)
    until(lambda: site.node._leases.lost == 1, what="the lost lease")
    weather.lose_leases.clear()
    settled = weather.calls.count("settle")
    go.set()
    until(lambda: not len(site.node.ledger), what="the report")
    assert weather.calls.count("settle") == settled


def test_leases_survive_a_broker_that_is_away_for_a_moment(site):
    weather = site.storm()
    site.configure(broker_transport_options={"lease_s": 3.0})
    runs, go = [], threading.Event()

    def body():
        runs.append(1)
        assert go.wait(30)

    site.task("slow", body, acks_late=True)
    site.start()
    site.send("slow", ())
    until(lambda: runs)
    weather.failing = {"extend"}
    until(lambda: weather.calls.count("extend") >= 1, what="a renewal that fails")
    weather.failing = set()
    time.sleep(4.0)  # longer than the lease
    go.set()
    until(site.settled)
    assert runs == [1]


def _soon():
    from kernel.contracts.deadline import Deadline

    return Deadline.after(5.0)
