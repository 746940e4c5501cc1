"""Results by message, from the call to ``get``: ``result_backend = "rpc://"``."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from kernel import Kernel, allow_join_result, chain, chord, group
from kernel.contracts import Deadline, Outgoing, Record, Settle, SettleKind, StoreMode
from kernel.errors import (
    BackendGetMetaError,
    BackendStoreError,
    Code,
    DriverError,
    ImproperlyConfigured,
    KernelError,
    NotRegistered,
    PluginError,
)
from kernel.exceptions import TimeoutError as TaskTimeoutError
from kernel.model.topology import QueueSpec
from kernel.runtime.link import Link
from kernel.runtime.reply_reader import ReplyReader
from kernel.testing.worker import start_worker

WAIT = 30


def soon():
    return Deadline.after(10)


def until(condition, what="the condition"):
    end = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not come true"
        time.sleep(0.005)
    return found


def broker_of(app):
    return app.client.services.broker


def oid_of(app):
    return app.client.services.mailbox.oid


def exists(app, queue):
    try:
        broker_of(app).depth([queue], soon())
    except DriverError as error:
        if error.code is Code.NOT_FOUND:
            return False
        raise
    return True


@pytest.fixture
def add(app):
    @app.task(name="add")
    def add(x, y):
        return x + y

    return add


def test_values_and_errors_come_back(app, add):
    with start_worker(app):
        assert add.delay(2, 3).get(timeout=WAIT) == 5
        failed = add.delay(2, "a")
        with pytest.raises(TypeError, match="unsupported operand"):
            failed.get(timeout=WAIT)
        assert (failed.state, failed.failed()) == ("FAILURE", True)
        assert "TypeError" in failed.traceback
        unknown = app.send_task("nobody.knows")
        with pytest.raises(NotRegistered, match=r"nobody\.knows"):
            unknown.get(timeout=WAIT)


def test_state_is_pending_until_something_comes(app, add):
    result = add.delay(1, 1)
    assert result.state == "PENDING"
    assert not result.ready()
    with pytest.raises(TaskTimeoutError):
        result.get(timeout=0.05)
    with start_worker(app):
        assert result.get(timeout=WAIT) == 2


def test_what_came_before_anybody_asked_is_there(app, add):
    with start_worker(app):
        results = [add.delay(n, n) for n in range(20)]
        until(lambda: broker_of(app).depth([oid_of(app)], soon())[oid_of(app)].ready == 20, "results in the queue")
    assert results[7].state == "SUCCESS"
    assert [result.get(timeout=WAIT) for result in reversed(results)] == [2 * n for n in reversed(range(20))]
    assert [result.get(timeout=WAIT) for result in results] == [2 * n for n in range(20)]


def test_every_state_is_a_message_and_told_to_on_message(app):
    @app.task(bind=True, track_started=True)
    def steps(self):
        for n in range(50):
            self.update_state(state="PROGRESS", meta={"n": n})
        return "done"

    seen = []
    with start_worker(app):
        assert steps.delay().get(timeout=WAIT, on_message=seen.append) == "done"
    assert [body["status"] for body in seen] == ["STARTED", *["PROGRESS"] * 50, "SUCCESS"]
    assert [body["result"] for body in seen[1:-1]] == [{"n": n} for n in range(50)]


def test_retries_are_told_and_the_end_is_reached(app):
    @app.task(bind=True, max_retries=2, default_retry_delay=0)
    def shaky(self):
        if self.request.retries < 2:
            raise self.retry(exc=ValueError("not yet"))
        return self.request.retries

    seen = []
    with start_worker(app):
        assert shaky.delay().get(timeout=WAIT, on_message=seen.append) == 2
    assert [body["status"] for body in seen] == ["RETRY", "RETRY", "SUCCESS"]
    assert [repr(body["result"]) for body in seen[:2]] == ["ValueError('not yet')"] * 2


def test_workflows_answer_to_who_sent_them(app, add):
    with start_worker(app):
        steps = chain(add.s(1, 2), add.s(3), add.s(4)).apply_async()
        assert (steps.get(timeout=WAIT), steps.parent.get(timeout=WAIT)) == (10, 6)
        assert group(add.s(n, n) for n in range(30)).apply_async().get(timeout=WAIT) == [2 * n for n in range(30)]
        linked = add.apply_async((1, 1), link=add.s(5).set(task_id="linked"))
        assert linked.get(timeout=WAIT) == 2
        assert app.AsyncResult("linked").get(timeout=WAIT) == 7


def test_many_threads_may_wait(app, add):
    def call(n):
        return add.delay(n, 1).get(timeout=WAIT)

    with start_worker(app), ThreadPoolExecutor(16) as threads:
        assert list(threads.map(call, range(200))) == [n + 1 for n in range(200)]


def test_ignored_results_are_not_sent(app, add):
    with start_worker(app):
        add.apply_async((1, 1), ignore_result=True)
        assert add.delay(2, 2).get(timeout=WAIT) == 4
    assert broker_of(app).depth([oid_of(app)], soon())[oid_of(app)].ready == 0


def test_the_message_is_that_of_celery(make_app):
    app = make_app(result_persistent=True)
    task = app.task(name="add")(lambda x, y: x + y)
    broker = broker_of(app)
    broker.declare([QueueSpec("mine")], soon())
    consumer = broker.consumer(["mine"], 0)
    with start_worker(app):
        sent = task.apply_async((2, 3), reply_to="mine")
        (delivery,) = until(lambda: consumer.receive(5, 1), "the result")
        consumer.settle([Settle(delivery, SettleKind.ACK)], soon())
        consumer.close(True, soon())
    message = delivery.message
    assert (message.queue, message.routing_key, message.exchange) == ("mine", "mine", "")
    assert message.correlation_id == sent.id
    assert (message.headers, message.priority, message.persistent) == ({}, 0, True)
    assert (message.content_type, message.content_encoding) == ("application/json", "utf-8")
    document = json.loads(message.body)
    assert list(document) == ["status", "result", "traceback", "children", "date_done", "task_id"]
    assert (document["status"], document["result"], document["task_id"]) == ("SUCCESS", 5, sent.id)
    assert document["date_done"].endswith("+00:00")


def test_a_message_says_where_the_answer_goes_whatever_the_backend_is(broker_url):
    with Kernel("proj", broker=broker_url, set_as_current=False) as app:
        app.task(name="add")(lambda x, y: x + y).delay(1, 1)
        (delivery,) = broker_of(app).consumer(["kernel"], 0).receive(1, 1)
        assert delivery.message.reply_to == oid_of(app)
        assert not exists(app, oid_of(app))


def test_a_document_by_celery_is_understood(app, add):
    """As captured from a live Celery 5.7 worker: five members, no more."""
    result = add.delay(1, 1)
    body = {"task_id": result.id, "status": "SUCCESS", "result": 2, "traceback": None, "children": []}
    stray = Outgoing(oid_of(app), b"{", {}, "?", correlation_id="?")
    reply = Outgoing(oid_of(app), json.dumps(body).encode(), {}, "other", correlation_id=result.id)
    assert all(one.ok for one in broker_of(app).publish([stray, reply], soon()))
    assert result.get(timeout=WAIT) == 2


def test_several_results_are_one_batch(app, monkeypatch):
    services = app.client.services
    batches = []
    publish = services.broker.publish

    def counted(items, deadline):
        batches.append(len(items))
        return publish(items, deadline)

    monkeypatch.setattr(services.broker, "publish", counted)
    broker_of(app).declare([QueueSpec("a")], soon())
    records = [Record(str(n), "SUCCESS", b"1", reply_to="a" if n % 2 else None) for n in range(6)]
    records += [Record("x", "SUCCESS", b"1", reply_to=queue) for queue in ("gone", "no name of\na queue")]
    results = services.backend.store(records, StoreMode.UPSERT, soon())
    assert [(one.stored, one.error) for one in results] == [(True, None)] * 8
    assert batches == [5]


def test_a_client_that_is_gone_holds_nothing_up(app, add):
    with start_worker(app):
        add.delay(1, 1)
        add.apply_async((1, 1), reply_to="nobody")
        broker_of(app).delete([oid_of(app)], soon())
        until(lambda: broker_of(app).depth(["kernel"], soon())["kernel"].in_flight == 0)
        until(lambda: broker_of(app).depth(["kernel"], soon())["kernel"].ready == 0)


def test_results_of_another_process_are_a_typed_error(app, make_app, add):
    with start_worker(app):
        result = add.delay(1, 1)
        assert result.get(timeout=WAIT) == 2
        with pytest.raises(BackendGetMetaError, match="does not come to this process"):
            make_app().AsyncResult(result.id).get(timeout=WAIT)
    with pytest.raises(BackendStoreError, match="nobody to go to"):
        add.update_state(task_id=result.id, state="PROGRESS")
    with pytest.raises(KernelError, match="saved groups"):
        group(add.s(1, 1)).apply_async().save()
    with pytest.raises(DriverError, match="saved groups"):
        app.client.services.backend.fetch_group("g", soon())


def test_a_chord_is_refused_where_it_is_called(app, add):
    with pytest.raises(NotImplementedError, match="by rpc:// they go to the caller"):
        chord([add.s(1, 1), add.s(2, 2)], add.s(1)).apply_async()
    assert not exists(app, "kernel")


def test_a_lost_connection_loses_no_result(app, add, monkeypatch, caplog):
    receive, broken = Link.receive, threading.Event()

    def receive_not(link, max_n, wait_s):
        if broken.is_set() and link._queues == [oid_of(app)]:
            link.lose(DriverError(Code.UNAVAILABLE, "cut off"))
            return []
        return receive(link, max_n, min(wait_s, 0.05))

    monkeypatch.setattr(Link, "receive", receive_not)
    result = add.delay(1, 1)
    assert result.state == "PENDING"  # the reader is at work
    broken.set()
    until(lambda: "cut off" in caplog.text, "a loss")
    with start_worker(app):
        until(lambda: broker_of(app).depth([oid_of(app)], soon())[oid_of(app)].ready == 1, "a result nobody takes")
        with pytest.raises(TaskTimeoutError):
            result.get(timeout=0.05)
        broken.clear()
        assert result.get(timeout=WAIT) == 2


def test_who_waits_is_told_when_the_reader_fails_and_the_next_one_starts_it_anew(app, add, monkeypatch):
    take = ReplyReader._take
    monkeypatch.setattr(ReplyReader, "_take", lambda reader, deliveries: 1 / 0)
    result = add.delay(1, 1)
    with pytest.raises(BackendGetMetaError, match="ZeroDivisionError"):
        result.get(timeout=WAIT)
    monkeypatch.setattr(ReplyReader, "_take", take)
    with start_worker(app):
        assert result.get(timeout=WAIT) == 2


def test_a_broker_that_refuses_the_client_is_an_error_and_no_wait(app, add, monkeypatch):
    result = add.delay(1, 1)

    def refused(link):
        raise DriverError(Code.AUTH, "wrong password")

    monkeypatch.setattr(Link, "connect", refused)
    with pytest.raises(BackendGetMetaError, match="wrong password"):
        result.get(timeout=WAIT)


def test_a_queue_that_was_deleted_is_declared_again(app, add):
    with start_worker(app):
        assert add.delay(1, 1).get(timeout=WAIT) == 2
        broker_of(app).delete([oid_of(app)], soon())
        until(lambda: exists(app, oid_of(app)), "the queue again")
        assert add.delay(2, 2).get(timeout=WAIT) == 4


def test_other_settings_keep_the_address_and_what_came(app, add):
    first = add.delay(1, 1)
    address = oid_of(app)
    with start_worker(app):
        assert first.get(timeout=WAIT) == 2
        second = add.delay(2, 2)
        app.conf.task_default_priority = 3
        assert add.delay(3, 3).get(timeout=WAIT) == 6
        assert second.get(timeout=WAIT) == 4
        assert app.AsyncResult(first.id).get(timeout=WAIT) == 2
    assert oid_of(app) == address


def test_closing_removes_the_queue_unless_results_are_on_their_way(app, add, broker_url):
    with Kernel(broker=broker_url, set_as_current=False) as other:
        pending = add.delay(1, 1)
        address = oid_of(app)
        app.close()
        assert exists(other, address)
        with start_worker(app):
            assert pending.get(timeout=WAIT) == 2
            app.close()
            until(lambda: not exists(other, address), "no queue")
            assert add.delay(2, 2).get(timeout=WAIT) == 4


PROGRAM = """
from kernel import Kernel
app = Kernel("proj", broker={url!r}, backend="rpc://")
{call}
"""


@pytest.mark.parametrize("call", ["app.send_task('t')", "app.send_task('t'); app.close()", "app.send_task('t').state"])
def test_a_process_that_ends_leaves_no_queue(tmp_path, call):
    url = f"sqlite:///{tmp_path}/q.db"
    program = PROGRAM.format(url=url, call=call)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=WAIT)
    with Kernel(broker=url, set_as_current=False) as app:
        (message,) = [one.message for one in broker_of(app).peek("kernel", 5, soon())]
        assert message.reply_to
        assert not exists(app, message.reply_to)


def test_tasks_call_tasks_without_a_queue_of_results_unless_they_may_wait(app, add):
    @app.task(name="quiet")
    def quiet():
        add.delay(1, 1)
        return oid_of(app)

    @app.task(name="asking")
    def asking():
        with allow_join_result():
            return add.delay(1, 2).get(timeout=WAIT)

    with start_worker(app, concurrency=2):
        assert asking.delay().get(timeout=WAIT) == 3
        assert quiet.delay().get(timeout=WAIT)


def in_child(run):
    """Fork; the child's number, and what ``run(tell)`` told, one JSON text after the other."""
    there, here = os.pipe()
    child = os.fork()
    if not child:
        try:
            run(lambda value: os.write(here, json.dumps(value).encode() + b"\n"))
        finally:
            os._exit(0)
    os.close(here)
    return child, os.fdopen(there)


