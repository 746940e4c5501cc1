"""A result backend written for Celery in a worker with processes: made anew in each, for the application that runs."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

STORE = """
from pathlib import Path
from urllib.parse import urlsplit

from celery.backends.base import KeyValueStoreBackend


class Files(KeyValueStoreBackend):
    def __init__(self, *args, url=None, **kwargs):
        super().__init__(*args, url=url, **kwargs)
        self.folder = Path(urlsplit(url).path)
        self.made_for = self.app.main

    def get(self, key):
        path = self.folder / key.decode()
        return path.read_text() if path.exists() else None

    def set(self, key, value):
        part = self.folder / (key.decode() + ".part")
        part.write_text(value)
        part.rename(self.folder / key.decode())

    def delete(self, key):
        (self.folder / key.decode()).unlink(missing_ok=True)
"""
APP = """
import os

from celery import Celery

app = Celery("proj")
app.conf.update(
    broker_url="sqlite:///jobs.sqlite3",
    result_backend="files://" + os.getcwd() + "/results",
    override_backends={"files": "store:Files"},
)


@app.task
def where():
    return [os.getpid(), app.backend is not None]


@app.task
def fails():
    raise ValueError("no good")
"""
CALL = """
import json
from tasks import app, fails, where

pids = {tuple(where.delay().get(timeout=60)) for _ in range(6)}
error = fails.delay().get(timeout=60, propagate=False)
print(json.dumps([len(pids), repr(error)]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "store.py").write_text(STORE)
    (tmp_path / "tasks.py").write_text(APP)
    (tmp_path / "call.py").write_text(CALL)
    (tmp_path / "results").mkdir()
    return tmp_path


@pytest.fixture
def worker(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "plugin_compat_celery", "-A", "tasks", "worker", "-c", "2", "-l", "INFO"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while "ready." not in (folder / "worker.log").read_text():
        assert process.poll() is None, (folder / "worker.log").read_text()
        assert time.monotonic() < deadline, (folder / "worker.log").read_text()
        time.sleep(0.05)
    yield process
    process.terminate()
    process.wait(30)


def test_results_of_several_processes_come_back(
    folder: Path, environment: dict[str, str], worker: subprocess.Popen[bytes]
) -> None:
    words = [sys.executable, "-m", "plugin_compat_celery", "call.py"]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr + (folder / "worker.log").read_text()
    pids, error = json.loads(done.stdout)
    assert pids >= 1
    assert error == "ValueError('no good')"
    assert len(list((folder / "results").glob("celery-task-meta-*"))) == 7
    assert worker.poll() is None
