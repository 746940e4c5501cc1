"""A RabbitMQ that is killed and restarted, and workers and clients in processes of their own on it."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel_conformance.servers.rabbitmq import RabbitMQ
from kernel_conformance.stalls import Stalls

PROGRAMS = Path(__file__).parent / "programs"
STOP_S = 20.0


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    """What the machine stands still during the test: it does not count where time is measured."""
    with Stalls() as made:
        yield made


def until(condition: Callable[[], object], seconds: float = 60.0, what: str = "the condition") -> object:
    """Poll until the condition holds; what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {seconds} s")
        time.sleep(0.01)
    return found


class Site:
    """A folder with the journal and the logs, and the processes that work there.

    Args:
        folder: the folder.
        url: the broker, perhaps behind a proxy.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._journal = folder / "journal"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self.environ = {
            **os.environ,
            "OUTAGE_BROKER": url,
            "OUTAGE_JOURNAL": str(self._journal),
            "PYTHONPATH": str(PROGRAMS),
            "PYTHONUNBUFFERED": "1",
        }

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker node with two executors."""
        name = f"worker-{len(self.workers)}"
        words = [
            "-m",
            "kernel",
            "-A",
            "outage_tasks",
            "worker",
            "-c",
            "2",
            "-l",
            "INFO",
            "-n",
            f"{name}@here",
            *options,
        ]
        started = self._start(name, words)
        self.workers.append(started)
        return started

    def backlog(self, end: int) -> None:
        """Send the numbers below ``end`` in one group."""
        sender = self._start("backlog", [str(PROGRAMS / "publisher.py"), "0", str(end), "-1"])
        assert sender.wait(60) == 0, self.logs()

    def publisher(self, first: int, end: int, pause: float = 0.0) -> subprocess.Popen[bytes]:
        """Start a client that sends the numbers from ``first`` up to ``end``, one after the other."""
        return self._start("publisher", [str(PROGRAMS / "publisher.py"), str(first), str(end), str(pause)])

    def executions(self) -> Counter[int]:
        """How often each number was run so far."""
        text = self._journal.read_text() if self._journal.exists() else ""
        return Counter(int(line) for line in text[: text.rfind("\n") + 1].split())

    def executed(self) -> int:
        """How many executions there were, cheaply enough to be asked often."""
        return self._journal.read_bytes().count(b"\n") if self._journal.exists() else 0

    def attempts(self) -> list[tuple[int, str, float]]:
        """What the client saw: number, outcome, seconds."""
        lines = self.log("publisher").splitlines()
        return [(int(number), outcome, float(seconds)) for number, outcome, seconds in map(str.split, lines)]

    def log(self, name: str) -> str:
        """What a process printed."""
        path = self._folder / f"{name}.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return text[: text.rfind("\n") + 1]

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in sorted(self._folder.glob("*.log")))

    def stop(self) -> None:
        """End every process by its id."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

    def _start(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                [sys.executable, *words],
                cwd=self._folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(started)
        return started


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitMQ]:
    server = RabbitMQ()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def site(rabbit: RabbitMQ, tmp_path: Path) -> Iterator[Site]:
    """A place on a server that runs and has nothing from the test before."""
    rabbit.start()
    rabbit.control("delete_vhost", "/")
    rabbit.control("add_vhost", "/")
    rabbit.control("set_permissions", "-p", "/", rabbit.user, ".*", ".*", ".*")
    made = Site(tmp_path, rabbit.url)
    yield made
    made.stop()
