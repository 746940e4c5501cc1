"""Every outcome has a plan, and every plan a settlement (architecture.md 3, wire.md 2.8 and 10.1)."""

import json
import logging
from datetime import timedelta

import pytest

from kernel.builtins.serializers.json import JsonSerializer
from kernel.contracts.backend import StoreMode
from kernel.contracts.broker import SettleKind
from kernel.contracts.serializer import DecodeLimits
from kernel.engine.codec import Codec
from kernel.engine.plan import Run, Setting, plan
from kernel.engine.records import Records, failure_request
from kernel.errors import BackendGetMetaError, EncodeError, Reject
from kernel.model.config import Config
from kernel.model.context import Request
from kernel.model.options import CallOptions, TaskOptions
from kernel.model.outcome import Failed, Ignored, Rejected, Retried, Succeeded

CODEC = Codec([JsonSerializer()], [], ["json"], DecodeLimits())


class Task:
    bind = False

    def __init__(self, **options):
        self.name, self.body = "proj.task", lambda request, exc, traceback: None
        self.task_options = TaskOptions(self.name, **options)


def records(**settings):
    return Records(Config(**settings), CODEC)


def setting(tasks=None, events=False, log_level=logging.INFO, **settings):
    return Setting(records(**settings), tasks or {}, "w1@host", events, log_level)


def run(task=None, **request):
    return Run(task or Task(), Request(id="t1", task="proj.task", called_directly=False, **request), 100.0, 100.5)


def result(planned):
    return json.loads(planned.record.result)


def test_success_publishes_what_follows_and_names_it_as_children():
    callbacks = [{"task": "next", "options": {"task_id": "c1"}}]
    planned = plan(Succeeded(4), run(callbacks=callbacks), setting(events=True))
    assert planned.settlement is SettleKind.ACK
    assert [call.id for call in planned.calls] == ["c1"]
    assert planned.record.status == "SUCCESS"
    assert planned.mode is StoreMode.IF_NOT_SUCCESS
    assert json.loads(planned.record.children) == [[["c1", None], None]]
    assert result(planned) == 4
    assert [event["type"] for event in planned.events] == ["task-succeeded"]
    assert planned.log == (logging.INFO, "Task proj.task[t1] succeeded in 0.5s: 4")


def test_an_ignored_result_stores_nothing():
    planned = plan(Succeeded(4), run(ignore_result=True), setting(log_level=logging.WARNING))
    assert planned.record is None
    assert planned.log is None
    assert planned.events == ()


@pytest.mark.parametrize("value", [object(), {1: 2}, float])
def test_a_result_nobody_can_carry_is_a_failure(value):
    planned = plan(Succeeded(value), run(), setting())
    assert planned.record.status == "FAILURE"
    assert result(planned)["exc_type"] == "EncodeError"
    assert isinstance(planned.outcome.error, EncodeError)


def test_a_callback_nobody_can_run_is_a_failure():
    planned = plan(Succeeded(1), run(callbacks=[{"task": "x", "subtask_type": "chord"}]), setting())
    assert planned.record.status == "FAILURE"
    assert planned.calls == ()


