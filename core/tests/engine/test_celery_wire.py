"""Messages in the namespace of Celery, field by field as a Celery 5.7 client writes them (wire.md 1, 3 and 4)."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from kernel import Kernel, chain
from kernel.contracts import Deadline, Outgoing
from kernel.engine.failure import failure_from_wire
from kernel.engine.protocol1 import to_protocol_1
from kernel.engine.quarantine import again
from kernel.errors import TimeLimitExceeded, WorkerLostError
from kernel.model.message import BROKER_HEADERS
from kernel.testing.worker import start_worker

HEADERS = [
    "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id",
    "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers",
    "stamps",
]  # fmt: skip
WAIT = 30


@pytest.fixture
def app(request):
    made = Kernel("proj", broker=f"memory://{request.node.name[:40]}", namespace="celery", set_as_current=False)
    made.task(name="add", time_limit=30, soft_time_limit=20)(lambda x, y: x + y)
    yield made
    made.close()


def sent(app):
    """What was published, in that order."""
    broker = app.client.services.broker
    consumer = broker.consumer(["celery"], 0)
    found = [one.message for one in consumer.receive(100, 0)]
    consumer.close(False, Deadline.after(5))
    return found


def body_of(message):
    return json.loads(message.body)


def test_a_plain_call(app):
    result = app.tasks["add"].delay(1, 2)
    (message,) = sent(app)
    assert list(message.headers) == HEADERS
    assert message.headers == {
        **dict.fromkeys(HEADERS),
        "lang": "py",
        "task": "add",
        "id": result.id,
        "retries": 0,
        "timelimit": [30, 20],
        "root_id": result.id,
        "argsrepr": "(1, 2)",
        "kwargsrepr": "{}",
        "origin": app.client.services.node,
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamps": {},
    }
    assert (message.queue, message.routing_key, message.exchange) == ("celery", "celery", "")
    assert (message.priority, message.persistent, message.ttl_s, message.delay_s) == (0, True, None, None)
    assert (message.correlation_id, message.reply_to) == (result.id, app.client.services.mailbox.oid)
    assert message.body == b'[[1, 2], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'


def test_a_call_with_everything(app):
    add = app.tasks["add"]
    add.apply_async((1,), {"y": 2}, countdown=10, expires=60, priority=3, shadow="sh", headers={"a": 1},
                    compression="zlib", link=add.s(1), link_error=add.s(2))  # fmt: skip
    broker = app.client.services.broker
    assert broker.depth(["celery"], Deadline.after(5))["celery"].delayed == 1
    (message,) = app.client.services.publisher._parcels(_call(app), 0.0)
    assert [*message.item.headers] == [*HEADERS, "a", "compression"]
    assert message.item.headers["compression"] == "application/x-gzip"
    assert (message.item.priority, message.item.ttl_s, message.item.headers["shadow"]) == (3, 60.0, "sh")
    assert message.item.headers["eta"] == "1970-01-01T00:00:10.000000+00:00"


def _call(app):
    from kernel.model.call import Call

    options = {
        "countdown": 10,
        "expires": 60,
        "priority": 3,
        "shadow": "sh",
        "headers": {"a": 1},
        "compression": "zlib",
    }
    return Call("add", (1,), {"y": 2}, "i", options)


def test_what_is_late_already_is_sent_with_no_time_left(app, caplog):
    broker = app.client.services.broker
    app.tasks["add"].apply_async((1, 2), expires=-5)
    assert "is sent although it expired" in caplog.text
    assert broker.depth(["celery"], Deadline.after(5))["celery"].ready == 0
    kept = broker.peek("celery.quarantine", 5, Deadline.after(5))
    assert [(one.message.ttl_s, one.dead_reason) for one in kept] == [(0.0, "expired")]


def test_a_task_nobody_knows_leaves_ignoring_the_result_open(app):
    app.send_task("foo", (1,))
    (message,) = sent(app)
    assert (message.headers["ignore_result"], message.headers["timelimit"]) == (None, [None, None])


def test_the_steps_of_a_chain_answer_to_the_client(app):
    add = app.tasks["add"]
    chain(add.s(1, 2), add.s(3), add.s(4)).apply_async()
    (message,) = sent(app)
    last, second = body_of(message)[2]["chain"]
    assert (second["args"], last["args"]) == ([3], [4])
    assert [set(step["options"]) for step in (second, last)] == [{"task_id", "reply_to"}] * 2
    assert {step["options"]["reply_to"] for step in (second, last)} == {message.reply_to}


@pytest.mark.parametrize("namespace", ["kernel", "celery"])
def test_a_priority_nobody_gave(namespace):
    with Kernel("p", broker=f"memory://priority-{namespace}", namespace=namespace, set_as_current=False) as app:
        app.send_task("x")
        (delivery,) = app.client.services.broker.peek(namespace, 5, Deadline.after(5))
        assert delivery.message.priority == (0 if namespace == "celery" else None)


# Protocol 1


def test_protocol_1_as_celery_writes_it(app):
    app.conf.task_protocol = 1
    add = app.tasks["add"]
    result = add.apply_async((1,), {"y": 2}, headers={"a": 1}, link=add.s(1), link_error=add.s(2), ignore_result=True)
    (message,) = sent(app)
    assert message.headers == {"a": 1}
    one = '{"task": "add", "args": [%d], "kwargs": {}, "options": {}, "subtask_type": null, "immutable": false}'
    assert message.body.decode() == (
        f'{{"task": "add", "id": "{result.id}", "args": [1], "kwargs": {{"y": 2}}, "group": null, "group_index": null, '
        f'"retries": 0, "eta": null, "expires": null, "utc": true, "callbacks": [{one % 1}], "errbacks": [{one % 2}], '
        '"timelimit": [30, 20], "taskset": null, "chord": null}'
    )
    assert message.correlation_id == result.id


def test_a_chain_in_protocol_1_is_a_row_of_callbacks(app):
    app.conf.task_protocol = 1
    add = app.tasks["add"]
    chain(add.s(1, 2), add.s(3).set(link=add.s(9)), add.s(4)).apply_async()
    (message,) = sent(app)
    (second,) = body_of(message)["callbacks"]
    assert second["args"] == [3]
    assert [step["args"] for step in second["options"]["link"]] == [[9], [4]]
    assert "link" not in second["options"]["link"][1]["options"]
    assert second["options"]["reply_to"] == second["options"]["link"][1]["options"]["reply_to"] == message.reply_to


def test_a_single_link_that_is_no_list_is_kept():
    step = {"task": "b", "options": {"link": {"task": "c"}}}
    embed = {"callbacks": None, "errbacks": None, "chain": [{"task": "d"}, step], "chord": None}
    headers = dict.fromkeys(HEADERS)
    assert to_protocol_1(headers, [[], {}, embed], utc=True)[1]["callbacks"] == [
        {"task": "b", "options": {"link": [{"task": "c"}, {"task": "d", "options": {}}]}}
    ]


def test_our_worker_runs_what_our_client_writes_in_protocol_1():
    app = Kernel("p", broker="memory://protocol1", backend="rpc://", set_as_current=False, task_protocol=1)
    add = app.task(name="add")(lambda x, y: x + y)
    with app, start_worker(app):
        assert chain(add.s(1, 2), add.s(3), add.s(4)).apply_async().get(timeout=WAIT) == 10
        assert add.apply_async((1, 2), countdown=0.2, compression="zlib").get(timeout=WAIT) == 3
        soon = datetime.now(UTC) + timedelta(seconds=30)
        assert add.apply_async((1, 2), expires=soon).get(timeout=WAIT) == 3
        with pytest.raises(TypeError):
            add.delay(1, "a").get(timeout=WAIT)


def test_an_error_in_sending_protocol_1_still_names_the_task(app, monkeypatch):
    app.conf.task_protocol = 1
    app.conf.task_publish_retry = False
    broker = app.client.services.broker
    broker.declare([], Deadline.after(5))
    from kernel.contracts import PublishResult
    from kernel.errors import Code, DriverError

    refused = [PublishResult(DriverError(Code.EXHAUSTED, "full"))]
    monkeypatch.setattr(broker, "publish", lambda items, deadline: refused)
    add = app.tasks["add"]
    with pytest.raises(add.OperationalError, match=r"Not sent: add\["):
        add.delay(1, 2)


# The rest


@pytest.mark.parametrize("kind", [TimeLimitExceeded, WorkerLostError])
def test_exceptions_of_celerys_process_pool_are_ours(kind):
    wire = {"exc_type": kind.__name__, "exc_message": ["x"], "exc_module": "billiard.exceptions"}
    assert type(failure_from_wire(wire)) is kind


def test_a_message_sent_again_carries_no_trace_of_the_server():
    message = Outgoing("q", b"", {"a": 1, "kernel-dead-reason": "r", **dict.fromkeys(BROKER_HEADERS, 1)}, "i")
    assert again(message, "q").headers == {"a": 1}
