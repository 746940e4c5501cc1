"""Receivers and dispatchers over a broker in memory."""

import os
import threading
import time

import pytest

from kernel import Kernel
from kernel.app.worker import Worker
from kernel.builtins.memory import broker as memory_broker
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.model.topology import Binding, Exchange, QueueSpec

COMMON = {"hostname", "utcoffset", "pid", "clock", "timestamp", "type", "local_received"}


def until(condition, what, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_a_handler_has_its_type_and_the_star_has_the_rest(app, listening):
    failed, other = [], []
    listening(app.events.Receiver(handlers={"task-failed": failed.append, "*": other.append}))
    with app.events.default_dispatcher(hostname="me") as dispatcher:
        dispatcher.send("task-failed", uuid="a", exception="ValueError()")
        dispatcher.send("task-started", uuid="b")
    until(lambda: failed and other, "both")
    (event,) = failed
    assert set(event) == COMMON | {"uuid", "exception"}
    assert event["uuid"] == "a"
    assert event["hostname"].startswith("me@")
    assert [each["uuid"] for each in other] == ["b"]


def test_a_state_as_handler_sees_what_a_worker_does(app, listening):
    state = app.events.State()

    @app.task(name="shop.add")
    def add(x, y):
        return x + y

    app.conf.update(task_send_sent_event=True, result_backend=None)
    listening(app.events.Receiver(handlers={"*": state.event}))
    worker = Worker(app, hostname="w1@box", pool="threads", concurrency=1, task_events=True)
    thread = threading.Thread(target=worker.start, kwargs={"signals": False})
    thread.start()
    try:
        task_id = add.delay(2, 3).id
        until(lambda: task_id in state.tasks and state.tasks[task_id].ready, "the end of the task")
        until(lambda: any(one.hostname == "w1@box" for one in state.alive_workers()), "a heartbeat")
    finally:
        worker.stop()
        thread.join(60)
    task = state.tasks[task_id]
    assert (task.name, task.state, task.result, task.worker.hostname) == ("shop.add", "SUCCESS", "5", "w1@box")
    assert task.client  # the worker's own name when it is there first: it is the same process
    assert task.received <= task.started <= task.succeeded
    until(lambda: task.sent is not None, "the event of sending, which may come last")
    until(lambda: "w1@box" not in state.workers, "the goodbye")


def test_the_clock_hears_of_every_event_and_goes_on_from_there(app, listening):
    other = Kernel("other", broker=app.conf.broker_url, set_as_current=False)
    heard = []
    receiver = listening(app.events.Receiver(handlers={"*": heard.append}))
    assert receiver.app.clock is app.clock
    with other:
        other.clock.adjust(1000)
        other.events.Dispatcher().send("task-started", uuid="a")
        until(lambda: heard, "the event")
        assert heard[0]["clock"] > 1000
        assert app.clock.value > heard[0]["clock"]
        app.events.Dispatcher().send("task-succeeded", uuid="a")
        until(lambda: len(heard) == 2, "the second")
        assert heard[1]["clock"] > heard[0]["clock"]
        other.clock.adjust(9000)  # clients hear of nobody: what they say of the order is nothing
        other.events.Dispatcher().send("task-sent", uuid="b")
        until(lambda: len(heard) == 3, "the third")
        assert heard[2]["clock"] < 9000


def test_a_limit_counts_messages_and_loses_none(app, feed):
    heard = []
    app.events.Receiver(handlers={"*": heard.append}).capture(limit=3, timeout=30)
    first = heard[0]["number"]
    assert [event["number"] for event in heard] == [first, first + 1, first + 2]


def test_step_by_step(app, feed):
    steps = app.events.Receiver().itercapture(timeout=30)
    assert [event["type"] for event in next(steps)] == ["test-number"]
    steps.close()


def test_silence_is_told_by_pythons_own_timeout(app):
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="no event within"):
        app.events.Receiver().capture(timeout=0.2)
    assert time.monotonic() - began < 30


def test_it_stops_when_a_handler_says_so(app, feed):
    heard = []

    def stop(event):
        heard.append(event)
        receiver.should_stop = True

    receiver = app.events.Receiver(handlers={"*": stop})
    receiver.capture(timeout=30)
    assert len(heard) == 1
    receiver.capture(timeout=30)  # it can begin anew
    assert len(heard) == 2


