"""The writes of a plan: their order, their retries, and what a refused one turns into."""

import itertools
import logging

import pytest

from kernel.builtins.memory.backend import MemoryBackend
from kernel.builtins.serializers.json import JsonSerializer
from kernel.contracts.backend import StoreMode, StoreResult
from kernel.contracts.broker import SettleKind
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import PluginContext
from kernel.contracts.serializer import DecodeLimits
from kernel.engine.codec import Codec
from kernel.engine.plan import Run, Setting, plan
from kernel.engine.records import Records
from kernel.errors import Code, DriverError, OperationalError
from kernel.model.config import Config
from kernel.model.context import Request, current
from kernel.model.options import CallOptions, TaskOptions
from kernel.model.outcome import Failed, Ignored, Retried, Succeeded
from kernel.runtime.commit import Committer, Done
from kernel.runtime.joins import LocalJoins
from kernel.runtime.middleware import MAX_FAILURES, Middleware

CODEC = Codec([JsonSerializer()], [], ["json"], DecodeLimits())
NAMES = itertools.count()


class Publisher:
    def __init__(self, log):
        self.log, self.refuse, self.code = log, set(), Code.UNAVAILABLE

    def publish(self, calls):
        if self.refuse & {call.task for call in calls}:
            raise OperationalError("refused", code=self.code)
        self.log.append(("publish", [call.task for call in calls]))


class Backend:
    """The memory backend, with failures to order."""

    def __init__(self, log):
        self.inner = MemoryBackend(f"memory://commit-{next(NAMES)}", {}, PluginContext())
        self.inner.open(Deadline.after(1))
        self.log, self.errors = log, []

    def store(self, records, mode, deadline):
        if self.errors:
            error = self.errors.pop(0)
            if isinstance(error, DriverError):
                raise error
            return [StoreResult(False, error.get(record.id)) for record in records]
        self.log.append(("store", [(record.id, record.status) for record in records]))
        return self.inner.store(records, mode, deadline)

    def status(self, task_id):
        (record,) = self.inner.fetch([task_id], Deadline.after(1))
        return record and record.status


class Services:
    def __init__(self, **settings):
        self.log = []
        self.config = Config(result_backend_base_sleep_between_retries_ms=1, **settings)
        self.publisher, self.backend, self.joins = Publisher(self.log), Backend(self.log), LocalJoins()


class Task:
    bind, has_handlers = False, False

    def __init__(self, log, handlers=False):
        self.name, self.log, self.has_handlers = "proj.task", log, handlers
        self.task_options = TaskOptions(self.name)

    def body(self, request, exc, traceback):
        self.log.append(("errback", request.id, type(exc).__name__))

    def on_success(self, retval, task_id, args, kwargs):
        self.log.append(("on_success", retval, current.get().request.id))

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        self.log.append(("on_failure", einfo.traceback))

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        self.log.append(("on_retry", task_id))

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        self.log.append(("after_return", status))
        raise RuntimeError("handlers may fail")


class Bench:
    def __init__(self, handlers=False, middleware=(), **settings):
        self.services = Services(**settings)
        self.log = self.services.log
        self.task = Task(self.log, handlers)
        records = Records(self.services.config, CODEC)
        self.setting = Setting(records, {"errback": self.task}, "w", False, logging.INFO)
        self.committer = Committer(self.services, self.setting, Middleware(middleware))

    def done(self, outcome, tag=1, **request):
        run = Run(self.task, Request(id=f"t{tag}", task="proj.task", **request), 0.0, 1.0)
        return Done(tag, run, plan(outcome, run, self.setting))

    def commit(self, *done):
        return self.committer.commit(list(done))


def test_what_follows_then_the_result_then_handlers():
    bench = Bench(handlers=True)
    (report,) = bench.commit(bench.done(Succeeded(4), callbacks=[{"task": "next"}]))
    assert bench.log == [
        ("publish", ["next"]),
        ("store", [("t1", "SUCCESS")]),
        ("on_success", 4, "t1"),
        ("after_return", "SUCCESS"),
    ]
    assert (report.tag, report.settlement, report.state) == (1, SettleKind.ACK, "SUCCESS")


def test_a_batch_is_one_publish_and_one_store_per_mode():
    bench = Bench()
    done = [bench.done(Succeeded(n), tag=n, callbacks=[{"task": f"next{n}"}]) for n in range(3)]
    reports = bench.commit(*done, bench.done(Failed(ValueError(1), ""), tag=9), bench.done(Ignored(), tag=10))
    assert [kind for kind, *_ in bench.log] == ["publish", "store", "store"]
    assert [report.tag for report in reports] == [0, 1, 2, 9, 10]


def test_errbacks_run_after_the_failure_is_stored():
    bench = Bench(handlers=True)
    errbacks = [{"task": "errback"}, {"task": "elsewhere"}]
    bench.commit(bench.done(Failed(ValueError(1), "tb"), errbacks=errbacks))
    assert bench.log == [
        ("store", [("t1", "FAILURE")]),
        ("publish", ["elsewhere"]),
        ("errback", "t1", "ValueError"),
        ("on_failure", "tb"),
        ("after_return", "FAILURE"),
    ]


def test_a_failing_errback_is_logged_only(caplog):
    bench = Bench()
    bench.task.body = lambda request, exc, traceback: 1 / 0
    (report,) = bench.commit(bench.done(Failed(ValueError(1), "tb"), errbacks=[{"task": "errback"}]))
    assert report.settlement is SettleKind.ACK
    assert "Errback" in caplog.text


