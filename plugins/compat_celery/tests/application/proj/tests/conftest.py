"""Tests of the application, by the fixtures that Celery has for them."""

import pytest

pytest_plugins = ("celery.contrib.pytest",)


@pytest.fixture(scope="session")
def celery_config():
    return {"broker_url": "memory://", "result_backend": "cache+memory://", "task_track_started": True}


@pytest.fixture(scope="session")
def celery_parameters():
    return {"strict_typing": False}


@pytest.fixture(scope="session")
def celery_includes():
    return ["proj.library"]


@pytest.fixture(scope="session")
def celery_class_tasks():
    from proj.library import Doubles

    return [Doubles()]


@pytest.fixture(scope="session")
def celery_worker_parameters():
    return {"queues": ("celery", "more"), "ping_task_timeout": 60, "shutdown_timeout": 60}
