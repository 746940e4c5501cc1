"""Real worker processes on a real SQLite file, killed for real."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

APP = """
import os, signal, time
from pathlib import Path
from kernel import Kernel

HERE = Path(__file__).parent
URL = f"sqlite:///{HERE / 'chaos.sqlite3'}"
app = Kernel("chaos", broker=URL, backend=URL)


def note(text):
    with open(HERE / "log.txt", "a") as log:
        log.write(text + "\\n")


@app.task(acks_late=True)
def late(n, seconds=0.0):
    note(f"start {n}")
    time.sleep(seconds)
    note(f"end {n}")
    return n * 2


@app.task
def early(n, seconds=0.0):
    note(f"start {n}")
    time.sleep(seconds)
    return n * 2


@app.task(bind=True, acks_late=True)
def die_once(self, n):
    mark = HERE / f"died-{n}"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n * 2


@app.task(acks_late=True)
def poison():
    note("poison")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def die_early():
    note("die_early")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(acks_late=True, time_limit=1)
def too_long():
    note("too_long")
    time.sleep(60)


@app.task
def pid():
    return os.getpid()
"""


def until(condition: Callable[[], object], seconds: float = 60.0, what: str = "the condition") -> object:
    """Poll until the condition holds; what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)


class Site:
    """A directory with an application, its database, and the workers started on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "chaosapp.py").write_text(APP)
        self.workers: list[subprocess.Popen[bytes]] = []

    def environ(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.path), "PYTHONUNBUFFERED": "1"}

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "kernel", "-A", "chaosapp", "worker", "-l", "INFO", *options]
        log = (self.path / f"worker-{len(self.workers)}.log").open("wb")
        with log:
            started = subprocess.Popen(command, cwd=self.path, env=self.environ(), stdout=log, stderr=log)
        self.workers.append(started)
        return started

    def run(self, code: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code], cwd=self.path, env=self.environ(), stdout=subprocess.PIPE)

    def log(self) -> list[str]:
        path = self.path / "log.txt"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def worker_log(self, number: int = 0) -> str:
        return (self.path / f"worker-{number}.log").read_text()

    def stop(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait(5)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("chaosapp", None)
    yield made
    made.stop()
    module = sys.modules.pop("chaosapp", None)
    if module is not None:
        module.app.close()


@pytest.fixture
def tasks(site: Site):
    import chaosapp

    return chaosapp
