"""An application of Celery in a folder of its own, and the programs that run it; nothing here knows the real Celery."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

MODULES: Mapping[str, str] = {
    "proj/__init__.py": "",
    "proj/celery.py": """
        from celery import Celery

        app = Celery("proj", include=["proj.tasks"])
        app.config_from_object("proj.celeryconfig")
    """,
    "proj/celeryconfig.py": """
        broker_url = result_backend = "sqlite:///jobs.sqlite3"
        task_routes = {"proj.tasks.add": {"queue": "hipri"}}
    """,
    "proj/tasks.py": """
        from celery import shared_task
        from celery.utils.log import get_task_logger
        from .celery import app

        logger = get_task_logger(__name__)


        @app.task
        def add(x, y):
            logger.info("adding")
            return x + y


        @shared_task(bind=True)
        def multiply(self, x, y):
            return x * y
    """,
}


def write(folder: Path, modules: Mapping[str, str]) -> None:
    for name, text in modules.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text.strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
        path.write_text("\n".join(line[indent:] for line in lines) + "\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of a small application that was written for Celery."""
    write(tmp_path, MODULES)
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of programs, without what a developer may have set."""
    prefixes = ("KERNEL_", "CELERY", "PYTEST_", "DJANGO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


@pytest.fixture
def run(project: Path, environment: dict[str, str]) -> Run:
    """Runs ``python -m plugin_compat_celery`` in that folder to its end."""

    def call(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "plugin_compat_celery", *words]
        return subprocess.run(
            command, cwd=project, env={**environment, **more}, capture_output=True, text=True, check=False, timeout=60
        )

    return call
