"""Applications, workers, messages and a manager for tests (features.md 2.12)."""

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kernel.app.current import current_app, holder
from kernel.app.shared import blueprints
from kernel.errors import ImproperlyConfigured
from plugin_compat_celery import Celery, chain, shared_task
from plugin_compat_celery.contrib.testing import worker as testing_worker
from plugin_compat_celery.contrib.testing.app import TestApp, set_trap, setup_default_app
from plugin_compat_celery.contrib.testing.manager import Manager, Sentinel
from plugin_compat_celery.contrib.testing.mocks import ContextMock, TaskMessage, TaskMessage1, task_message_from_sig
from plugin_compat_celery.contrib.testing.worker import start_worker


@pytest.fixture
def app() -> Iterator[Celery]:
    app = TestApp()
    with setup_default_app(app):
        yield app


class Heard:
    """A receiver that counts."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    def __call__(self, signal: Any = None, **_more: Any) -> None:
        self.signals.append(signal.name)


def test_an_application_for_tests_is_in_memory_and_not_the_current_one(app: Celery) -> None:
    assert app.main == "celery.tests"
    assert app.conf.broker_url == "memory://"
    assert app.conf.result_backend == "cache+memory://"
    assert app.conf.timezone == "UTC"
    assert holder.current is not app
    assert TestApp(broker="memory://other").conf.broker_url == "memory://other"
    assert TestApp(config={"task_serializer": "pickle"}).conf.task_serializer == "pickle"


def test_a_worker_in_a_thread_runs_tasks_and_learns_others_by_reload(app: Celery) -> None:
    @app.task
    def mul(x: int, y: int) -> int:
        return x * y

    heard = Heard()
    for signal in ("test_worker_starting", "test_worker_started", "test_worker_stopped"):
        getattr(testing_worker, signal).connect(heard)
    with start_worker(app) as worker:
        worker.ensure_started()
        assert mul.delay(4, 4).get(timeout=20) == 16

        @app.task
        def add(x: int, y: int) -> int:
            return x + y

        worker.reload()
        assert add.delay(4, 4).get(timeout=20) == 8
        assert chain(mul.s(2, 2), add.s(1)).delay().get(timeout=20) == 5
    assert heard.signals == ["test_worker_starting", "test_worker_started", "test_worker_stopped"]


def test_pools_of_processes_are_refused_with_advice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.sqlite3"
    app = TestApp(broker=url, backend=url)
    with (
        setup_default_app(app),
        pytest.raises(ImproperlyConfigured, match="starts others"),
        start_worker(app, pool="prefork"),
    ):
        pass


def test_a_worker_reloads_no_modules(app: Celery) -> None:
    with (
        start_worker(app, perform_ping_check=False) as worker,
        pytest.raises(TypeError, match=r"importlib\.reload"),
    ):
        worker.reload(["json"])


def test_the_current_application_and_shared_tasks_are_put_back() -> None:
    before, shared = holder.current, dict(blueprints)
    app = TestApp()
    with setup_default_app(app):
        app.set_current()

        @shared_task(name="only.here")
        def only_here() -> None: ...

        assert current_app.main == "celery.tests"
    assert holder.current is before
    assert blueprints == shared


def test_the_trap_fails_whoever_uses_the_current_application(app: Celery) -> None:
    with set_trap(app):
        with pytest.raises(RuntimeError, match="Test depends on current_app"):
            current_app.tasks  # noqa: B018 - reading it is the test
        assert app.main == "celery.tests"
    with pytest.raises(RuntimeError, match="Test depends"), setup_default_app(app, use_trap=True):
        current_app.conf  # noqa: B018


def test_messages_of_both_protocols(app: Celery) -> None:
    two = TaskMessage("proj.add", id="x", args=(1, 2), kwargs={"k": 3}, shadow="s", eta="later")
    assert two.headers == {"id": "x", "task": "proj.add", "shadow": "s", "eta": "later"}
    args, kwargs, embed = json.loads(two.body)
    assert (args, kwargs, embed["callbacks"], two.content_type) == ([1, 2], {"k": 3}, None, "application/json")
    one = TaskMessage1("proj.add", id="x", args=(1,), retries=2)
    assert one.headers == {}
    assert json.loads(one.body)["retries"] == one.payload["retries"] == 2


def test_the_message_of_a_signature(app: Celery) -> None:
    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    expires = datetime(2030, 1, 1, tzinfo=UTC)
    sig = add.s(2, 2).set(countdown=10, expires=expires, link=add.s(1), priority=3)
    message = task_message_from_sig(app, sig)
    assert message.headers["id"] == sig.id
    assert message.headers["expires"] == expires.isoformat()
    assert message.headers["priority"] == 3
    assert datetime.fromisoformat(message.headers["eta"]) > datetime.now(UTC)
    assert json.loads(message.body)[2]["callbacks"][0]["task"] == "add"


def test_a_mock_may_stand_after_with() -> None:
    mock = ContextMock(name="connection")
    with mock as entered:
        assert entered is mock
    assert mock.anything.called is False


def test_the_manager_waits_and_joins(app: Celery) -> None:
    @app.task
    def mul(x: int, y: int) -> int:
        return x * y

    said = io.StringIO()
    manager = Manager(app, stdout=said)
    gate = threading.Event()
    with start_worker(app, perform_ping_check=False):
        result = mul.delay(2, 3)
        assert manager.join(result, timeout=20) == 6
        assert manager.missing_results([result]) == []
        manager.assert_result_tasks_in_progress_or_completed([result])
    threading.Timer(0.1, gate.set).start()
    assert manager.wait_for(lambda: manager.true_or_raise(gate.is_set), Sentinel, interval_step=0.01) is True
    manager.remark("done")
    assert said.getvalue() == "-done\n"
    with pytest.raises(AssertionError, match="Should not have happened: it"):
        manager.ensure_not_for_a_while(lambda: 1, Sentinel, desc="it", max_retries=1)
    manager.ensure_not_for_a_while(lambda: manager.true_or_raise(bool), Sentinel, max_retries=2, interval_start=0.01)
    with pytest.raises(AssertionError, match="Missing task results"):
        manager.join(mul.AsyncResult("nobody"), max_retries=1, timeout=0.05)
