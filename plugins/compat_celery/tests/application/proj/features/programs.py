"""1.28 commands, 1.29 the banner."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from proj.celery import app
from proj.features.calling import T

PROGRAM = [sys.executable, "-m", os.environ.get("PROJ_PROGRAM", "celery")]


def run(*words):
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def commands():
    node = os.environ["PROJ_NODE"]
    there = ("-t", "20", "-d", node)  # one answer is enough, however long it takes
    with ThreadPoolExecutor(4) as pool:
        started = {
            "sent": pool.submit(run, "-A", "proj", "call", "proj.tasks.add", "-a", "[2, 3]"),
            "by attribute": pool.submit(run, "-A", "proj.celery:app", "inspect", *there, "registered"),
            "limited": pool.submit(run, "-A", "proj", "control", *there, "rate_limit", "proj.tasks.mul", "100/s"),
            "status": pool.submit(run, "-A", "proj", "status", *there),
            "nobody": pool.submit(run, "-A", "proj", "inspect", "ping", "-d", "nobody@nowhere", "-t", "0.5"),
            "help": pool.submit(run, "worker", "--help"),
            "-A after": pool.submit(run, "worker", "-A", "proj"),
            "no app": pool.submit(run, "-A", "no_such_module_here", "status"),
            "multi": pool.submit(several_nodes),
            "purge": pool.submit(run, "-A", "proj", "purge", "-f", "-Q", "hipri"),
        }
        done = {name: future.result() for name, future in started.items()}
    task_id = done["sent"][1].strip().splitlines()[-1]
    app.AsyncResult(task_id).get(timeout=T)
    result = run("-A", "proj", "result", task_id)
    return {
        "worker --help": done["help"][0],
        "call": [done["sent"][0], len(task_id)],
        "result": [result[0], result[1].strip()],
        "-A after the command": done["-A after"][0] != 0,
        "no such app": done["no app"][0] != 0,
        "inspect registered": [done["by attribute"][0], "proj.tasks.add" in done["by attribute"][1]],
        "control rate_limit": [
            done["limited"][0], node in done["limited"][1], "new rate limit set successfully" in done["limited"][1]
        ],
        "status": [done["status"][0], node in done["status"][1], "1 node online" in done["status"][1]],
        "nobody answers": done["nobody"][0],
        "purge": done["purge"][0],
        "multi": done["multi"],
        "control": app.control.ping(timeout=20, limit=1) == [{node: {"ok": "pong"}}],
        "inspect": sorted(app.control.inspect([node], timeout=20, limit=1).ping() or {}),
        "revoked by its id": revoked(),
    }  # fmt: skip


def several_nodes():
    """A node that is started, and stopped by its file."""
    options = ("-A", "proj", "-l", "INFO", "-Q", "of-multi", "--pidfile=%n.pid", "--logfile=%n%I.log")
    names = run("multi", "names", "m1", "m2")
    started = run("multi", "start", "m1", *options)
    deadline = time.monotonic() + T
    while not (ran := os.path.exists("m1.pid")) and time.monotonic() < deadline:
        time.sleep(0.05)
    stopped = run("multi", "stopwait", "m1", *options)
    return {
        "names": [names[0], [name in names[1] for name in ("m1@", "m2@")]],
        "start": [started[0], "m1@" in started[1], "OK" in started[1], ran],
        "stopwait": [stopped[0], "TERM" in stopped[1], os.path.exists("m1.pid")],
    }


def revoked():
    from proj.tasks import add

    result = add.apply_async((1, 1), countdown=10)
    result.revoke()
    error = result.get(timeout=T, propagate=False)
    return [result.state, type(error).__name__]


def banner():
    with open(os.environ["PROJ_LOG"], encoding="utf-8", errors="replace") as file:
        text = file.read()
    node = os.environ["PROJ_NODE"]
    wanted = {
        "node": re.escape(node) + r"\b",
        "app": r"app:? +proj",
        "transport": r"redis://:\*+@127\.0\.0\.1",
        "results": r"results:? +redis://:\*+@",
        "concurrency": r"2 \(prefork\)|prefork, 2 at a time",
        "events": r"task events:? +(ON|on)",
        "queues": r"hipri",
        "topic": r"news\.all",
        "tasks": r"proj\.tasks\.add$",
        "mingle": r"mingle: ",
        "connected": r"Connected to redis://",
        "ready": re.escape(node) + r" ready\.",
    }
    found = {name: re.search(pattern, text, re.MULTILINE) is not None for name, pattern in wanted.items()}
    return {**found, "password": "only-a-test" in text}
