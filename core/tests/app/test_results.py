"""Reading and waiting for results (features.md 1.3, 1.4, 1.5)."""

import asyncio
import threading
import time

import pytest

from kernel import AsyncResult, GroupResult, allow_join_result, group, states
from kernel.contracts import Deadline
from kernel.errors import BackendGetMetaError, Code, DriverError, ImproperlyConfigured, IncompleteStream
from kernel.errors import TimeoutError as KernelTimeoutError
from kernel.model.context import Request

WAIT = 20


@pytest.fixture
def add(app):
    return app.task(name="proj.add")(lambda x, y: x + y)


def store(app, task_id, state, meta) -> None:
    app.client.results.store_state(Request(id=task_id, task="t", called_directly=False), state, meta)


def test_a_result_comes_back(app, add, worker) -> None:
    worker()

    result = add.delay(4, 4)

    assert repr(result) == f"<AsyncResult: {result.id}>"
    assert (result.get(timeout=WAIT), result.wait(timeout=WAIT)) == (8, 8)
    assert (result.state, result.status, result.result, result.info) == ("SUCCESS", "SUCCESS", 8, 8)
    assert (result.ready(), result.successful(), result.failed()) == (True, True, False)
    assert result.traceback is None
    assert result.date_done.startswith("20")
    assert (result.task_id, str(result)) == (result.id, result.id)


def test_an_unknown_id_is_pending(app) -> None:
    result = app.AsyncResult("this-id-does-not-exist")

    assert (result.state, result.result, result.ready()) == ("PENDING", None, False)


def test_a_failure_is_raised_or_returned(app, worker) -> None:
    @app.task
    def fail(x):
        raise KeyError(x)

    worker()
    result = fail.delay("name")

    with pytest.raises(KeyError, match="name"):
        result.get(timeout=WAIT)
    error = result.get(propagate=False)
    assert isinstance(error, KeyError)
    assert (result.state, result.failed(), result.successful()) == ("FAILURE", True, False)
    assert "raise KeyError(x)" in result.traceback


def test_waiting_ends_with_the_timeout(app) -> None:
    began = time.monotonic()

    with pytest.raises(KernelTimeoutError, match="never-sent was not there in time; its state is PENDING"):
        app.AsyncResult("never-sent").get(timeout=0.05)
    assert time.monotonic() - began < WAIT


def test_an_ignored_result_is_none_at_once(app, add) -> None:
    assert add.apply_async((1, 2), ignore_result=True).get() is None
    ignoring = app.task(name="quiet", ignore_result=True)(lambda: 1)
    assert ignoring.delay().get() is None


def test_a_result_may_be_kept_in_spite_of_the_task(app, worker) -> None:
    @app.task(ignore_result=True)
    def mytask(x, y):
        return x + y

    worker()

    assert mytask.apply_async(args=(1, 2), ignore_result=True).get() is None
    assert mytask.apply_async(args=(1, 2), ignore_result=False).get(timeout=WAIT) == 3


def test_forget(app) -> None:
    store(app, "t", states.SUCCESS, 1)
    result = app.AsyncResult("t")
    assert result.get(timeout=WAIT) == 1

    result.forget()

    assert result.state == "PENDING"


def test_without_a_backend_reading_is_an_error_with_a_cure(make_app) -> None:
    app = make_app(backend="disabled://")
    result = app.send_task("t")

    for read in (lambda: result.state, result.ready, lambda: result.get(timeout=1), result.forget):
        with pytest.raises(NotImplementedError, match="No result backend is configured") as caught:
            read()
        assert "result_backend" in caught.value.cure


def test_results_are_off_when_only_a_broker_is_configured(make_app) -> None:
    app = make_app(backend=None)

    with pytest.raises(NotImplementedError):
        _ = app.AsyncResult("t").state


def test_waiting_inside_a_task_is_refused(app, add, worker) -> None:
    @app.task
    def parent(way):
        child = add.s(1, 1).freeze()
        store(app, child.id, states.SUCCESS, 2)
        if way == "allowed":
            with allow_join_result():
                return child.get(timeout=WAIT)
        return child.get(timeout=WAIT, disable_sync_subtasks=way != "asked")

    worker()

    with pytest.raises(RuntimeError, match=r"Never call result\.get"):
        parent.delay("plain").get(timeout=WAIT)
    assert parent.delay("allowed").get(timeout=WAIT) == 2
    assert parent.delay("asked").get(timeout=WAIT) == 2


def test_waiting_is_allowed_in_a_plain_call(app, add, worker) -> None:
    worker()

    @app.task
    def outer():
        return add.delay(1, 1).get(timeout=WAIT)

    assert outer() == 2


