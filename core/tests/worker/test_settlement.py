"""Every way a delivery can end, with a pool that does what the test says: each branch settles, and none loses."""

import sys
import time
from types import SimpleNamespace

import pytest
from worker_fakes import QUARANTINE, until
from worker_pool_fake import PuppetPool

from kernel.contracts.broker import SettleKind
from kernel.contracts.deadline import Deadline
from kernel.contracts.pool import LossCause, PoolOptions
from kernel.engine.quarantine import ORIGIN, REASON
from kernel.errors import Code, DriverError, ImproperlyConfigured, TaskRevokedError, TimeLimitExceeded, WorkerLostError
from kernel.model import states
from kernel.runtime.request import Request
from kernel.runtime.shutdown import Level


@pytest.fixture
def stage(site):
    site.pool = PuppetPool
    site.pool_options = PoolOptions(size=4)
    site.task("early", None)
    site.task("late", None, acks_late=True)
    site.configure(task_delivery_limit=3)
    return site


def begun(stage, task, **headers):
    """Send a task and wait until the pool has it."""
    task_id = stage.send(task, (), **headers)
    until(lambda: PuppetPool.made.job(task_id), what="the job")
    return task_id


@pytest.mark.parametrize("task", ["early", "late"])
@pytest.mark.parametrize("state", [states.SUCCESS, states.FAILURE, states.RETRY, states.IGNORED])
def test_an_acknowledged_report_ends_the_message(stage, task, state):
    stage.start()
    PuppetPool.made.report(begun(stage, task), SettleKind.ACK, state)
    until(stage.settled)
    assert stage.quarantined() == []


@pytest.mark.parametrize("task", ["early", "late"])
def test_a_rejected_report_quarantines_the_message_with_its_reason(stage, task):
    stage.start()
    task_id = begun(stage, task)
    PuppetPool.made.report(task_id, SettleKind.REJECT, states.REJECTED, reason="bad body")
    (kept,) = until(stage.quarantined)
    assert kept.message.id == task_id
    if task == "late":  # the broker keeps the reason itself
        assert (kept.dead_reason, kept.dead_queue) == ("bad body", "work")
    else:  # a copy was sent, the message itself was acknowledged before
        assert (kept.message.headers[REASON], kept.message.headers[ORIGIN]) == ("bad body", "work")
    until(stage.settled)


def test_acks_on_failure_is_about_late_acknowledgement_only(stage):
    stage.start()
    PuppetPool.made.report(begun(stage, "early"), SettleKind.REJECT, states.FAILURE, reason="failed")
    until(stage.settled)
    PuppetPool.made.report(begun(stage, "late"), SettleKind.REJECT, states.FAILURE, reason="failed")
    until(lambda: len(stage.quarantined()) == 1)


@pytest.mark.parametrize("task", ["early", "late"])
def test_a_released_report_brings_the_message_back(stage, task):
    stage.start()
    task_id = begun(stage, task)
    PuppetPool.made.report(task_id, SettleKind.RELEASE, states.REJECTED)
    until(lambda: PuppetPool.made.job(task_id), what="the second delivery")
    assert PuppetPool.made.job(task_id).payload.attempt == (2 if task == "late" else 1)
    PuppetPool.made.report(task_id)
    until(stage.settled)


@pytest.mark.parametrize("task", ["early", "late"])
def test_a_released_report_may_ask_for_a_pause(stage, task):
    stage.start()
    task_id = begun(stage, task)
    PuppetPool.made.report(task_id, SettleKind.RELEASE, states.REJECTED, seconds=60.0)
    until(lambda: stage.depth().delayed == 1, what="a delayed message")
    assert PuppetPool.made.job(task_id) is None


def test_a_report_for_nobody_changes_nothing(stage):
    stage.start()
    task_id = begun(stage, "late")
    job = PuppetPool.made.job(task_id)
    PuppetPool.made.report(task_id)
    until(stage.settled)
    PuppetPool.made.jobs[job.tag] = job
    PuppetPool.made.report(task_id, SettleKind.RELEASE, states.REJECTED)
    PuppetPool.made.report(begun(stage, "late"))
    until(stage.settled)


def test_an_early_task_whose_executor_dies_fails(stage):
    stage.start()
    task_id = begun(stage, "early")
    PuppetPool.made.lose(task_id)
    meta = stage.result(task_id)
    assert meta.status == states.FAILURE
    assert isinstance(meta.result, WorkerLostError)
    assert "signal 9" in str(meta.result)
    until(stage.settled)


def test_a_late_task_whose_executor_dies_runs_again_until_its_limit(stage):
    stage.start()
    task_id = begun(stage, "late")
    for attempt in (1, 2, 3):
        until(lambda: PuppetPool.made.job(task_id), what=f"delivery {attempt}")
        assert PuppetPool.made.job(task_id).payload.attempt == attempt
        assert stage.record(task_id) is None
        PuppetPool.made.lose(task_id)
    assert isinstance(stage.result(task_id).result, WorkerLostError)
    (kept,) = until(stage.quarantined)
    assert "deliveries: 3" in kept.dead_reason
    until(stage.settled)


