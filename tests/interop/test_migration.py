"""One application, not a word changed: a worker of Celery and one of kernel run it side by side, and so do clients.

It is the middle of a migration: ``celery`` and ``python -m plugin_compat_celery`` in one folder, on one Redis.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.redis import RedisServer

from .conftest import REQUIREMENTS

APPLICATION = """
from celery import Celery, chord, group
from celery.exceptions import Ignore
from celery.signals import task_success
from celery.utils.log import get_task_logger

app = Celery("proj", broker={url!r}, backend={url!r})
app.conf.update(result_extended=True, worker_log_color=False)
logger = get_task_logger(__name__)
other = {{"celery": "kernel", "kernel": "celery"}}


def which():
    import celery
    return "kernel" if "plugin_compat_celery" in celery.Celery.__module__ else "celery"


@app.task(name="proj.add")
def add(x, y):
    return x + y


@app.task(name="proj.where", bind=True, max_retries=2)
def where(self, *seen):
    return [*(seen[0] if seen else ()), which()]


@app.task(name="proj.again", bind=True, max_retries=3)
def again(self, run_by):
    if self.request.retries < 1:
        raise self.retry(countdown=0, queue=other[which()], args=([*run_by, which()],))
    return [*run_by, which()]


@app.task(name="proj.fail", throws=(KeyError,))
def fail():
    raise KeyError("no such thing")


@task_success.connect(sender=add)
def tell(result, **kwargs):
    logger.info("that made %s", result)
"""

CLIENT = """
import sys
from proj import add, again, chord, fail, group, where, which

me, others = which(), {"celery": "kernel", "kernel": "celery"}[which()]
done = {}
done["call"] = add.apply_async((2, 2), queue=others).get(timeout=60)
done["chain"] = (where.s().set(queue="celery") | where.s().set(queue="kernel")).delay().get(timeout=60)
header = [add.s(i, i).set(queue=queue) for i, queue in enumerate(["celery", "kernel", "celery"])]
done["chord"] = chord(header, where.s().set(queue=others, immutable=True)).delay().get(timeout=60)
done["retry"] = again.apply_async(([],), queue=me).get(timeout=60)
failed = fail.apply_async(queue=others)
done["error"] = type(failed.get(timeout=60, propagate=False)).__name__
done["name"] = failed.name
print(me, done)
"""
READY_S = 60.0


class Fleet(NamedTuple):
    """Where it runs, and how each library's program is started there."""

    folder: Path
    programs: dict[str, list[str]]

    def run(self, side: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.programs[side], *words],
            cwd=self.folder, env=environment(), capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip


def environment() -> dict[str, str]:
    hidden = ("KERNEL_", "CELERY", "PYTEST_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def worker(folder: Path, side: str, program: Sequence[str]) -> subprocess.Popen[bytes]:
    words = [*program, "-A", "proj", "worker", "-l", "INFO", "-Q", side, "-n", f"{side}@%h", "-c", "2", "-O", "fair"]
    with (folder / f"{side}.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, env=environment(), stdout=log, stderr=log)
    end = time.monotonic() + READY_S
    while b"ready." not in (folder / f"{side}.log").read_bytes():
        assert process.poll() is None and time.monotonic() < end, (folder / f"{side}.log").read_text()  # noqa: PT018
        time.sleep(0.1)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder, bins = tmp_path_factory.mktemp("migration"), provision.venv("interop", REQUIREMENTS)
    server = RedisServer(fsync="everysec")
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        (folder / "proj.py").write_text(APPLICATION.format(url=server.url))
        (folder / "client.py").write_text(CLIENT)
        programs = {
            "celery": [str(bins / "celery")],
            "kernel": [sys.executable, "-m", "plugin_compat_celery"],
        }
        for side, program in programs.items():
            stack.callback(stop, worker(folder, side, program))
        yield Fleet(folder, {**programs, "python": [str(bins / "python")]})


WANTED = {
    "celery": {"chain": ["celery", "kernel"], "chord": ["kernel"], "retry": ["celery", "kernel"]},
    "kernel": {"chain": ["celery", "kernel"], "chord": ["celery"], "retry": ["kernel", "celery"]},
}


@pytest.mark.parametrize("side", WANTED)
def test_a_client_of_either_uses_both_workers(fleet: Fleet, side: str) -> None:
    done = fleet.run("python" if side == "celery" else "kernel", "client.py")
    wanted = {"call": 4, **WANTED[side], "error": "KeyError", "name": "proj.fail"}
    logs = "".join((fleet.folder / f"{each}.log").read_text()[-4000:] for each in WANTED)
    assert done.stdout.strip() == f"{side} {wanted}", f"{done.stderr}\n{logs}"


@pytest.mark.parametrize("side", WANTED)
def test_the_program_of_either_sees_both_workers(fleet: Fleet, side: str) -> None:
    done = fleet.run(side, "-A", "proj", "status", "-t", "3")
    assert done.returncode == 0, done.stderr
    assert {line.split("@")[0].split()[-1] for line in done.stdout.splitlines() if ": OK" in line} == set(WANTED)
    limited = fleet.run(side, "-A", "proj", "control", "-t", "3", "rate_limit", "proj.add", "1000/s")
    assert limited.stdout.count("new rate limit set successfully") == len(WANTED), limited.stderr


def test_receivers_of_signals_are_told_in_both(fleet: Fleet) -> None:
    for side in WANTED:
        made = fleet.run("kernel", "-A", "proj", "call", "proj.add", "-a", "[20, 1]", "--queue", side, "--wait")
        assert made.stdout.strip() == "21", made.stderr
        assert "that made 21" in (fleet.folder / f"{side}.log").read_text()
