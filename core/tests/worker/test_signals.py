"""A real worker process and real signals: how it ends, and what becomes of its tasks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worker_fakes import until

TERM, INT, QUIT, USR1 = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1

APP = """
import time
from pathlib import Path
from kernel import Kernel

HERE = Path(__file__).parent
app = Kernel("stopping", broker=f"sqlite:///{HERE / 'stop.sqlite3'}", backend=f"sqlite:///{HERE / 'stop.sqlite3'}")


def work(name, seconds):
    (HERE / f"{name}.begun").touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (HERE / f"{name}.go").exists():
        time.sleep(0.01)
    (HERE / f"{name}.done").touch()
    return name


@app.task
def early(name, seconds=60.0):
    return work(name, seconds)


@app.task(acks_late=True)
def late(name, seconds=60.0):
    return work(name, seconds)
"""


class Place:
    """A folder with an application and at most one worker."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "stopping.py").write_text(APP)
        self.worker = None

    def start(self, *options: str, **environment: str) -> None:
        command = [sys.executable, "-m", "kernel", "-A", "stopping", "worker", "-c", "2", *options]
        with (self.path / "worker.log").open("wb") as log:
            self.worker = subprocess.Popen(
                command, cwd=self.path, env={**os.environ, **environment}, stdout=log, stderr=log, process_group=0
            )
        self.logged("ready.")

    def log(self) -> str:
        return (self.path / "worker.log").read_text()

    def logged(self, text: str) -> None:
        def found():
            assert self.worker.poll() is None or text in self.log(), self.log()
            return text in self.log()

        until(found, 60, f"{text!r} in the log")

    def send(self, *signals: signal.Signals) -> None:
        for number in signals:
            self.worker.send_signal(number)

    def exit_code(self) -> int:
        return self.worker.wait(60)

    def mark(self, name: str, kind: str) -> bool:
        return (self.path / f"{name}.{kind}").exists()

    def begun(self, *names: str) -> None:
        for name in names:
            until(lambda: self.mark(name, "begun"), 60, f"the start of {name}")  # noqa: B023 - called at once

    def go(self, name: str) -> None:
        (self.path / f"{name}.go").touch()

    def close(self) -> None:
        if self.worker is not None and self.worker.poll() is None:
            self.worker.kill()
            self.worker.wait(10)


@pytest.fixture
def place(tmp_path, monkeypatch):
    made = Place(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("stopping", None)
    yield made
    made.close()
    module = sys.modules.pop("stopping", None)
    if module is not None:
        module.app.close()


@pytest.fixture
def tasks(place):
    import stopping

    return stopping


def depth(tasks):
    from kernel.contracts.deadline import Deadline

    return tasks.app.client.services.broker.depth(["kernel"], Deadline.after(5.0))["kernel"]


@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize("number", [TERM, INT])
def test_the_first_signal_lets_running_tasks_finish_and_takes_no_new_ones(place, tasks, pool, number):
    running = [tasks.early.delay("one"), tasks.late.delay("two")]
    place.start("-P", pool)
    place.begun("one", "two")
    tasks.late.delay("three")
    place.send(number)
    place.logged("Stopping")
    for name in ("one", "two"):
        place.go(name)
    assert place.exit_code() == 0
    assert [result.get(timeout=20) for result in running] == ["one", "two"]
    assert not place.mark("three", "begun")
    assert depth(tasks).ready == 1


@pytest.mark.parametrize("numbers", [[QUIT], [INT, INT], [TERM, TERM], [TERM, QUIT]])
def test_a_cold_stop_releases_late_tasks_and_fails_early_ones(place, tasks, numbers):
    early = tasks.early.delay("one")
    tasks.late.delay("two")
    place.start()
    place.begun("one", "two")
    began = time.monotonic()
    place.send(numbers[0])
    if len(numbers) > 1:
        place.logged("Stopping")
        place.send(numbers[1])
    assert place.exit_code() == 1
    assert time.monotonic() - began < 40
    assert "shut down" in str(early.get(timeout=20, propagate=False))
    assert depth(tasks).ready == 1
    assert not place.mark("two", "done")


def test_term_can_be_told_to_mean_quit(place, tasks):
    tasks.late.delay("one")
    place.start(REMAP_SIGTERM="SIGQUIT")
    place.begun("one")
    place.send(TERM)
    assert place.exit_code() == 1
    assert depth(tasks).ready == 1


def test_a_soft_stop_gives_running_tasks_some_time(place, tasks):
    quick, slow = tasks.late.delay("quick"), tasks.late.delay("slow")
    place.start(KERNEL_WORKER_SOFT_SHUTDOWN_TIMEOUT="5")
    place.begun("quick", "slow")
    place.send(QUIT)
    place.logged("Stopping")
    place.go("quick")
    assert place.exit_code() == 1
    assert quick.get(timeout=20) == "quick"
    assert depth(tasks).ready == 1
    assert not slow.ready()


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_the_third_interrupt_leaves_at_once(place, tasks, pool):
    tasks.late.delay("one")
    place.start("-P", pool, KERNEL_WORKER_SOFT_SHUTDOWN_TIMEOUT="600")
    place.begun("one")
    place.send(INT)
    place.logged("Stopping")
    place.send(INT)
    deadline = time.monotonic() + 60
    while place.worker.poll() is None and time.monotonic() < deadline:
        time.sleep(0.3)  # two signals of one number become one when they come too fast
        place.send(INT)
    assert place.exit_code() == 1


def test_a_soft_stop_may_wait_although_nothing_runs(place, tasks):
    """So that somebody has the time to look, or the next task is not delivered to a node that goes."""
    place.start(
        KERNEL_WORKER_SOFT_SHUTDOWN_TIMEOUT="600",
        KERNEL_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE="1",
        REMAP_SIGTERM="SIGQUIT",
    )
    place.send(TERM)
    place.logged("Stopping: 0 tasks")
    time.sleep(0.3)
    assert place.worker.poll() is None
    place.send(QUIT)
    assert place.exit_code() == 0


def test_usr1_shows_all_stacks(place, tasks):
    tasks.early.delay("one")
    place.start("-P", "threads")
    place.begun("one")
    place.send(USR1)
    place.logged("Current thread")
    assert "in work" in place.log()
    place.go("one")
    place.send(TERM)
    assert place.exit_code() == 0


def test_the_terminals_interrupt_reaches_the_whole_group_and_still_ends_in_order(place, tasks):
    running = tasks.late.delay("one")
    place.start()
    place.begun("one")
    os.killpg(place.worker.pid, INT)
    place.logged("Stopping")
    place.go("one")
    assert place.exit_code() == 0
    assert running.get(timeout=20) == "one"


def test_an_idle_worker_uses_no_cpu_and_leaves_no_process(place, tasks):
    place.start()
    pid = place.worker.pid
    time.sleep(0.5)
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(3.0)
    share = (cpu_seconds(pid) - before) / (time.monotonic() - began)
    assert share < 0.1
    place.send(TERM)
    assert place.exit_code() == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def cpu_seconds(pid: int) -> float:
    """CPU time of the node and its children so far."""
    total = 0
    for each in (pid, *children(pid)):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [grandchild for child in found for grandchild in children(child)]
