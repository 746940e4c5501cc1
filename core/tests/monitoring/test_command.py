"""``kernel events``: lines, snapshots, a table on a terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from kernel.cli.event_lines import event_line
from kernel.cli.event_table import View, neighbour, table
from kernel.cli.main import main
from kernel.cli.pidfile import living
from kernel.events import Event
from kernel.events.snapshot import Polaroid
from kernel.events.state import State

APP = """
from kernel import Kernel
from kernel.events.snapshot import Polaroid

app = Kernel("shop", broker="sqlite:///shop.db")

class Camera(Polaroid):
    clear_after = True

    def on_shutter(self, state):
        for _, task in state.tasks_by_time():
            with open("album", "a") as album:
                album.write(f"{task.uuid} {task.state}\\n")
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


class Watching:
    """``kernel events`` in a process, and events sent beside it until it has heard some."""

    def __init__(self, folder, *options, **streams):
        command = [sys.executable, "-m", "kernel", "-A", "shop", "events", *options]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        self.folder = folder
        self.process = subprocess.Popen(command, cwd=folder, **streams)

    def feed(self, heard, seconds=60.0):
        """Send ``task-received`` again and again until the condition holds."""
        code = (
            "import sys, shop\n"
            "dispatcher = shop.app.events.Dispatcher(hostname='w1@box')\n"
            "for line in sys.stdin:\n"
            "    dispatcher.send('task-received', uuid=line.strip(), name='shop.add', args='(1, 2)')\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=self.folder, stdin=subprocess.PIPE, text=True
        ) as sender:
            deadline = time.monotonic() + seconds
            number = 0
            while not heard():
                assert time.monotonic() < deadline, "nothing was heard"
                assert self.process.poll() is None, "it ended"
                sender.stdin.write(f"id-{number}\n")
                sender.stdin.flush()
                number += 1
                time.sleep(0.1)
            sender.stdin.close()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, error = self.process.communicate(timeout=60)
        return self.process.returncode, out, error


def test_dump_as_json_lines_until_told_to_stop(folder):
    with (folder / "out").open("wb") as out:
        watching = Watching(folder, "--dump", "--output", "json", stdout=out)
        watching.feed(lambda: b"\n" in (folder / "out").read_bytes())
        code, _, error = watching.end(signal.SIGINT)
    assert (code, error) == (0, b"")
    events = [json.loads(line) for line in (folder / "out").read_text().splitlines()]
    assert events[0]["type"] == "task-received"
    assert events[0]["hostname"] == "w1@box"


def test_a_camera_sees_everything_once(folder):
    album = folder / "album"
    watching = Watching(folder, "--camera", "shop:Camera", "--frequency", "0.1", "--pidfile", "%n.pid", "-f", "%n.log")
    watching.feed(album.exists)
    assert living(folder / "events.pid") == watching.process.pid
    code, _, error = watching.end()
    assert (code, error) == (0, b"")
    assert living(folder / "events.pid") is None
    lines = album.read_text().splitlines()
    assert lines[0].endswith(" RECEIVED")
    assert len(lines) == len(set(lines))