def test_a_message_that_killed_whole_nodes_is_quarantined_when_it_is_received(stage):
    stage.configure(broker_transport_options={"lease_s": 0.1})
    task_id = stage.send("late", ())
    for _ in range(3):  # three nodes that died without a word
        consumer = stage.broker.consumer(["work"], 0)
        assert len(consumer.receive(1, 0)) == 1
        consumer.close(release=False, deadline=Deadline.after(5.0))
        _end_leases(stage)
    stage.start()
    assert isinstance(stage.result(task_id).result, WorkerLostError)
    (kept,) = until(stage.quarantined)
    assert "delivered 4 times" in kept.dead_reason
    assert PuppetPool.made.job(task_id) is None
    until(stage.settled)


def _end_leases(stage):
    """Wait until the message is visible again; leases are short here."""
    until(lambda: stage.depth().ready == 1, what="the end of the lease")


def test_a_hard_limit_fails_the_task_early_and_late(stage):
    stage.start()
    for task in ("early", "late"):
        task_id = begun(stage, task, timelimit=[7, None])
        assert PuppetPool.made.job(task_id).hard_limit == 7.0
        PuppetPool.made.lose(task_id, LossCause.HARD_LIMIT)
        meta = stage.result(task_id)
        assert isinstance(meta.result, TimeLimitExceeded)
        assert meta.result.args == (7.0,)
    until(stage.settled)


def test_a_hard_limit_quarantines_where_timeouts_are_not_acknowledged(stage):
    stage.task("strict", None, acks_late=True, acks_on_timeout=False)
    stage.start()
    task_id = begun(stage, "strict", timelimit=[7, None])
    PuppetPool.made.lose(task_id, LossCause.HARD_LIMIT)
    assert isinstance(stage.result(task_id).result, TimeLimitExceeded)
    (kept,) = until(stage.quarantined)
    assert "7.0 s" in kept.dead_reason


def test_a_terminated_task_is_revoked(stage):
    stage.start()
    task_id = begun(stage, "late")
    PuppetPool.made.lose(task_id, LossCause.TERMINATED)
    meta = stage.result(task_id)
    assert meta.status == states.REVOKED
    assert isinstance(meta.result, TaskRevokedError)
    until(stage.settled)


def test_ignored_results_are_not_stored_for_a_lost_executor(stage):
    stage.task("quiet", None, ignore_result=True)
    stage.task("loud", None, ignore_result=True, store_errors_even_if_ignored=True)
    stage.start()
    quiet, loud, asked = begun(stage, "quiet"), begun(stage, "loud"), begun(stage, "quiet", ignore_result=False)
    for task_id in (quiet, loud, asked):
        PuppetPool.made.lose(task_id)
    assert stage.result(loud).status == states.FAILURE
    assert stage.result(asked).status == states.FAILURE
    assert stage.record(quiet) is None


def test_results_are_stored_before_the_message_is_settled(stage, monkeypatch):
    """While the result store is away, the message stays; when it is back, both are done."""
    stage.task("strict", None, acks_late=True, reject_on_worker_lost=False)
    stage.start()
    task_id = begun(stage, "strict")
    backend = type(stage.client.backend)
    whole = backend.store

    def away(self, records, mode, deadline):
        raise DriverError(Code.UNAVAILABLE, "the store is away")

    monkeypatch.setattr(backend, "store", away)
    PuppetPool.made.lose(task_id)
    until(lambda: len(stage.node.desk.endings) == 1, what="a waiting result")
    until(lambda: stage.node.desk.endings._failures >= 3, what="attempts")
    assert stage.depth().in_flight == 1
    monkeypatch.setattr(backend, "store", whole)
    assert stage.result(task_id).status == states.FAILURE
    until(stage.settled)


def test_without_a_backend_everything_is_settled_all_the_same(stage):
    stage.configure(result_backend=None)
    stage.start()
    PuppetPool.made.lose(begun(stage, "early"))
    stage.send("nobody")
    until(stage.settled)
    until(stage.quarantined)


@pytest.mark.parametrize("task", ["early", "late"])
def test_what_has_not_begun_goes_back_when_the_node_stops(stage, task):
    stage.start()
    running, waiting = begun(stage, task), begun(stage, task)
    PuppetPool.made.unbegun.add(PuppetPool.made.job(waiting).tag)
    stage.node.stop(Level.WARM)
    until(lambda: stage.depth().ready == 1, what="the message that went back")
    (back,) = stage.broker.peek("work", 10, Deadline.after(5.0))
    assert back.message.id == waiting
    assert not PuppetPool.made.stopped
    PuppetPool.made.report(running)
    stage.thread.join(30)
    assert stage.code == 0
    assert stage.depth().ready == 1
    assert not stage.depth().in_flight