@pytest.mark.parametrize(
    ("options", "timed_out", "settlement"),
    [
        ({}, False, SettleKind.ACK),
        ({"acks_on_failure": False}, False, SettleKind.REJECT),
        ({"acks_on_failure": False}, True, SettleKind.ACK),
        ({"acks_on_timeout": False}, True, SettleKind.REJECT),
    ],
)
def test_a_failure_is_acknowledged_or_quarantined(options, timed_out, settlement):
    outcome = Failed(ValueError("no"), "Traceback …", timed_out=timed_out)
    planned = plan(outcome, run(Task(**options)), setting(events=True))
    assert planned.settlement is settlement
    assert planned.mode is StoreMode.IF_NOT_FINAL
    assert result(planned) == {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"}
    assert planned.record.traceback == "Traceback …"
    assert planned.log[0] == logging.ERROR
    assert planned.events[0]["exception"] == "ValueError('no')"


def test_an_expected_failure_is_no_error_in_the_log():
    planned = plan(Failed(ValueError("no"), "Traceback …", expected=True), run(), setting())
    assert planned.log == (logging.INFO, "Task proj.task[t1] raised expected: ValueError('no')")


def test_a_failure_may_be_stored_although_results_are_ignored():
    failed = Failed(ValueError(1), "")
    assert plan(failed, run(ignore_result=True), setting()).record is None
    keep = Task(store_errors_even_if_ignored=True)
    assert plan(failed, run(keep, ignore_result=True), setting()).record is not None


def test_errbacks_come_after_the_record():
    errbacks = [{"task": "here"}, {"task": "elsewhere"}]
    planned = plan(Failed(ValueError(1), ""), run(errbacks=errbacks), setting(tasks={"here": Task()}))
    assert [errback.task.name for errback in planned.errbacks.direct] == ["proj.task"]
    assert [call.args for call in planned.errbacks.calls] == [("t1",)]
    assert planned.calls == ()


def test_unreadable_errbacks_do_not_hide_the_failure():
    planned = plan(Failed(ValueError(1), "tb"), run(errbacks=[5]), setting())
    assert planned.record.status == "FAILURE"
    assert "errbacks not run" in planned.record.traceback


def test_a_retry_is_published_under_the_same_id():
    options = CallOptions(retries=1, queue="q")
    error = ValueError("down")
    outcome = Retried(error, "tb", (1,), {"a": 2}, options, 7.5)
    planned = plan(outcome, run(), setting(events=True))
    (call,) = planned.calls
    assert (call.id, call.args, call.kwargs, call.options["countdown"]) == ("t1", (1,), {"a": 2}, 7.5)
    assert "countdown" not in options
    assert planned.record.status == "RETRY"
    assert planned.record.children == '[[["t1", null], null]]'
    assert planned.record.date_done is None
    assert planned.settlement is SettleKind.ACK
    assert planned.events[0]["type"] == "task-retried"


def test_ignored_and_rejected():
    assert plan(Ignored(), run(), setting()).record is None
    requeued = plan(Rejected("full", requeue=True), run(), setting())
    assert (requeued.settlement, requeued.record) == (SettleKind.RELEASE, None)
    rejected = plan(Rejected("full", requeue=False), run(), setting(events=True))
    assert rejected.settlement is SettleKind.REJECT
    assert "full" in rejected.reason
    assert rejected.record.status == "FAILURE"
    assert isinstance(records().meta(rejected.record).result, Reject)
    assert rejected.events[0]["requeue"] is False


def test_values_with_a_broken_or_long_repr():
    class Rude(dict):
        def __repr__(self):
            raise RuntimeError

    assert "its repr failed" in plan(Succeeded(Rude()), run(), setting()).log[1]
    long = plan(Succeeded("x" * 5000), run(Task(resultrepr_maxsize=20)), setting())
    assert long.log[1].endswith("…")
    assert len(long.log[1]) < 100


def test_records_carry_what_configuration_asks_for():
    made = records(result_extended=True, result_expires=60)
    request = Request(id="t1", task="proj.task", args=(1, object), kwargs={"a": 1}, delivery_info={"routing_key": "q"})
    request.reply_to = "reply queue"
    request.stamps = {"s": 1}
    request.group, request.parent_id = "g", "p"
    record = made.success(request, [1], "w1@host", 0.0)
    assert (record.ttl_s, record.worker, record.queue, record.group_id) == (60, "w1@host", "q", "g")
    assert record.reply_to == "reply queue"
    assert record.date_done == "1970-01-01T00:00:00+00:00"
    meta = made.meta(record)
    assert meta.result == [1]
    assert meta.kwargs == {"a": 1}
    shown = meta.to_dict()
    assert shown["parent_id"] == "p"
    assert shown["children"] == []
    assert records(result_expires=0).success(request, 1, "w", 0.0).ttl_s is None
    assert made.state(request, "PROGRESS", {"percent": 5}, "w", 0.0).status == "PROGRESS"
    failed = made.state(request, "FAILURE", ValueError(object()), "w", 0.0)
    assert isinstance(made.meta(failed).result, ValueError)


def test_results_may_be_compressed():
    from kernel.builtins.compressors.zlib import ZlibCompressor

    codec = Codec([JsonSerializer()], [ZlibCompressor()], ["json"], DecodeLimits())
    made = Records(Config(result_compression="zlib"), codec)
    request = Request(id="t1")
    record = made.success(request, "x" * 1000, "w", 0.0)
    assert record.result.startswith(b"\x00celery-compressed\x00application/x-gzip\x00")
    assert made.meta(record).result == "x" * 1000


@pytest.mark.parametrize("payload", [b"{", b"\x00celery-compressed\x00none", b"\x00celery-compressed\x00x\x00y"])
def test_damaged_results_are_typed_errors(payload):
    from dataclasses import replace

    made = records()
    record = replace(made.success(Request(id="t1"), 1, "w", 0.0), result=payload)
    with pytest.raises(BackendGetMetaError, match="t1"):
        made.meta(record)
    with pytest.raises(BackendGetMetaError, match="a success without a value"):
        made.meta(replace(record, result=None))
    assert made.meta(replace(record, status="STARTED", result=None)).result is None


def test_failures_may_be_kept_for_another_time():
    request = Request(id="t1")

    def kept(**settings):
        made = records(result_expires=60, **settings)
        failed = made.failure(request, ValueError(1), None, "w", 0.0).ttl_s
        others = {
            made.success(request, 1, "w", 0.0).ttl_s,
            made.failure(request, ValueError(1), None, "w", 0.0, "RETRY").ttl_s,
        }
        assert others == {60}
        return failed

    assert kept() == 60
    assert kept(result_failure_expires=600) == 600
    assert kept(result_failure_expires=0) is None
    assert kept(result_failure_expires=timedelta(minutes=2)) == 120


def test_arguments_are_not_kept_in_the_open_beside_an_encrypted_result():
    class Hiding(JsonSerializer):
        name = "hiding"
        content_type = "application/x-hiding"

        def hides(self):
            return True

    codec = Codec([JsonSerializer(), Hiding()], [], ["json", "hiding"], DecodeLimits())
    request = Request(id="t1", task="proj.task", args=(7,), kwargs={"a": 7})
    for serializer, args in (("json", "[7]"), ("hiding", None), ("application/x-hiding", None)):
        made = Records(Config(result_extended=True, result_serializer=serializer), codec)
        record = made.success(request, 1, "w", 0.0)
        assert (record.args, record.name) == (args, "proj.task")


def test_a_request_from_headers_alone():
    request = failure_request({"task": "x", "retries": "many", "root_id": 5, "group": "g"}, "t9")
    assert (request.id, request.task, request.retries, request.root_id, request.group) == ("t9", "x", 0, None, "g")