def test_workers_are_asked_for_a_heartbeat(app):
    broker = app.client.services.open_control(Deadline.after(5))
    binding = Binding(Exchange("kernel.pidbox", "fanout", durable=False))
    broker.declare([QueueSpec("ear", bindings=(binding,))], Deadline.after(5))
    with pytest.raises(TimeoutError):
        app.events.Receiver().capture(timeout=0.1)
    (delivery,) = broker.consumer(["ear"], 0).receive(5, 10)
    assert b'"method": "heartbeat"' in delivery.message.body or b'"method":"heartbeat"' in delivery.message.body


def test_what_is_no_event_is_dropped_and_the_rest_goes_on(app, listening):
    heard = []
    listening(app.events.Receiver(handlers={"*": heard.append}))
    dispatcher = app.events.Dispatcher()
    publishing = dispatcher._publishing
    for wrong in ("text", 7, [1, {"no": "type"}], None):
        publishing._publish(wrong, "test.wrong", 1)
    dispatcher.send("test-right")
    until(lambda: heard, "the right one")
    assert [event["type"] for event in heard] == ["test-right"]


def test_a_dispatcher_may_be_limited_to_groups_and_turned_off(app, listening):
    heard = []
    listening(app.events.Receiver(handlers={"*": heard.append}))
    with app.events.Dispatcher(groups=["task"]) as dispatcher:
        dispatcher.send("worker-online")
        dispatcher.disable()
        dispatcher.send("task-one")
        dispatcher.enable()
        dispatcher.send("task-two")
    dispatcher.send("task-three")
    app.events.Dispatcher().send("task-four")
    until(lambda: len(heard) >= 2, "two events")
    assert [event["type"] for event in heard] == ["task-two", "task-four"]


def test_a_broker_that_is_not_there_is_an_error_when_settings_say_so(tmp_path):
    app = Kernel(
        "p", broker=f"sqlite:///{tmp_path}/no/such/folder/x.db", broker_connection_retry=False, set_as_current=False
    )
    with app, pytest.raises(DriverError):
        app.events.Receiver().capture(timeout=1)


def test_a_forked_child_can_send_although_its_parent_was_at_it(app):
    """The lock of the logical clock may be held by another thread at the moment of the fork."""
    dispatcher = app.events.Dispatcher()
    with app.clock._lock:
        pid = os.fork()
        if pid == 0:
            dispatcher.send("test-child")
            os._exit(0)
    until(lambda: os.waitpid(pid, os.WNOHANG)[0], "the end of the child")


def test_events_are_heard_on_the_broker_that_carries_them(tmp_path, listening):
    """Beside one for tasks that has no fan-out, such as SQS, there is a second one (``control_url``)."""
    app = Kernel(
        "apart", broker=f"sqlite:///{tmp_path}/tasks.db", control_url="memory://heard-apart", set_as_current=False
    )
    heard = []
    with app:
        listening(app.events.Receiver(handlers={"*": heard.append}))
        app.events.Dispatcher().send("task-one")
        until(lambda: heard, "the event")
    assert not (tmp_path / "tasks.db").exists()  # nobody needed it


def test_a_lost_connection_is_found_again(app, listening, monkeypatch):
    heard, lost = [], []
    real = memory_broker.MemoryBroker.consumer

    def consumer(self, queues, prefetch):
        made = real(self, queues, prefetch)
        if not lost and queues[0].startswith("kernelev."):
            monkeypatch.setattr(made, "receive", lambda max_n, wait_s: lose(made))
        return made

    def lose(made):
        lost.append(made)
        made.close(False, Deadline.after(1))
        raise DriverError(Code.UNAVAILABLE, "gone")

    monkeypatch.setattr(memory_broker.MemoryBroker, "consumer", consumer)
    listening(app.events.Receiver(handlers={"*": heard.append}))  # it begins, loses, and is ready all the same
    assert len(lost) == 1
    app.events.Dispatcher().send("task-one")
    until(lambda: heard, "the event")