def test_children_are_the_tasks_a_task_called(app, add, worker) -> None:
    @app.task
    def parent():
        return [add.delay(1, 1).id, add.delay(2, 2).id, add.apply_async((3, 3), add_to_parent=False).id]

    worker()
    result = parent.delay()
    ids = result.get(timeout=WAIT)

    assert [child.id for child in result.children] == ids[:2]
    assert [value for _, value in result.collect(timeout=WAIT)][1:] == [2, 4]


def test_called_tasks_know_their_parent_and_root(app, worker, sent) -> None:
    @app.task(bind=True)
    def leaf(self):
        return self.request.id, self.request.parent_id, self.request.root_id

    @app.task(bind=True)
    def parent(self):
        called = leaf.delay()
        leaf()  # a plain call in between changes nothing
        return called.id, self.request.id

    worker()
    child, this = parent.delay().get(timeout=WAIT)

    assert app.AsyncResult(child).get(timeout=WAIT) == [child, this, this]


def test_custom_states_and_their_meta(app, worker) -> None:
    @app.task(bind=True)
    def hello(self):
        self.update_state(state="PROGRESS", meta={"progress": 50})
        return app.AsyncResult(self.request.id).info

    worker()

    assert hello.delay().get(timeout=WAIT) == {"progress": 50}


def test_update_state_of_another_task_and_of_none(app, add) -> None:
    add.update_state(task_id="other", state="PROGRESS", meta=1)

    assert app.AsyncResult("other").state == "PROGRESS"
    with pytest.raises(ValueError, match="called_directly"):
        add.update_state(state="PROGRESS")


def test_a_stored_success_is_not_overwritten(app, add) -> None:
    store(app, "t", states.SUCCESS, 1)

    add.update_state(task_id="t", state="PROGRESS", meta=2)

    assert app.AsyncResult("t").result == 1


def test_every_state_is_told_to_on_message(app, worker) -> None:
    step = [threading.Event(), threading.Event()]

    @app.task(bind=True)
    def hello(self, a, b):
        self.update_state(state="PROGRESS", meta={"progress": 50})
        step[0].wait(WAIT)
        self.update_state(state="PROGRESS", meta={"progress": 90})
        step[1].wait(WAIT)
        return f"hello world: {a + b}"

    bodies = []

    def on_raw_message(body):
        bodies.append(body)
        if body["status"] == "PROGRESS":
            step[len(bodies) - 1].set()

    worker()
    result = hello.apply_async(args=(1, 1))

    assert result.get(on_message=on_raw_message, propagate=False, timeout=WAIT) == "hello world: 2"
    assert [(body["status"], body["result"]) for body in bodies] == [
        ("PROGRESS", {"progress": 50}),
        ("PROGRESS", {"progress": 90}),
        ("SUCCESS", "hello world: 2"),
    ]
    assert {body["task_id"] for body in bodies} == {result.id}
    assert all({"traceback", "children"} <= body.keys() for body in bodies)


def test_on_message_needs_a_backend_that_tells(app, monkeypatch) -> None:
    backend = app.client.services.backend
    caps = type(backend.capabilities())()
    monkeypatch.setattr(backend, "capabilities", lambda: caps)

    with pytest.raises(ImproperlyConfigured, match="Backend does not support on_message callback"):
        app.AsyncResult("t").get(on_message=print, timeout=1)


def test_callbacks_of_waiting(app, add) -> None:
    ticks = []

    def tick():
        ticks.append(1)
        if len(ticks) == 3:
            store(app, "t", states.SUCCESS, 5)

    result = app.AsyncResult("t")

    assert result.get(timeout=WAIT, interval=0.01, on_interval=tick, callback=lambda _, value: value * 2) == 10
    assert len(ticks) >= 3


def test_results_compare_by_id(app) -> None:
    one, same, other = app.AsyncResult("a"), AsyncResult("a", app), app.AsyncResult("b")

    assert one == same == "a"
    assert one != other
    assert len({one, same, other}) == 2
    with pytest.raises(ValueError, match="needs a task id"):
        app.AsyncResult("")


def test_extended_results(make_app) -> None:
    app = make_app(result_extended=True)
    task = app.task(name="t")(lambda x: x)
    app.client.results.store_state(Request(id="i", task="t", args=(1,), kwargs={"a": 2}, retries=3), "SUCCESS", 1)

    result = task.AsyncResult("i")

    assert (result.name, result.args, result.kwargs, result.retries) == ("t", [1], {"a": 2}, 3)
    assert result.worker.startswith("gen")


def test_the_states_of_a_retried_task(app, worker) -> None:
    seen = []

    @app.task(bind=True, track_started=True, max_retries=2)
    def flaky(self):
        seen.append(app.AsyncResult(self.request.id).state)
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return self.request.retries

    worker()

    assert flaky.delay().get(timeout=WAIT) == 2
    assert seen == ["STARTED", "STARTED", "STARTED"]


