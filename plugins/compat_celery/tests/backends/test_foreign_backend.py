"""A result backend written for Celery keeps its shape and works for the kernel (features.md 2.9)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from kernel import GroupResult, Kernel, chord, group
from kernel.app.current import holder
from kernel.contracts.deadline import Deadline
from kernel.errors import BackendStoreError, Code, DriverError
from kernel.testing import start_worker
from plugin_compat_celery.adapter.foreign_backend import find_class

sys.path.insert(0, str(Path(__file__).parent))
third_party: ModuleType = __import__("third_party")
sys.path.pop(0)
CLASSES = ["KeysBackend", "RowsBackend"]


@pytest.fixture(params=CLASSES)
def app(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    before = holder.current
    for store in (third_party.KEYS, third_party.ROWS, third_party.GROUPS):
        store.clear()
    url = f"celery-backend:third_party:{request.param}"
    app = Kernel("own", broker=f"memory://{id(request)}", backend=url, namespace="celery", result_extended=True)
    yield app
    app.close()
    holder.set(before)


def tasks(app: Kernel) -> None:
    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    @app.task(name="total")
    def total(values: list[int]) -> int:
        return sum(values)

    @app.task(name="fail")
    def fail() -> None:
        raise ValueError("no good", 3)


def test_results_failures_and_states_come_back(app: Kernel) -> None:
    tasks(app)
    with start_worker(app):
        done = app.tasks["add"].delay(2, 3)
        assert done.get(timeout=20) == 5
        assert (done.state, done.name, done.args) == ("SUCCESS", "add", [2, 3])
        failed = app.tasks["fail"].delay()
        with pytest.raises(ValueError, match="no good") as caught:
            failed.get(timeout=20)
        assert caught.value.args == ("no good", 3)
        assert "ValueError" in failed.traceback
    assert app.AsyncResult("nobody-sent-it").state == "PENDING"
    done.forget()
    assert app.AsyncResult(done.id).state == "PENDING"


def test_a_stored_success_is_kept(app: Kernel) -> None:
    tasks(app)
    with start_worker(app):
        done = app.tasks["add"].delay(2, 3)
        assert done.get(timeout=20) == 5
    app.tasks["add"].update_state(done.id, "PROGRESS", {"at": 1})
    assert app.AsyncResult(done.id).state == "SUCCESS"
    app.tasks["add"].update_state("other", "PROGRESS", {"at": 1})
    assert app.AsyncResult("other").info == {"at": 1}


def test_groups_are_saved_and_restored(app: Kernel) -> None:
    tasks(app)
    add = app.tasks["add"]
    with start_worker(app):
        sums = group(add.s(i, i) for i in range(3))()
        assert sums.get(timeout=20) == [0, 2, 4]
    sums.save()
    restored = GroupResult.restore(sums.id, app=app)
    assert restored is not None
    assert restored.get(timeout=20) == [0, 2, 4]
    sums.delete()
    assert GroupResult.restore(sums.id, app=app) is None


def test_chords_are_joined_by_looking(app: Kernel) -> None:
    tasks(app)
    app.conf.result_chord_retry_interval = 0.05
    with start_worker(app):
        body = chord([app.tasks["add"].s(i, 1) for i in range(3)])(app.tasks["total"].s())
        assert body.get(timeout=30) == 6


def test_the_url_reaches_the_class(tmp_path: Path) -> None:
    before = holder.current
    url = "celery-backend:third_party.KeysBackend?url=keys%3A%2F%2Fsomewhere"
    with Kernel("own", broker="memory://", backend=url) as app:
        app.AsyncResult("x").state  # noqa: B018 - reading it opens the backend
        assert third_party.MADE[-1].url == "keys://somewhere"
        assert third_party.MADE[-1].app is app
    holder.set(before)


def test_cleanup_is_for_stores_that_do_not_expire_by_themselves(app: Kernel) -> None:
    backend = app.client.services.backend
    assert backend is not None
    cleaned = third_party.RowsBackend.cleaned
    assert backend.expire(0.0, 10, Deadline.after(5)) == 0
    assert third_party.RowsBackend.cleaned - cleaned == ("RowsBackend" in str(app.conf.result_backend))


def test_an_error_of_the_class_is_one_of_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    before = holder.current
    monkeypatch.setattr(third_party.RowsBackend, "fail_with", TypeError("broken"))
    url = "celery-backend:third_party:RowsBackend"
    with Kernel("own", broker="memory://", backend=url, result_backend_max_retries=0) as app:
        tasks(app)
        with pytest.raises(BackendStoreError, match="third_party:RowsBackend failed"):
            app.tasks["add"].update_state("x", "PROGRESS", {})
    holder.set(before)


@pytest.mark.parametrize("place", ["nowhere_at_all", "nowhere_at_all:Class", "third_party:Nothing", "third_party:KEYS"])
def test_what_is_no_class_is_named(place: str) -> None:
    with pytest.raises(DriverError) as caught:
        find_class(place)
    assert caught.value.code is Code.INVALID
    assert place in str(caught.value)
