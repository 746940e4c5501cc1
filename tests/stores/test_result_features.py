"""What results can do, on every store alike (features.md 1.3, 1.4, 2.9; wire.md 10.1)."""

import time

import pytest

from kernel import GroupResult, states
from kernel.contracts import Deadline, StoreMode
from kernel.errors import TimeoutError as KernelTimeoutError
from kernel.model.context import Request
from kernel.testing import start_worker

WAIT = 20


def stored(app, task_id):
    (record,) = app.client.services.backend.fetch([task_id], Deadline.after(5))
    return record


def until(condition, what):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, f"{what} did not come true"
        time.sleep(0.02)


def test_exists(make):
    app = make()

    @app.task(name="proj.add")
    def add(x, y):
        return x + y

    result = app.AsyncResult("unknown")
    assert (result.exists(), result.state) == (False, states.PENDING)
    result = add.delay(1, 2)
    assert not result.exists()  # it waits in the queue
    with start_worker(app):
        assert result.get(timeout=WAIT) == 3
    assert app.AsyncResult(result.id).exists()
    assert result.exists()
    result.forget()
    assert not result.exists()
    assert app.AsyncResult(result.id).state == states.PENDING
    assert add.apply((1, 2)).exists()


def test_results_expire(make):
    app = make(result_expires=0.3, result_failure_expires=600)

    @app.task(name="proj.half")
    def half(x):
        return 4 / x

    with start_worker(app):
        good, bad = half.delay(2), half.delay(0)
        assert isinstance(bad.get(timeout=WAIT, propagate=False), ZeroDivisionError)
        until(lambda: not app.AsyncResult(good.id).exists(), "the result expired")
    assert app.AsyncResult(good.id).state == states.PENDING
    assert app.AsyncResult(bad.id).state == states.FAILURE  # kept for a time of its own
    with pytest.raises(KernelTimeoutError):  # and not None
        app.AsyncResult(good.id).get(timeout=0.1)


def test_results_stay_for_ever_with_0(make):
    app = make(result_expires=0)
    app.client.results.store_state(Request(id="a", task="t"), states.SUCCESS, 1)
    assert stored(app, "a").ttl_s is None


def test_compressed_results_bear_the_mark_of_celery_and_are_read_with_any_setting(make, store):
    app = make(result_compression="bzip2")

    @app.task(name="proj.many")
    def many(word):
        return word * 1000

    with start_worker(app):
        result = many.delay("abc")
        assert result.get(timeout=WAIT) == "abc" * 1000
        short = many.delay("")
        assert not short.get(timeout=WAIT)
    if store.harness is None:  # a document is compressed as a whole, and comes back as it was
        payload = stored(app, result.id).result
        assert payload.startswith(b"\x00celery-compressed\x00application/x-bz2\x00BZh")
        assert len(payload) < 300
        assert stored(app, short.id).result == b'""'  # it would not have become smaller
    app.conf.result_compression = None
    assert app.AsyncResult(result.id).get(timeout=WAIT) == "abc" * 1000


def test_extended_results(make):
    app = make(result_extended=True)

    @app.task(name="proj.add", bind=True)
    def add(self, x, y=0):
        return x + y if self.request.retries else self.retry(countdown=0)

    with start_worker(app) as running:
        result = add.apply_async((1,), {"y": 2})
        assert result.get(timeout=WAIT) == 3
    again = app.AsyncResult(result.id)
    assert (again.name, again.args, again.kwargs) == ("proj.add", [1], {"y": 2})
    assert (again.worker, again.retries, again.queue) == (
        running.worker.hostname,
        1,
        app.config.task_default_queue or app.config.namespace,
    )
    plain = make()
    assert app.AsyncResult(result.id).name == "proj.add"
    plain.client.results.store_state(Request(id="b", task="t"), states.SUCCESS, 1)
    assert plain.AsyncResult("b").name is None


@pytest.mark.parametrize("where", ["setting", "task"])
def test_errors_are_stored_although_results_are_ignored(make, where):
    on_task = {"store_errors_even_if_ignored": True} if where == "task" else {}
    app = make(task_ignore_result=True, task_store_errors_even_if_ignored=where == "setting")

    @app.task(name="proj.half", **on_task)
    def half(x):
        return 4 / x

    with start_worker(app):
        good, bad = half.delay(2), half.delay(0)
        until(lambda: app.AsyncResult(bad.id).ready(), "the end of the second, which was called last")
    assert not app.AsyncResult(good.id).exists()
    assert app.AsyncResult(bad.id).failed()
    assert "ZeroDivisionError" in app.AsyncResult(bad.id).traceback
    assert good.get(timeout=WAIT) is None  # the caller knows that there is none


def test_nothing_replaces_a_stored_success(make):
    app = make()
    request = Request(id="a", task="t", called_directly=False)
    app.client.results.store_state(request, states.STARTED, {"pid": 1})
    app.client.results.store_state(request, states.SUCCESS, "done")
    for state in (states.STARTED, "PROGRESS", states.RETRY, states.FAILURE, states.REVOKED):
        app.client.results.store_state(request, state, {"late": True})
        late = app.client.services.records.state(request, state, ValueError("late"), "w", 0.0)
        (told,) = app.client.services.backend.store([late], StoreMode.IF_NOT_FINAL, Deadline.after(5))
        assert (told.stored, told.error) == (False, None)
    assert app.AsyncResult("a").get(timeout=WAIT) == "done"
    app.client.results.store_state(Request(id="b", task="t"), states.FAILURE, ValueError("first"))
    app.client.results.store_state(Request(id="b", task="t"), states.SUCCESS, 2)  # the run that was repeated
    assert app.AsyncResult("b").get(timeout=WAIT) == 2


def test_groups_are_saved_apart_from_results_and_expire_with_them(make):
    app = make(result_expires=0.3)
    inner = GroupResult("inner", [app.AsyncResult("c")], app)
    saved = GroupResult("g", [app.AsyncResult("a"), inner], app, app.AsyncResult("before"))
    saved.save()
    found = GroupResult.restore("g", app)
    assert found == app.GroupResult.restore("g") == saved
    assert found.parent == "before"
    assert not app.AsyncResult("g").exists()  # a task of that id is another thing
    until(lambda: GroupResult.restore("g", app) is None, "the saved group expired")
    saved.save()
    saved.delete()
    assert GroupResult.restore("g", app) is None


def test_a_failed_parent_is_told_even_if_it_is_forgotten_meanwhile(make, monkeypatch):
    """The wait ends because a step before failed: what was seen of it counts, and never None."""
    app = make()
    app.client.results.store_state(Request(id="first", task="t"), states.FAILURE, ValueError("broken"))
    last = app.AsyncResult("last", parent=app.AsyncResult("first"))
    fetch = app.client.results.fetch
    looks = []

    def fetch_then_forget(ids, timeout_s):
        found = fetch(ids, timeout_s)
        looks.append(ids)
        app.client.results.forget(["first"])
        return found

    monkeypatch.setattr(app.client.results, "fetch", fetch_then_forget)
    with pytest.raises(ValueError, match="broken"):
        last.get(timeout=WAIT)
    assert looks == [["first"]]
