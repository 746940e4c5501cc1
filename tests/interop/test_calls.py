"""Celery client → kernel worker and kernel client → Celery worker, on RabbitMQ with results over rpc://."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import Notes, Pair


def test_a_plain_call(pair: Pair) -> None:
    assert pair.client.value(pair.client.send("shared.whoami", queue=pair.queue)) == pair.worker
    assert pair.client.value(pair.client.send("shared.add", 2, 3, queue=pair.queue)) == 5


def test_positional_and_keyword_arguments(pair: Pair) -> None:
    args = [1, 2.5, "drei ✓", None, True, [1, [2]], {"a": {"b": []}}]
    kwargs = {"first": 1, "naïve": {"x": [None]}}

    task_id = pair.client.send("shared.echo", *args, kwargs=kwargs, queue=pair.queue)

    assert pair.client.value(task_id) == {"args": args, "kwargs": kwargs}


def test_a_large_argument(pair: Pair) -> None:
    text = "kernel ✓ " * 60_000
    assert pair.client.value(pair.client.send("shared.echo", text, queue=pair.queue))["args"] == [text]


def test_a_hundred_calls_are_answered_each_with_its_own_result(pair: Pair) -> None:
    ids = [pair.client.send("shared.add", number, 1000, queue=pair.queue) for number in range(100)]
    assert [pair.client.value(task_id) for task_id in ids] == [number + 1000 for number in range(100)]


def test_what_the_message_says_of_itself(pair: Pair) -> None:
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    task_id = pair.client.send(
        "shared.request",
        7,
        task_id=f"chosen-{pair.worker}",
        queue=pair.queue,
        priority=6,
        expires=expires,
        time_limit=300,
        soft_time_limit=200,
        shadow="another name",
        headers={"tenant": "acme", "nested": {"deep": [1, None]}},
    )

    seen = pair.client.value(task_id)

    assert task_id == f"chosen-{pair.worker}"
    assert seen["headers"] == {"tenant": "acme", "nested": {"deep": [1, None]}} | ignored_headers(seen)
    assert seen | {"headers": None, "reply_to": None, "expires": None} == {
        "side": pair.worker,
        "id": task_id,
        "task": "shared.request",
        "args": [7],
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [300, 200],
        "group": None,
        "group_index": None,
        "root_id": task_id,
        "parent_id": None,
        "shadow": "another name",
        "ignore_result": False,
        "correlation_id": task_id,
        "reply_to": None,
        "headers": None,
        "priority": 6,
        "routing_key": pair.queue,
        "redelivered": False,
    }
    assert seen["reply_to"]
    assert datetime.fromisoformat(seen["expires"]) == datetime.fromisoformat(expires)


def ignored_headers(seen):
    """Celery's request.headers has the protocol's own headers too."""
    return {key: value for key, value in (seen["headers"] or {}).items() if key not in {"tenant", "nested"}}


def test_a_countdown_is_waited_for(pair: Pair, notes: Notes) -> None:
    sent = time.time()
    pair.client.send("shared.write", str(notes), "later", queue=pair.queue, countdown=1.5)

    (line,) = notes.wait()

    assert line["side"] == pair.worker
    assert line["values"] == ["later"]
    assert line["at"] - sent >= 1.4


def test_a_task_that_came_too_late_is_revoked(pair: Pair) -> None:
    """The queue is held by an earlier task only in the clock: the expiry is before the countdown's end."""
    task_id = pair.client.send("shared.add", 1, 1, queue=pair.queue, countdown=1, expires=0.2)
    pair.client.send("shared.whoami", queue=pair.queue)
    error = pair.client.error(task_id)
    assert error["type"] == "TaskRevokedError"
    assert error["args"] == ["expired"]


def test_a_task_is_retried_with_its_id_until_it_succeeds(pair: Pair) -> None:
    task_id = pair.client.send("shared.flaky", 2, queue=pair.queue)
    assert pair.client.value(task_id) == {"retries": 2, "side": pair.worker, "id": task_id}


