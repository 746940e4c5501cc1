"""``kernel beat`` and ``kernel worker -B`` as processes: what they say, what they refuse, and what a kill leaves."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.cli.main import main
from kernel.contracts import Deadline

APP = """
import os, signal
from kernel import Kernel
from kernel.beat import PersistentScheduler

app = Kernel("shop", broker="sqlite:///queue.db", backend="sqlite:///queue.db", worker_pool="threads")

@app.task(name="shop.note")
def note(text):
    with open("notes", "a") as file:
        file.write(text + "\\n")

@app.on_after_configure.connect
def set_up(sender, **kwargs):
    sender.add_periodic_task(0.5, note.s("ran"), name="often", kwargs={})

class DiesBeforeItSends(PersistentScheduler):
    def apply_async(self, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

class DiesBeforeItWrites(PersistentScheduler):
    def reserve(self, entry):
        os.kill(os.getpid(), signal.SIGKILL)
"""
START_S = 60.0


def until(condition: Callable[[], object], what: str, seconds: float = START_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.02)


class Programs:
    """Processes of the kernel in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"log{len(self.started)}"
        environ = {key: value for key, value in os.environ.items() if not key.startswith("KERNEL_")}
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "kernel", "-A", "shop", *words],
                cwd=self.folder,
                env=environ,
                stdout=stream,
                stderr=stream,
            )
        self.started.append(process)
        return process

    def said(self, process: subprocess.Popen[bytes]) -> str:
        return (self.folder / f"log{self.started.index(process)}").read_text()

    def until_said(self, process: subprocess.Popen[bytes], text: str, times: int = 1) -> None:
        until(lambda: self.said(process).count(text) >= times or process.poll() is not None, text)
        assert self.said(process).count(text) >= times, self.said(process)

    def ended(self, process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
        process.send_signal(number)
        return process.wait(START_S)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    (tmp_path / "shop.py").write_text(APP)
    found = Programs(tmp_path)
    yield found
    for process in found.started:
        process.kill()
        process.wait(10)


def waiting(programs: Programs) -> int:
    """How many messages wait."""
    from kernel import Kernel

    app = Kernel("reader", broker=f"sqlite:///{programs.folder}/queue.db", set_as_current=False)
    try:
        return app.client.services.broker.depth(["kernel"], Deadline.after(5))["kernel"].ready or 0
    finally:
        app.close()


def test_beat_sends_says_what_it_does_and_ends_politely(programs: Programs) -> None:
    beat = programs.start("beat", "-l", "DEBUG", "-s", "times")
    programs.until_said(beat, "Scheduler: Sending due task often (shop.note)", 2)
    assert programs.ended(beat) == 0
    text = programs.said(beat)
    for fact in ("kernel beat", "shop:app", "queue.db", "PersistentScheduler", "times", "often: shop.note <freq: 0.50"):
        assert fact in text
    assert text.count("beat: Starting...") == text.count("beat: Shutting down...") == 1
    assert (programs.folder / "times").exists()
    assert waiting(programs) >= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_every_way_to_stop_it(programs: Programs, number: signal.Signals) -> None:
    beat = programs.start("beat")
    programs.until_said(beat, "beat: Starting...")
    assert programs.ended(beat, number) == 0
    assert "beat: Shutting down..." in programs.said(beat)


def test_a_second_beat_on_the_same_file_is_refused(programs: Programs) -> None:
    first = programs.start("beat")
    programs.until_said(first, "beat: Starting...")
    second = programs.start("-q", "beat")
    assert second.wait(START_S) == 78
    (line,) = programs.said(second).strip().splitlines()
    assert "Another beat has the file kernelbeat-schedule open" in line
    first.kill()
    first.wait(10)
    third = programs.start("beat")
    programs.until_said(third, "Sending due task")
    assert programs.ended(third) == 0


def test_a_kill_before_it_sends_loses_nothing(programs: Programs) -> None:
    killed = programs.start("beat", "-S", "shop:DiesBeforeItSends")
    assert killed.wait(START_S) == -signal.SIGKILL
    assert not (programs.folder / "queue.db").exists() or waiting(programs) == 0
    heir = programs.start("beat")
    programs.until_said(heir, "Sending due task often")
    assert programs.ended(heir) == 0
    assert waiting(programs) >= 1


def test_a_kill_before_it_writes_repeats_and_loses_nothing(programs: Programs) -> None:
    killed = programs.start("beat", "-S", "shop:DiesBeforeItWrites")
    assert killed.wait(START_S) == -signal.SIGKILL
    assert waiting(programs) == 1
    again = programs.start("beat", "-S", "shop:DiesBeforeItWrites")
    assert again.wait(START_S) == -signal.SIGKILL
    assert waiting(programs) == 2, "what is not known to be sent is sent at once"


def test_beat_in_a_worker(programs: Programs) -> None:
    worker = programs.start("worker", "-B", "-c", "1", "-s", "inner")
    notes = programs.folder / "notes"
    until(lambda: notes.exists() and notes.read_text().count("ran") >= 2, "two runs")
    other = programs.start("worker", "-B", "-c", "1", "-s", "inner")
    assert other.wait(START_S) == 78
    assert "Another beat has the file inner open" in programs.said(other).strip().splitlines()[-1]
    assert programs.ended(worker) == 0
    assert "beat: Shutting down..." in programs.said(worker)
    assert "in this node" in programs.said(worker)


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["-S", "no.such:Thing"], 78, "no.such"),
        (["-S", "shop:Nothing"], 78, "Nothing"),
        (["-S", "Nothing"], 78, "names no class"),
        (["-S", "collections:OrderedDict"], 78, "is no kernel.beat.Scheduler"),
        (["-s", "no/such/folder/x"], 78, "no/such/folder/x"),
        (["--max-interval", "soon"], 64, "soon"),
        (["--max-interval", "-1"], 78, "beat_max_loop_interval"),
        (["-l", "LOUD"], 78, "LOUD"),
    ],
)
def test_a_wrong_value_is_one_line_and_an_exit_code(tmp_path, monkeypatch, capsys, arguments, code, named):
    (tmp_path / "shop.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    try:
        assert main(["-A", "shop", "beat", *arguments]) == code
        said = capsys.readouterr()
        (line,) = said.err.strip().splitlines()
        assert named in line
        assert said.out == ""
    finally:
        sys.modules.pop("shop", None)