def test_a_message_that_never_began_keeps_its_attempts(stage):
    stage.start()
    task_id = begun(stage, "late")
    PuppetPool.made.unbegun.add(PuppetPool.made.job(task_id).tag)
    stage.stop()
    (delivery,) = stage.broker.consumer(["work"], 0).receive(1, 5.0)
    assert delivery.attempt == 1


def test_a_cold_stop_releases_late_tasks_and_fails_early_ones(stage):
    stage.start()
    early, late = begun(stage, "early"), begun(stage, "late")
    assert stage.stop(Level.COLD) == 1
    assert PuppetPool.made.stopped
    assert "shut down" in str(stage.result(early).result)
    assert stage.record(late) is None
    assert stage.depth().ready == 1


def test_a_soft_stop_waits_first(stage):
    stage.configure(worker_soft_shutdown_timeout=30.0)
    stage.start()
    task_id = begun(stage, "late")
    stage.node.stop(Level.COLD)
    PuppetPool.made.report(task_id)
    stage.thread.join(30)
    assert stage.code == 0
    until(stage.settled)


def test_a_soft_stop_ends_what_runs_when_its_time_is_over(stage):
    stage.configure(worker_soft_shutdown_timeout=0.2)
    stage.start()
    begun(stage, "late")
    assert stage.stop(Level.COLD) == 1
    assert stage.depth().ready == 1


def test_a_soft_stop_may_wait_although_nothing_runs(stage):
    stage.configure(worker_soft_shutdown_timeout=0.5, worker_enable_soft_shutdown_on_idle=True)
    stage.start()
    began = time.monotonic()
    assert stage.stop(Level.COLD) == 0
    assert time.monotonic() - began >= 0.5


class Watched(Request):
    told = []

    def on_accepted(self, pid, time_accepted):
        self.told.append(("accepted", self.task.name))

    def on_timeout(self, soft, timeout):
        super().on_timeout(soft, timeout)
        self.told.append(("timeout", soft, timeout))

    def on_success(self, failed__retval__runtime, **kwargs):
        self.told.append(("success", failed__retval__runtime[2]))

    def on_retry(self, exc_info):
        self.told.append(("retry", str(exc_info.exception)))

    def on_failure(self, exc_info, send_failed_event=True, return_ok=False):
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        self.told.append(("failure", str(exc_info.exception)))
        raise RuntimeError("an application's error must not end the node")


def test_custom_requests_are_told(stage):
    Watched.told = []
    stage.task("watched", None, request="worker_requests_test:Watched")
    sys.modules["worker_requests_test"] = SimpleNamespace(Watched=Watched)
    try:
        stage.start()
    finally:
        del sys.modules["worker_requests_test"]
    assert PuppetPool.made.tell_starts
    tag = PuppetPool.made.job(task_id := begun(stage, "watched")).tag
    PuppetPool.made.listener.started(tag, 77, 1.0)
    PuppetPool.made.report(task_id, runtime_s=0.25)
    PuppetPool.made.report(begun(stage, "watched"), state=states.RETRY, detail={"exception": "again"})
    PuppetPool.made.report(
        begun(stage, "watched", timelimit=[None, 3]),
        state=states.FAILURE,
        detail={"exception": "no", "timed_out": True},
    )
    PuppetPool.made.lose(begun(stage, "watched", timelimit=[9, None]), LossCause.HARD_LIMIT)
    until(lambda: len(Watched.told) == 7)
    assert Watched.told == [
        ("accepted", "watched"),
        ("success", 0.25),
        ("retry", "again"),
        ("timeout", True, 3.0),
        ("failure", "no"),
        ("timeout", False, 9.0),
        ("failure", "9.0"),
    ]
    assert stage.thread.is_alive()


class Refusing(Request):
    def __init__(self, task, entry, hostname):
        raise RuntimeError("no")


def test_a_request_class_that_fails_costs_nothing_but_itself(stage):
    stage.task("watched", None, request=Refusing)
    stage.start()
    PuppetPool.made.report(begun(stage, "watched"))
    until(stage.settled)
    assert stage.quarantined() == []


def test_news_nobody_can_act_on_does_not_end_the_node(stage, monkeypatch):
    stage.start()
    monkeypatch.setattr(stage.node._finish, "_reported", lambda report: 1 / 0)
    PuppetPool.made.report(begun(stage, "late"))
    monkeypatch.undo()
    PuppetPool.made.report(begun(stage, "early"))
    assert stage.thread.is_alive()


@pytest.mark.parametrize("wrong", ["no.such:Thing", "json:JSONDecoder", 7, "nothing"])
def test_a_request_class_that_is_none_is_named_at_start(stage, wrong):
    stage.task("odd", None, request=wrong)
    with pytest.raises(ImproperlyConfigured, match="odd"):
        stage.make_node()


def test_the_quarantine_queue_is_declared(stage):
    stage.start()
    assert stage.depth(QUARANTINE).ready == 0
