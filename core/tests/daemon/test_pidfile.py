"""Pid files: held by a lock, whatever the number in them says."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kernel.app.node_name import node_path
from kernel.cli.exits import CommandError, exit_code
from kernel.cli.pidfile import PidFile, living, read_pid
from kernel.cli.places import default_places, make_folder
from kernel.cli.privileges import become, owner_ids

HOLDER = """
import sys, os
from pathlib import Path
from kernel.cli.pidfile import PidFile
with PidFile(Path(sys.argv[1])):
    if "fork" in sys.argv and os.fork() == 0:
        sys.stdout.write(str(os.getpid()) + "\\n"); sys.stdout.flush(); sys.stdin.read(); os._exit(0)
    sys.stdout.write("held\\n"); sys.stdout.flush(); sys.stdin.read()
"""


def hold(path, *words):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    lines = [process.stdout.readline() for _ in range(2 if words else 1)]
    assert "held\n" in lines
    return process


def test_it_is_held_by_a_living_process_and_gone_afterwards(tmp_path):
    path = tmp_path / "w1.pid"
    process = hold(path)
    assert read_pid(path) == living(path) == process.pid
    with pytest.raises(CommandError, match=f"held by process {process.pid}") as caught, PidFile(path):
        pass
    assert exit_code(caught.value) == 73
    process.communicate()
    assert not path.exists()
    assert living(path) is None


def test_what_a_killed_process_left_is_stale_even_if_its_children_live(tmp_path):
    path = tmp_path / "w1.pid"
    process = hold(path, "fork")
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert read_pid(path) == process.pid
    assert living(path) is None
    with PidFile(path):
        assert living(path) == os.getpid()
    process.communicate()  # the child sees the end of its input


@pytest.mark.parametrize(
    "text", ["", "no number\n", f"{os.getpid()}\n", "1\n"], ids=["nothing", "a word", "mine", "init"]
)
def test_a_number_alone_says_nothing(tmp_path, text):
    """The process of that number may be any: nobody holds the lock."""
    path = tmp_path / "w1.pid"
    path.write_text(text)
    assert living(path) is None
    with PidFile(path):
        assert read_pid(path) == os.getpid()
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    for path in (tmp_path / "no" / "folder" / "w1.pid", tmp_path):
        with pytest.raises(CommandError, match="cannot be written") as caught, PidFile(path):
            pass
        assert exit_code(caught.value) == 73


def test_it_is_handed_over_an_exec(tmp_path, monkeypatch):
    path = tmp_path / "w1.pid"
    with PidFile(path) as held:
        held.hand_over()
        assert os.get_inheritable(held._fd)
        with PidFile(path) as again:  # as the next image of the same process
            assert again._fd == held._fd
            assert not os.get_inheritable(again._fd)
            held._fd = -1
    monkeypatch.setenv("KERNEL_PIDFILE_FD", "99999")  # nonsense is no harm
    with PidFile(path):
        assert "KERNEL_PIDFILE_FD" not in os.environ


def test_the_file_of_another_is_not_removed(tmp_path):
    path = tmp_path / "w1.pid"
    with PidFile(path):
        path.unlink()  # somebody tidied up
        other = hold(path)
    assert living(path) == other.pid
    other.communicate()


def test_places_are_the_users_own_and_the_systems_for_root(tmp_path):
    assert default_places({}, 0) == ("/var/run/kernel/%n.pid", "/var/log/kernel/%n%I.log")
    assert default_places({"HOME": "/u"}, 7).pidfile == "/u/.local/state/kernel/%n.pid"
    assert default_places({"XDG_STATE_HOME": "/s"}, 7).logfile == "/s/kernel/%n%I.log"
    make_folder(str(tmp_path / "a" / "b" / "%n.pid"))
    make_folder(str(tmp_path / "%n" / "x.pid"))
    make_folder("/proc/no/x.pid")
    assert [str(each.relative_to(tmp_path)) for each in sorted(tmp_path.rglob("*"))] == ["a", "a/b"]


def test_names_in_paths():
    assert node_path("/r/%n-%h-%d-%p-%%%I.log", "w1@box.example.org") == (
        "/r/w1-box.example.org-example.org-w1@box.example.org-%%I.log"
    )


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        (("nobody-of-that-name", None, None), 67, "no such user"),
        (("987654321", None, None), 67, "no such user"),
        ((None, "nobody-of-that-name", None), 67, "no such group"),
        ((None, "99999999999", None), 67, "no such group"),
        ((None, None, "089"), 64, "octal"),
        ((None, None, "7777"), 64, "octal"),
    ],
)
def test_nobody_is_refused(options, code, named):
    with pytest.raises(CommandError, match=named) as caught:
        become(*options)
    assert exit_code(caught.value) == code


def test_becoming_who_one_is_changes_nothing():
    become(str(os.geteuid()), str(os.getegid()), None)
    assert owner_ids(None, None) is None
    assert owner_ids(None, str(os.getegid())) == (-1, os.getegid())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_root_becomes_somebody_for_good():
    code = (
        "import os; from kernel.cli.privileges import become; become('nobody', None, '027'); open('x', 'w');"
        " print(os.getuid(), os.geteuid(), os.getgid(), os.getgroups())"
    )
    with tempfile.TemporaryDirectory() as name:  # not in pytest's own, which is root's alone
        folder = Path(name)
        folder.chmod(0o777)
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
        nobody = owner_ids("nobody", None)
        assert done.stdout.startswith(f"{nobody[0]} {nobody[0]} {nobody[1]} "), done.stderr
        assert (folder / "x").stat().st_mode & 0o777 == 0o640