def test_a_terminal_shows_a_table_and_is_given_back(folder):
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "LINES": "24", "COLUMNS": "100"}
    watching = Watching(folder, stdin=follower, stdout=follower, env=environment)
    os.close(follower)
    seen = bytearray()

    def look():
        while select.select([leader], [], [], 0)[0]:
            try:
                seen.extend(os.read(leader, 65_536))
            except OSError:  # the other side is closed
                return True
        return b"shop.add" in seen

    watching.feed(look)
    os.write(leader, b"jkq")
    deadline = time.monotonic() + 60
    while watching.process.poll() is None:
        look()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    look()
    os.close(leader)
    _, error = watching.process.communicate()
    assert (watching.process.returncode, error) == (0, b"")
    assert b"w1@box" in seen
    assert b"\x1b[?1049l" in seen  # the screen as it was


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        ([], 64, "no terminal"),
        (["--dump", "--camera", "x:Y"], 64, "exclude each other"),
        (["--output", "json"], 64, "--dump"),
        (["--detach"], 64, "--camera"),
        (["--camera", "Nothing"], 64, "'Nothing'"),
        (["--camera", "no.such:Thing"], 78, "'no'"),
        (["--camera", "json:Nothing"], 78, "'Nothing'"),
        (["--camera", "json:loads"], 78, "no camera"),
        (["--camera", "kernel.events.snapshot.Polaroid", "--maxrate", "often"], 78, "'often'"),
        (["--frequency", "often"], 64, "'often'"),
    ],
)
def test_what_cannot_be_watched_is_one_line(monkeypatch, tmp_path, capsys, arguments, code, named):
    monkeypatch.chdir(tmp_path)
    assert main(["events", *arguments]) == code
    said = capsys.readouterr()
    assert len(said.err.strip().splitlines()) == 1
    assert named in said.err
    assert said.out == ""


def test_a_line_tells_what_happened():
    line = event_line(
        Event(
            "task-succeeded", uuid="id", name="add", hostname="w1@box", timestamp=0.0, result="5\n6", runtime=0.1, pid=3
        )
    )
    assert line.endswith("  w1@box  task-succeeded  add[id]  result=5 6 runtime=0.1")
    beat = event_line(Event("worker-heartbeat", hostname="w1@box", active=0, sw_ident="py-kernel", freq=2.0))
    assert beat.endswith("  w1@box  worker-heartbeat  active=0")
    assert "sw_ident=py-kernel" in event_line(Event("worker-online", hostname="w1@box", sw_ident="py-kernel"))
    assert event_line({"type": "x", "timestamp": "soon", "long": "y" * 500}) == f"?  ?  x  long={'y' * 200}…"


def test_the_table_fits_the_terminal():
    state = State()
    now = time.time()
    for number in range(40):
        state.event(
            Event("task-received", uuid=f"id-{number}", name="shop.add", hostname="w1@box", timestamp=now + number,
                  local_received=now, args="(1,\n2)")
        )  # fmt: skip
    rows = table(state, View(20, 80))
    assert len(rows) == 20
    assert max(len(row.text) for row in rows) < 80
    assert [row.text for row in rows if row.style == "reverse"] == [rows[3].text]
    assert "id-39" in rows[3].text
    assert any("args: (1, 2)" in row.text for row in rows)
    below = neighbour(state, View(20, 80), 1)
    assert below == "id-38"
    assert "id-38" in next(row.text for row in table(state, View(20, 80, below)) if row.style == "reverse")
    assert neighbour(state, View(20, 80, below), -5) == "id-39"
    assert len(table(state, View(3, 10))) == 3
    assert neighbour(State(), View(20, 80), 1) is None
    assert len(table(State(), View(20, 80))) == 20


class Album(Polaroid):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.seen, self.cleaned = [], 0

    def on_shutter(self, state):
        self.seen.append(state.event_count)

    def on_cleanup(self):
        self.cleaned += 1


def test_a_camera_looks_no_more_often_than_it_may_and_once_more_at_the_end():
    state = State()
    state.event(Event("x-y"))
    camera = Album(state, freq=60, maxrate="1/h", app="mine")
    camera.clear_after = True
    camera.install()
    camera.capture()
    assert (camera.seen, state.event_count, camera.app) == ([1], 0, "mine")
    state.event(Event("x-y"))
    camera.capture()
    assert (camera.seen, state.event_count) == ([1], 1)  # kept for the next look
    camera.cancel()
    assert camera.seen == [1, 1]
    camera.cancel()
    assert camera.seen == [1, 1]


def test_a_camera_tidies_up_in_its_own_time():
    with Album(State(), freq=0.01, cleanup_freq=0.01) as camera:
        deadline = time.monotonic() + 30
        while not camera.cleaned or len(camera.seen) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