def test_a_refused_callback_fails_the_task_it_belongs_to_and_no_other():
    bench = Bench()
    bench.services.publisher.refuse = {"bad"}
    good = bench.done(Succeeded(1), tag=1, callbacks=[{"task": "good"}])
    bad = bench.done(Succeeded(2), tag=2, callbacks=[{"task": "bad"}])
    reports = bench.commit(good, bad, bench.done(Succeeded(3), tag=3))
    assert [report.state for report in reports] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert bench.services.backend.status("t2") == "FAILURE"
    assert bench.services.backend.status("t1") == "SUCCESS"


@pytest.mark.parametrize(
    ("late", "code", "state"),
    [
        (True, Code.UNAVAILABLE, "REJECTED"),
        (True, Code.TOO_LARGE, "FAILURE"),
        (False, Code.UNAVAILABLE, "FAILURE"),
    ],
)
def test_with_late_acknowledgement_a_success_outlives_a_broker_that_is_away(late, code, state):
    """Its body may run again, so the chain goes on when the broker is back; what is refused for good is a failure."""
    bench = Bench()
    bench.task.task_options = TaskOptions("proj.task", acks_late=late)
    bench.services.publisher.refuse, bench.services.publisher.code = {"next"}, code
    (report,) = bench.commit(bench.done(Succeeded(1), callbacks=[{"task": "next"}]))
    assert (report.state, report.settlement is SettleKind.RELEASE) == (state, state == "REJECTED")
    assert bench.services.backend.status("t1") == (None if state == "REJECTED" else "FAILURE")


def test_a_retry_that_cannot_be_sent_gives_the_message_back():
    bench = Bench(handlers=True)
    bench.services.publisher.refuse = {"proj.task"}
    (report,) = bench.commit(bench.done(Retried(ValueError(1), "", (), {}, CallOptions(), 1.0)))
    assert report.settlement is SettleKind.RELEASE
    assert bench.services.backend.status("t1") is None
    assert bench.log == []


def test_an_errback_that_cannot_be_sent_gives_the_message_back():
    bench = Bench()
    bench.services.publisher.refuse = {"elsewhere"}
    (report,) = bench.commit(bench.done(Failed(ValueError(1), ""), errbacks=[{"task": "elsewhere"}]))
    assert report.settlement is SettleKind.RELEASE


@pytest.mark.parametrize("failures", [1, 5])
def test_a_store_is_retried_until_it_succeeds(failures):
    bench = Bench()
    bench.services.backend.errors = [DriverError(Code.UNAVAILABLE, "down")] * failures
    (report,) = bench.commit(bench.done(Succeeded(1)))
    assert report.settlement is SettleKind.ACK
    assert bench.services.backend.status("t1") == "SUCCESS"


def test_only_the_records_that_failed_are_stored_again():
    bench = Bench()
    bench.services.backend.errors = [{"t2": DriverError(Code.TIMEOUT, "slow")}]
    bench.commit(bench.done(Succeeded(1), tag=1), bench.done(Succeeded(2), tag=2))
    assert bench.log == [("store", [("t2", "SUCCESS")])]


def test_a_result_that_can_never_be_stored_is_a_failure():
    bench = Bench()
    bench.services.backend.errors = [{"t1": DriverError(Code.TOO_LARGE, "1 MB at most")}]
    (report,) = bench.commit(bench.done(Succeeded("x")))
    assert report.state == "FAILURE"
    assert report.settlement is SettleKind.ACK
    assert bench.services.backend.status("t1") == "FAILURE"


def test_without_a_backend_nothing_is_stored():
    bench = Bench()
    bench.services.backend = None
    (report,) = bench.commit(bench.done(Succeeded(1)))
    assert report.settlement is SettleKind.ACK
    assert bench.log == []


def test_started_is_stored_once_and_may_fail(caplog):
    bench = Bench()
    request = Request(id="t1", hostname="w", pid=7)
    bench.committer.started(request, 0.0)
    assert bench.services.backend.status("t1") == "STARTED"
    bench.services.backend.errors = [DriverError(Code.UNAVAILABLE, "down")]
    bench.committer.started(request, 0.0)
    assert "STARTED" in caplog.text


def test_a_late_failure_never_replaces_a_success():
    bench = Bench()
    bench.commit(bench.done(Succeeded(1)))
    bench.commit(bench.done(Failed(ValueError(1), "")))
    assert bench.services.backend.status("t1") == "SUCCESS"
    bench.commit(bench.done(Failed(ValueError(1), ""), tag=2))
    bench.commit(bench.done(Succeeded(1), tag=2))
    assert bench.services.backend.status("t2") == "SUCCESS"


def test_observers_are_isolated_counted_and_dropped(caplog):
    class Observer:
        calls = 0

        def task_postrun(self, request, state):
            Observer.calls += 1
            raise RuntimeError("broken observer")

    bench = Bench(middleware=[Observer()])
    for n in range(MAX_FAILURES + 20):
        bench.commit(bench.done(Ignored(), tag=n))
    assert Observer.calls == MAX_FAILURES
    assert "not called any more" in caplog.text


def test_modes_are_what_the_plan_says():
    bench = Bench()
    assert bench.done(Succeeded(1)).plan.mode is StoreMode.IF_NOT_SUCCESS
