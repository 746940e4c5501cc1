"""``kernel worker``: what it says and what it refuses."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from worker_fakes import until

from kernel import Kernel
from kernel.app.worker import Worker
from kernel.cli.banner import banner, shown_url
from kernel.cli.main import main

APP = """
from kernel import Kernel
app = Kernel("shop", broker="memory://command", backend="memory://command")

@app.task
def add(x, y):
    return x + y
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    module = sys.modules.pop("shop", None)
    if module is not None:
        module.app.close()


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["-c", "many"], 64, "'many'"),
        (["-c", "0"], 64, "'0'"),
        (["--autoscale", "many"], 64, "'many'"),
        (["--autoscale", "0,3"], 64, "'0,3'"),
        (["--autoscale", "3,1", "-c", "2"], 64, "exclude each other"),
        (["--autoscale", "3,1", "-P", "solo"], 78, "pool.solo cannot change"),
        (["--heartbeat-interval", "0"], 64, "--heartbeat-interval"),
        (["--pool-start-method", "clone"], 78, "worker_pool_start_method"),
        (["-Q", ","], 64, "names nothing"),
        (["--nosuch"], 64, "--nosuch"),
        (["-P", "nosuch"], 78, "pool.nosuch"),
        (["-X", "nosuch"], 64, "'nosuch'"),
        (["-l", "LOUD"], 78, "'LOUD'"),
        (["-n", "a b"], 78, "'a b'"),
        (["-P", "threads", "-f", "no/such/folder/x.log"], 78, "no/such/folder"),
        (["-I", "no.such.module"], 78, "no.such.module"),
        (["--config", "nosuch.toml"], 78, "nosuch.toml"),
        (["--plugins", "serializer.nosuch"], 78, "serializer.nosuch"),
        (["--max-tasks-per-child", "0"], 78, "worker_max_tasks_per_child"),
        (["--max-tasks-per-child", "x"], 64, "'x'"),
        (["--time-limit", "soon"], 64, "'soon'"),
        (["-P", "threads", "--time-limit", "3"], 78, "task_time_limit"),
    ],
)
def test_a_wrong_value_is_one_line_and_an_exit_code(folder, capsys, arguments, code, named):
    assert main(["-A", "shop", "worker", *arguments]) == code
    said = capsys.readouterr()
    lines = said.err.strip().splitlines()
    assert len(lines) == 1, said.err
    assert named in lines[0]
    assert said.out == ""


def test_the_banner_tells_all_that_is_used_and_no_secret(folder):
    app = Kernel(
        "shop", set_as_current=False, broker="memory://command", backend="memory://command", task_queues=["one", "two"],
        task_default_queue="one",
    )  # fmt: skip

    @app.task(name="shop.sell")
    def sell():
        pass

    worker = Worker(app, hostname="w1@box", pool="threads", concurrency=3, task_events=True, queues=["one"])
    worker.services.backend_url = "redis://user:hunter2@host/0"
    text = banner(worker, color=False)
    for told in ("w1@box", "memory://command", "threads, 3", "one", "kernel.quarantine", "shop.sell", "broker.memory"):
        assert told in text
    assert "two" not in text
    assert "hunter2" not in text
    assert "\x1b" not in text
    assert "\x1b" in banner(worker, color=True)
    app.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///tasks.sqlite3", "sqlite:///{here}/tasks.sqlite3"),
        ("sqlite:///tasks.sqlite3?x=1", "sqlite:///{here}/tasks.sqlite3?x=1"),
        ("sqlite:////var/tasks.sqlite3", "sqlite:////var/tasks.sqlite3"),
        ("memory://x", "memory://x"),
        ("amqp://guest:secret@host//", "amqp://guest:********@host//"),
    ],
)
def test_urls_are_shown_in_full_without_passwords(folder, url, shown):
    assert shown_url(url) == shown.format(here=Path.cwd())


def test_a_worker_from_configuration_alone(tmp_path):
    """No application: ``kernel.toml`` says where, and which modules have the tasks."""
    (tmp_path / "lonely.py").write_text(
        "from kernel import shared_task\n@shared_task(name='lonely.add')\ndef add(x, y):\n    return x + y\n"
    )
    (tmp_path / "kernel.toml").write_text('[kernel]\nworker_pool = "threads"\nimports = ["lonely"]\n')
    log = tmp_path / "worker.log"
    command = [sys.executable, "-m", "kernel", "worker", "-c", "1", "-n", "w7", "--config", "kernel.toml"]
    with log.open("wb") as out:
        worker = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, stdout=out, stderr=out
        )
    try:
        until(lambda: "ready." in log.read_text() or worker.poll() is not None, 60, "readiness")
        assert "lonely.add" in log.read_text()
        assert f"sqlite:///{tmp_path}/kernel.sqlite3" in log.read_text()
        call = [sys.executable, "-m", "kernel", "call", "lonely.add", "-a", "[2, 3]"]
        sent = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        until(lambda: "succeeded" in log.read_text(), 60, "success")
        assert sent.stdout.strip() in log.read_text()
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0


def test_purge_deletes_what_waits_before_the_start(tmp_path):
    (tmp_path / "shop.py").write_text(APP.replace('broker="memory://command", backend="memory://command"', ""))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code = "import shop\nfor _ in range(3): shop.add.delay(1, 2)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, timeout=60)
    log = tmp_path / "worker.log"
    command = [sys.executable, "-m", "kernel", "-q", "-A", "shop", "worker", "-P", "solo", "--purge", "-f", str(log)]
    worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    try:
        until(lambda: log.exists() and "ready." in log.read_text(), 60, "readiness")
    finally:
        worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert out == b""  # -q: no banner
    assert "received" not in log.read_text()
