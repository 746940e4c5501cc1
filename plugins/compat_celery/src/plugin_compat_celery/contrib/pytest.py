"""``celery.contrib.pytest``: fixtures for tests of applications (features.md 2.12).

``pytest_plugins = ["plugin_compat_celery.contrib.pytest"]`` in a ``conftest.py``, or ``-p`` and that name on the
command line, makes them known. pytest does not find them by itself: installing this changes nobody's tests.

Override a fixture to change what it says: settings by ``celery_config``, arguments of the application by
``celery_parameters``, options of the worker by ``celery_worker_parameters``.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from plugin_compat_celery.contrib.testing.app import TestApp, setup_default_app
from plugin_compat_celery.contrib.testing.worker import start_worker

NO_WORKER = os.environ.get("NO_WORKER")
"""When the environment says so, fixtures start no worker: for those who run one themselves."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "celery(**settings): settings of the application of this test")


@pytest.fixture(scope="session")
def celery_config() -> Mapping[str, Any]:
    """Settings of the application."""
    return {}


@pytest.fixture(scope="session")
def celery_parameters() -> Mapping[str, Any]:
    """Arguments of its constructor."""
    return {}


@pytest.fixture(scope="session")
def celery_worker_parameters() -> Mapping[str, Any]:
    """Options of the worker, such as ``queues``."""
    return {}


@pytest.fixture(scope="session")
def celery_worker_pool() -> str:
    """Its pool: ``solo`` or ``threads``."""
    return "solo"


@pytest.fixture(scope="session")
def celery_includes() -> Sequence[str]:
    """Names of modules to import before a worker starts."""
    return ()


@pytest.fixture(scope="session")
def celery_class_tasks() -> Sequence[Any]:
    """Task objects to register with the application of the session."""
    return []


@pytest.fixture(scope="session")
def celery_enable_logging() -> bool:
    """Whether the application sets up logging."""
    return False


@pytest.fixture(scope="session")
def use_celery_app_trap() -> bool:
    """Whether using the current application is an error."""
    return False


@pytest.fixture(scope="session")
def celery_session_app(
    request: pytest.FixtureRequest,
    celery_config: Mapping[str, Any],
    celery_parameters: Mapping[str, Any],
    celery_enable_logging: bool,
    use_celery_app_trap: bool,
) -> Iterator[Any]:
    """One application for the whole session; the current one, unless that is trapped."""
    settings = _settings(request, celery_config)
    with _application(celery_enable_logging, use_celery_app_trap, celery_parameters, settings) as app:
        if not use_celery_app_trap:
            app.set_default()
            app.set_current()
        yield app


@pytest.fixture(scope="session")
def celery_session_worker(
    celery_session_app: Any,
    celery_includes: Sequence[str],
    celery_class_tasks: Sequence[Any],
    celery_worker_pool: str,
    celery_worker_parameters: Mapping[str, Any],
) -> Iterator[Any]:
    """A worker of it, in a thread, for the whole session."""
    if NO_WORKER:
        yield None
        return
    for task in celery_class_tasks:
        celery_session_app.register_task(task)
    with _worker(celery_session_app, celery_includes, celery_worker_pool, celery_worker_parameters) as worker:
        yield worker


@pytest.fixture
def celery_app(
    request: pytest.FixtureRequest,
    celery_config: Mapping[str, Any],
    celery_parameters: Mapping[str, Any],
    celery_enable_logging: bool,
    use_celery_app_trap: bool,
) -> Iterator[Any]:
    """An application for one test. The mark ``celery(task_always_eager=True)`` gives it further settings."""
    settings = _settings(request, celery_config)
    with _application(celery_enable_logging, use_celery_app_trap, celery_parameters, settings) as app:
        yield app


@pytest.fixture
def celery_worker(
    celery_app: Any,
    celery_includes: Sequence[str],
    celery_worker_pool: str,
    celery_worker_parameters: Mapping[str, Any],
) -> Iterator[Any]:
    """A worker of it, in a thread, until the test ends."""
    if NO_WORKER:
        yield None
        return
    with _worker(celery_app, celery_includes, celery_worker_pool, celery_worker_parameters) as worker:
        yield worker


@pytest.fixture
def depends_on_current_app(celery_app: Any) -> None:
    """Make the test's application the current one."""
    celery_app.set_current()


def _settings(request: pytest.FixtureRequest, config: Mapping[str, Any]) -> dict[str, Any]:
    mark = request.node.get_closest_marker("celery")
    return {**config, **(mark.kwargs if mark is not None else {})}


@contextmanager
def _application(
    logging: bool, trap: bool, parameters: Mapping[str, Any], settings: Mapping[str, Any]
) -> Iterator[Any]:
    app = TestApp(set_as_current=False, enable_logging=logging, config=settings, **parameters)
    with setup_default_app(app, use_trap=trap):
        yield app


@contextmanager
def _worker(app: Any, includes: Sequence[str], pool: str, parameters: Mapping[str, Any]) -> Iterator[Any]:
    for module in includes:
        app.loader.import_task_module(module)
    with start_worker(app, pool=pool, **parameters) as worker:
        yield worker
