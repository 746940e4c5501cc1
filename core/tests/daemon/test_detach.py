"""``kernel worker -D`` and SIGHUP, with real processes."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

WORKER = ("-A", "shop", "worker", "-c", "2", "-n", "w1")


def test_in_the_background_from_start_to_end(yard):
    files = ("--pidfile", "run/%n.pid", "--logfile", "log/%n%I.log")
    started = yard.run(*WORKER, "-D", "--purge", *files)
    pid = yard.pid("run/w1.pid")
    assert pid is not None
    assert f"process {pid}" in started.stdout
    assert os.getsid(pid) == pid
    assert str(Path(f"/proc/{pid}/fd/0").readlink()) == "/dev/null"
    assert f"shop.tell[{(first := _call(yard))}]" in yard.until(lambda: _has(yard, "log/w1.log", first), "the first")
    again = yard.run(*WORKER, "-D", *files, code=73)
    assert f"held by process {pid}" in again.stderr
    assert len(again.stderr.strip().splitlines()) == 1

    (yard.path / "log/w1.log").rename(yard.path / "log/old.log")  # as logrotate does
    second = _call(yard)
    yard.until(lambda: _has(yard, "log/w1.log", second), "a new log")
    children = yard.log("log/w1-1.log") + yard.log("log/w1-2.log")
    assert children.count("told hello") == 2
    assert "told hello" not in yard.log("log/w1.log") + yard.log("log/old.log")

    send = "import shop; print([shop.tell.delay('x', seconds).id for seconds in (2.0, 2.0, 2.0, 2.0, 0.0)][-1])"
    sent = subprocess.run(
        [sys.executable, "-c", send], cwd=yard.path, env=yard.environment, capture_output=True, text=True, check=True
    )
    os.kill(pid, signal.SIGHUP)
    yard.until(lambda: yard.log("log/w1.log").count("ready.") == 1, "the new beginning")
    assert yard.pid("run/w1.pid") == pid
    third = sent.stdout.strip()  # it waited meanwhile: the purge at the start is not done again
    yard.until(lambda: _has(yard, "log/w1.log", third), "the last task", 90.0)

    yard.stop("run/w1.pid")
    assert not (yard.path / "run/w1.pid").exists()


def _call(yard):
    return yard.run("-A", "shop", "call", "shop.tell", "-a", '["hello"]').stdout.strip()


def _has(yard, log, task_id):
    text = yard.log(log)
    return text if f"shop.tell[{task_id}] succeeded" in text else None


def test_default_places_and_mistakes_are_told_as_if_it_had_not_left(yard):
    wrong = yard.run("-A", "nowhere", "worker", "-D", code=66)
    assert wrong.stderr.startswith("kernel: error: -A nowhere")
    assert len(wrong.stderr.strip().splitlines()) == 1
    assert yard.run(*WORKER, "-D", "-P", "nosuch", code=78).stderr.count("pool.nosuch") == 1
    assert "cannot be started" in yard.run(*WORKER, "-D", "--executable", "/no/such/python", code=78).stderr
    if os.geteuid() != 0:
        yard.run(*WORKER, "-D")
        assert yard.pid("state/kernel/w1.pid") is not None
        assert "ready." in yard.until(lambda: yard.log("state/kernel/w1.log"), "the log")


def test_one_that_dies_without_a_word_is_told_of(yard):
    (yard.path / "deadly.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    told = yard.run("-A", "deadly", "worker", "-D", "--pidfile", "w.pid", "-f", "w.log", code=70)
    assert "killed by signal 9" in told.stderr


def test_on_a_terminal_its_end_is_no_restart(yard):
    """A program that owns a terminal gets SIGHUP when that closes."""
    leader, follower = pty.openpty()
    take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    with (yard.path / "out.log").open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-c", take, sys.executable, "-m", "kernel", *WORKER, "--pidfile", "w.pid"],
            cwd=yard.path, env=yard.environment, stdin=follower, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    os.close(follower)
    try:
        yard.until(lambda: "ready." in yard.log("out.log"), "readiness")
        worker.send_signal(signal.SIGHUP)
        yard.until(lambda: "SIGHUP is ignored" in yard.log("out.log"), "the line")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    finally:
        os.close(leader)
        if worker.poll() is None:
            worker.kill()
            worker.wait(30)


def test_beat_in_the_background(yard):
    yard.run("-A", "shop", "beat", "-D", "--pidfile", "run/%n.pid", "-f", "%n.log", "-s", "times")
    assert yard.pid("run/beat.pid") is not None
    assert (
        "held by process" in yard.run("-A", "shop", "beat", "--pidfile", "run/beat.pid", "-s", "more", code=73).stderr
    )
    yard.stop("run/beat.pid")
    assert "beat: Starting..." in yard.log("beat.log")
    assert not (yard.path / "run/beat.pid").exists()
