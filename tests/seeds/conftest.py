"""What the examples need to run for real: an app on a store of its own, a worker beside it, modules in files.

The examples are those of the documents the project started from; here they read ``kernel`` for ``celery`` and
``Kernel`` for ``Celery``. Third-party services in them are tiny local fakes; nothing of the kernel is faked.
"""

import os
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from uuid import uuid4

import pytest

from kernel import Kernel
from kernel.app.worker import Worker
from kernel.contracts import Deadline

WAIT_S = 30.0


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Each example runs in an empty folder, with no configuration but its own."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("KERNEL_", "CELERY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def until():
    """Wait for something to become true, to a deadline."""

    def until(condition, timeout=WAIT_S):
        end = time.monotonic() + timeout
        while not (found := condition()):
            if time.monotonic() > end:
                pytest.fail(f"did not happen within {timeout} s: {condition}")
            time.sleep(0.01)
        return found

    return until


@pytest.fixture
def make_app():
    """Apps on a memory store of their own, closed at the end."""
    made = []

    def make_app(main="proj", *, cls=Kernel, **settings):
        store = f"memory://{uuid4().hex}"
        app = cls(main, broker=store, backend=store, **settings)
        made.append(app)
        return app

    yield make_app
    for app in made:
        app.close()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a file of Python below the folder; modules imported from there are forgotten at the end."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(path, source):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))
        return file

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


class Queues:
    """What lies in the queues of an app, for a look."""

    def __init__(self, app):
        self._app = app

    def depth(self, queue):
        return self._app.client.services.broker.depth([queue], Deadline.after(WAIT_S))[queue].ready

    def peek(self, queue):
        return [found.message for found in self._app.client.services.broker.peek(queue, 10, Deadline.after(WAIT_S))]


@pytest.fixture
def queues():
    return Queues


@pytest.fixture
def worker(until):
    """A worker in a thread of this process, stopped warmly at the end; bodies run in a pool of threads."""

    @contextmanager
    def worker(app, queues=None, concurrency=2):
        running = Worker(app, queues=queues, concurrency=concurrency, pool="threads", force_root=True)
        thread = threading.Thread(target=running.start, kwargs={"signals": False})
        thread.start()
        try:
            until(lambda: running.node is not None)
            yield running
        finally:
            running.stop()
            thread.join(WAIT_S)
            assert not thread.is_alive()

    return worker


class Started:
    """A worker in a process of its own, and what it has written so far."""

    def __init__(self, process, output):
        self.process = process
        self._output = output

    def log(self):
        return self._output.read_text(errors="replace")


@pytest.fixture
def program(tmp_path):
    """The environment of a ``kernel`` program that finds the modules of this folder."""
    return {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


@pytest.fixture
def run_kernel(program):
    """Run a ``kernel`` command to its end."""

    def run_kernel(*arguments):
        command = [sys.executable, "-m", "kernel", *arguments]
        return subprocess.run(command, env=program, capture_output=True, text=True, timeout=60, check=False)

    return run_kernel


@pytest.fixture
def run_python(program):
    """Run Python to its end."""

    def run_python(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=program, capture_output=True, text=True, timeout=60, check=False)

    return run_python


@pytest.fixture
def run_worker(program, tmp_path, until):
    """Start ``kernel ... worker ...`` in a process of its own; stop it with SIGTERM, and see it end in order."""

    @contextmanager
    def run_worker(*arguments):
        output = tmp_path / f"worker-{uuid4().hex}.log"
        with output.open("wb") as stream:
            command = [sys.executable, "-m", "kernel", *arguments]
            process = subprocess.Popen(command, env=program, stdout=stream, stderr=subprocess.STDOUT)
        started = Started(process, output)
        try:
            until(lambda: "ready." in started.log() or process.poll() is not None)
            assert process.poll() is None, started.log()
            yield started
        finally:
            process.terminate()
            try:
                process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                pytest.fail(f"the worker did not end: {started.log()}")

    return run_worker