def test_a_forked_client_has_a_name_and_an_address_of_its_own(tmp_path):
    app = Kernel("proj", broker=f"sqlite:///{tmp_path}/q.db", backend="rpc://", set_as_current=False)
    task = app.task(name="add")(lambda x, y: x + y)
    parents = task.delay(1, 1)

    def run(tell):
        sent = task.delay(2, 2)
        tell([oid_of(app), sent.id])
        try:
            app.AsyncResult(parents.id).get(timeout=WAIT)
        except BackendGetMetaError as error:
            tell(str(error))
        tell(sent.get(timeout=WAIT))

    with app:
        assert parents.state == "PENDING"
        child, told = in_child(run)
        address, task_id = json.loads(told.readline())
        assert "does not come to this process" in told.readline()
        messages = [one.message for one in broker_of(app).peek("kernel", 5, soon())]
        (message,) = [one for one in messages if one.id == task_id]
        assert message.headers["origin"] == f"gen{child}@{os.uname().nodename}"
        assert message.reply_to == address != oid_of(app)
        with start_worker(app):
            assert told.readline() == "4\n"
            assert parents.get(timeout=WAIT) == 2
        told.close()
        os.waitpid(child, 0)
        with pytest.raises(BackendGetMetaError):
            app.AsyncResult(task_id).get(timeout=WAIT)


def test_what_rpc_cannot_take_is_refused(broker_url, monkeypatch):
    def get(**settings):
        with Kernel(broker=broker_url, set_as_current=False, **settings) as app:
            app.AsyncResult("x").get(timeout=1)

    with pytest.raises(ImproperlyConfigured, match="names a server"):
        get(backend="rpc://other/")
    with pytest.raises(ImproperlyConfigured, match="no options"):
        get(backend="rpc://", result_backend_transport_options={"a": 1})


def test_a_broker_without_reply_queues_is_refused(app, add, monkeypatch):
    broker = type(app.client.services._make("broker_transport_options"))
    caps = replace(app.client.services.broker_caps, fanout=False)
    monkeypatch.setattr(broker, "capabilities", lambda self: caps)
    for attempt in (lambda: add.delay(1, 1), lambda: app.AsyncResult("x").get(timeout=1), lambda: start_worker(app)):
        with pytest.raises(PluginError, match="result_backend = 'rpc://' needs capability 'fanout'") as caught:
            attempt()
        assert caught.value.code == "E107"