def test_a_backend_that_is_away_is_asked_again(app, monkeypatch) -> None:
    store(app, "t", states.SUCCESS, 1)
    backend = app.client.services.backend
    failures = [DriverError(Code.UNAVAILABLE, "away")] * 2

    for name in ("fetch", "wait"):
        real = getattr(backend, name)

        def flaky(*args, real=real):
            if failures:
                raise failures.pop()
            return real(*args)

        monkeypatch.setattr(backend, name, flaky)

    assert app.AsyncResult("t").state == "SUCCESS"
    failures += [DriverError(Code.UNAVAILABLE, "away")] * 2
    assert app.AsyncResult("t").get(timeout=WAIT) == 1
    failures += [DriverError(Code.AUTH, "wrong password", cure="Correct it.")]
    with pytest.raises(BackendGetMetaError, match="wrong password"):
        _ = app.AsyncResult("u").state


class TestGroupResult:
    def test_values_come_in_order_from_one_batch(self, app, add, worker, sent) -> None:
        worker()

        result = group(add.s(i, i) for i in range(10))()

        assert isinstance(result, GroupResult)
        assert result.get(timeout=WAIT) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
        assert (result.ready(), result.successful(), result.failed(), result.waiting()) == (True, True, False, False)
        assert (result.completed_count(), len(result), result[3].get()) == (10, 10, 6)

    def test_states_of_a_group_on_its_way(self, app) -> None:
        result = GroupResult("g", [app.AsyncResult("a"), app.AsyncResult("b")], app)
        store(app, "a", states.SUCCESS, 1)

        assert (result.ready(), result.completed_count(), result.waiting()) == (False, 1, True)
        with pytest.raises(KernelTimeoutError, match="1 of the tasks of group g"):
            result.get(timeout=0.05)
        store(app, "b", states.FAILURE, ValueError("no"))
        assert (result.ready(), result.failed(), result.successful()) == (True, True, False)

    def test_a_failed_member_is_raised_before_the_others_are_ready(self, app) -> None:
        result = GroupResult("g", [app.AsyncResult("slow"), app.AsyncResult("bad")], app)
        store(app, "bad", states.FAILURE, ValueError("no"))

        with pytest.raises(ValueError, match="no"):
            result.get(timeout=WAIT, interval=0.02)
        store(app, "slow", states.SUCCESS, 1)
        values = result.get(timeout=WAIT, propagate=False)
        assert values[0] == 1
        assert isinstance(values[1], ValueError)

    def test_iterating_in_the_order_of_finishing(self, app) -> None:
        result = GroupResult("g", [app.AsyncResult("a"), app.AsyncResult("b")], app)
        store(app, "b", states.SUCCESS, 2)
        values = result.iterate(timeout=WAIT)

        assert next(values) == 2
        store(app, "a", states.SUCCESS, 1)
        assert list(values) == [1]
        assert {task_id: meta["result"] for task_id, meta in result.iter_native(timeout=WAIT)} == {"a": 1, "b": 2}

    def test_saving_and_restoring(self, app) -> None:
        inner = GroupResult("inner", [app.AsyncResult("c")], app)
        result = GroupResult("g", [app.AsyncResult("a"), inner], app, app.AsyncResult("before"))

        result.save()

        again = GroupResult.restore("g", app)
        assert again == result
        assert again.parent == "before"
        assert again[1].results == ["c"]
        result.delete()
        assert app.GroupResult.restore("g") is None
        for odd, error in ((b"3", IncompleteStream), (b"{", BackendGetMetaError)):
            app.client.services.backend.save_group("odd", odd, None, Deadline.after(5))
            with pytest.raises(error):
                GroupResult.restore("odd", app)

    def test_forgetting_and_callbacks(self, app) -> None:
        result = GroupResult("g", [app.AsyncResult("a"), app.AsyncResult("b")], app)
        store(app, "a", states.SUCCESS, 1)
        store(app, "b", states.SUCCESS, 2)
        seen = []

        result.get(timeout=WAIT, callback=lambda task_id, value: seen.append((task_id, value)))
        result.forget()

        assert seen == [("a", 1), ("b", 2)]
        assert app.AsyncResult("a").state == "PENDING"


def test_the_verbs_of_asyncio(app, add, worker) -> None:
    worker()

    async def main():
        one = await add.adelay(2, 2)
        two = await add.aapply_async((3, 3), countdown=0)
        many = group(add.s(i, i) for i in range(3))()
        return await one.aget(timeout=WAIT), await two.aget(timeout=WAIT), await many.aget(timeout=WAIT)

    assert asyncio.run(main()) == (4, 6, [0, 2, 4])


def test_waiting_does_not_block_the_event_loop(app) -> None:
    async def main():
        waiting = asyncio.create_task(app.AsyncResult("t").aget(timeout=WAIT))
        await asyncio.sleep(0)
        await asyncio.to_thread(store, app, "t", states.SUCCESS, 7)
        return await waiting

    assert asyncio.run(main()) == 7
