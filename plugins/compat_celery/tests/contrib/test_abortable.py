"""Tasks that can be asked to stop (features.md 2.1)."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel.errors import BackendStoreError
from kernel_conformance.servers.memcached import MemcachedServer
from kernel_conformance.servers.redis import RedisServer
from plugin_compat_celery import Celery
from plugin_compat_celery.contrib.abortable import ABORTED, AbortableAsyncResult, AbortableTask
from plugin_compat_celery.contrib.testing.app import TestApp, setup_default_app
from plugin_compat_celery.contrib.testing.worker import start_worker


@pytest.fixture
def app() -> Iterator[Celery]:
    app = TestApp()
    with setup_default_app(app):
        yield app


def looker(app: Celery, running: threading.Event) -> Any:
    @app.task(bind=True, base=AbortableTask, name="looks")
    def looks(self: Any) -> str:
        running.set()
        deadline = time.monotonic() + 20
        while not self.is_aborted():
            if time.monotonic() > deadline:
                return "nobody wanted it to stop"
            time.sleep(0.01)
        return "stopped"

    return looks


def test_a_running_task_sees_that_it_is_aborted(app: Celery) -> None:
    running = threading.Event()
    task = looker(app, running)
    with start_worker(app, perform_ping_check=False):
        result = task.s().delay()
        assert isinstance(result, AbortableAsyncResult)
        assert isinstance(task.apply_async(countdown=60), AbortableAsyncResult)
        assert running.wait(20)
        assert not result.is_aborted()
        result.abort()
        assert result.is_aborted() or result.ready()
        assert result.get(timeout=20) == "stopped"
    assert not result.is_aborted()


def test_the_state_is_no_end_and_may_be_set_before_the_task_runs(app: Celery) -> None:
    task = looker(app, threading.Event())
    result = task.AsyncResult("an-id")
    result.abort()
    assert (result.state, result.ready()) == (ABORTED, False)
    assert task.is_aborted(task_id="an-id")
    with pytest.raises(ValueError, match="a task that runs"):
        task.is_aborted()


def test_a_success_cannot_be_aborted(app: Celery) -> None:
    running = threading.Event()
    task = looker(app, running)
    with start_worker(app, perform_ping_check=False):
        result = task.delay()
        assert running.wait(20)
        result.abort()
        assert result.get(timeout=20) == "stopped"
    result.abort()
    assert result.state == "SUCCESS"


@pytest.fixture(params=["sqlite", "redis", "memcached"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a result backend that processes share."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/results.sqlite3"
        return
    server = {"redis": RedisServer, "memcached": MemcachedServer}[request.param]()
    server.start()
    yield server.url if isinstance(server, RedisServer) else "cache+memcached://{}:{}/".format(*server.address)
    server.stop()


def test_the_wish_is_a_state_in_every_store(store: str) -> None:
    app = TestApp(backend=store)
    with setup_default_app(app):
        task = looker(app, threading.Event())
        result = task.AsyncResult("an-id")
        result.abort()
        assert (result.state, task.is_aborted(task_id="an-id")) == (ABORTED, True)


def test_by_rpc_nobody_would_see_it(app: Celery) -> None:
    app.conf.result_backend = "rpc://"
    task = looker(app, threading.Event())
    with pytest.raises(BackendStoreError, match="rpc://"):
        task.AsyncResult("an-id").abort()