def test_retries_that_run_out_end_with_the_tasks_own_exception(pair: Pair) -> None:
    error = pair.client.error(pair.client.send("shared.give_up", queue=pair.queue))
    assert error["shared"]
    assert error["args"] == ["checking", 2]


def test_retries_that_run_out_without_an_exception(pair: Pair) -> None:
    error = pair.client.error(pair.client.send("shared.exhaust", queue=pair.queue))
    assert error["type"] == "MaxRetriesExceededError"
    assert error["module"].startswith({"celery": "celery", "kernel": "kernel"}[pair.client.side])


@pytest.mark.parametrize("compression", ["zlib", "gzip", "bzip2", "lzma", "brotli", "zstd"])
def test_a_compressed_body(pair: Pair, compression: str) -> None:
    text = "compress me " * 500
    task_id = pair.client.send("shared.echo", text, queue=pair.queue, compression=compression)
    assert pair.client.value(task_id)["args"] == [text]


def test_exceptions_are_rebuilt(pair: Pair) -> None:
    def error(kind: str) -> dict[str, object]:
        return pair.client.error(pair.client.send("shared.fail", kind, queue=pair.queue))

    builtin, shared, stranger = error("builtin"), error("shared"), error("stranger")

    assert builtin["builtin"]
    assert (builtin["type"], builtin["args"]) == ("ValueError", ["not this", 7])
    assert shared["shared"]
    assert shared["args"] == ["savings", 30]
    assert stranger["type"] == "Stranger"
    assert stranger["args"] == ["a stranger", [1, 2]]


def test_a_failure_brings_its_traceback(pair: Pair) -> None:
    outcome = pair.client.outcome(pair.client.send("shared.fail", "builtin", queue=pair.queue))
    assert outcome["state"] == "FAILURE"
    assert "interop_tasks.py" in outcome["traceback"]
    assert outcome["traceback"].rstrip().splitlines()[-1].startswith("ValueError")


def test_an_unknown_task_is_a_failure_for_who_waits(pair: Pair) -> None:
    error = pair.client.error(pair.client.send("shared.nowhere", queue=pair.queue))
    assert error["type"] == "NotRegistered"
    assert "shared.nowhere" in str(error["args"])


def test_a_custom_state_arrives_on_the_way(pair: Pair) -> None:
    found = pair.client.ask("states", task_id=pair.client.send("shared.progress", 3, queue=pair.queue))
    progress = [meta for state, meta in found["seen"] if state == "PROGRESS"]
    assert found["value"] == 3
    assert progress == [{"step": step, "of": 3} for step in range(3)][-len(progress) :]
    assert progress
    assert found["seen"][-1] == ["SUCCESS", 3]


def test_an_ignored_result_is_not_sent_back(pair: Pair, notes: Notes) -> None:
    """Neither that of a task that is declared so nor that of a call that says so."""
    declared = pair.client.send("shared.silent", str(notes), 1, queue=pair.queue)
    called = pair.client.send("shared.write", str(notes), 2, queue=pair.queue, ignore_result=True)
    notes.wait(2)
    assert pair.client.value(pair.client.send("shared.whoami", queue=pair.queue)) == pair.worker
    assert pair.client.ask("known", task_id=declared) == "PENDING"
    assert pair.client.ask("known", task_id=called) == "PENDING"


def test_higher_priority_goes_first(pair: Pair, notes: Notes) -> None:
    """Both executors are busy while the others are sent; what is already reserved may go first."""
    go = notes.path.with_name("go")
    blockers = [pair.client.send("shared.block", str(notes), str(go), queue=pair.queue) for _ in range(2)]
    notes.wait(2)
    order = Notes(notes.path.with_name("order"))
    for number in range(400):
        urgent = number >= 380
        pair.client.send("shared.write", str(order), urgent, queue=pair.queue, priority=9 if urgent else 0)
    go.touch()
    assert [pair.client.value(task_id) for task_id in blockers] == [pair.worker] * 2
    lines = order.wait(400)
    urgent_at = [index for index, line in enumerate(lines) if line["values"] == [True]]
    assert urgent_at[-1] < 380, "the last urgent one came after calls that were sent before it and are not urgent"
