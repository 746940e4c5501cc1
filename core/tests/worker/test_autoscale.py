"""Pools that follow what there is to do (features.md 2.4)."""

import os
import signal
import subprocess
import sys
import threading
import uuid

import pytest
from worker_fakes import until

from kernel import Kernel
from kernel.app.worker import Worker
from kernel.engine.autoscale import Autoscale, Bounds, keepalive
from kernel.errors import ImproperlyConfigured
from kernel.runtime.autoscaler import Autoscaler
from kernel.runtime.inbox import Inbox


def test_it_grows_while_all_are_busy_and_shrinks_after_a_time_of_idleness():
    scale = Autoscale(Bounds.of(10, 3), keepalive_s=30.0)
    sizes, size = [], 3
    for now in range(5):
        size = scale.wanted(size, size, now)
        sizes.append(size)
    assert sizes == [4, 6, 9, 10, 10]
    assert scale.wanted(10, 4, 10.0) == 10
    assert scale.wanted(10, 10, 20.0) == 10  # not idle without a break
    assert scale.wanted(10, 4, 30.0) == 10
    assert scale.wanted(10, 4, 59.9) == 10
    assert scale.wanted(10, 4, 60.0) == 4
    assert scale.wanted(4, 0, 61.0) == 3
    scale.bounds = Bounds.of(5, 5)
    assert scale.wanted(3, 0, 62.0) == 5
    assert str(Bounds.of(3, 10)) == "{min=3, max=10}"


def test_a_pool_keeps_one_executor():
    with pytest.raises(ValueError, match="at least one"):
        Bounds.of(0, 3)


def test_the_time_of_idleness_comes_from_the_environment():
    assert keepalive({}) == 30.0
    assert keepalive({"AUTOSCALE_KEEPALIVE": "2.5"}) == 2.5
    with pytest.raises(ImproperlyConfigured, match="'soon'"):
        keepalive({"AUTOSCALE_KEEPALIVE": "soon"})


def test_bounds_are_changed_from_afar_and_a_pool_of_one_size_says_so():
    app = Kernel("scaled", broker=f"memory://{uuid.uuid4()}", set_as_current=False)
    with app:
        for scale, answer in (
            (Bounds.of(1, 4), {"ok": "autoscale now max=6 min=2"}),
            (None, {"error": "this worker does not scale by itself (--autoscale)"}),
        ):
            worker = Worker(app, hostname="w1@box", pool="threads", concurrency=1, autoscale=scale)
            thread = threading.Thread(target=worker.start, kwargs={"signals": False})
            thread.start()
            try:
                assert worker.ready.wait(60)
                assert app.control.autoscale(6, 2, reply=True, timeout=30, limit=1) == [{"w1@box": answer}]
                if scale is not None:
                    until(lambda worker=worker: worker.node.pool.stats()["max-concurrency"] == 2, what="two threads")
                    wrong = app.control.autoscale(6, 0, reply=True, timeout=30, limit=1)
                    assert "number from 1" in wrong[0]["w1@box"]["error"]
            finally:
                worker.stop()
                thread.join(60)


def test_bounds_that_no_pool_can_have_are_let_go_of():
    class Small:
        def __init__(self):
            self.size = 2

        def stats(self):
            return {"max-concurrency": self.size}

        def resize(self, size):
            if size > 3:
                raise ValueError("too many")
            self.size = size

    pool = Small()
    scaler = Autoscaler(pool, [1] * 9, Inbox(), Autoscale(Bounds.of(1, 9)))
    for _ in range(3):
        scaler._look()
    assert pool.size == 3
    assert scaler.bounds == Bounds(1, 3)


def test_a_pool_that_cannot_change_is_refused():
    app = Kernel("scaled", broker="memory://solo", set_as_current=False)
    with app, pytest.raises(ImproperlyConfigured, match=r"pool\.solo cannot change its size"):
        Worker(app, pool="solo", autoscale=Bounds.of(1, 4))


def test_children_come_with_the_work_and_go_after_it(tmp_path):
    (tmp_path / "shop.py").write_text(
        "from pathlib import Path\nimport time\nfrom kernel import Kernel\n"
        "app = Kernel('shop', broker='sqlite:///shop.db', result_backend=None)\n\n\n"
        "@app.task\ndef meet(name):\n"
        "    Path(f'{name}.here').touch()\n"
        "    end = time.monotonic() + 60\n"
        "    while len(list(Path().glob('*.here'))) < 3 and time.monotonic() < end:\n"
        "        time.sleep(0.02)\n"
    )
    environment = {**os.environ, "AUTOSCALE_KEEPALIVE": "0.5"}
    command = [sys.executable, "-m", "kernel", "-A", "shop", "worker", "--autoscale", "3,1", "-f", "w.log"]
    worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    log = tmp_path / "w.log"
    try:
        until(lambda: log.exists() and "ready." in log.read_text(), 60, "readiness")
        send = "import shop\nfor name in 'abc': shop.meet.delay(name)"
        subprocess.run([sys.executable, "-c", send], cwd=tmp_path, check=True, timeout=60)
        until(lambda: log.read_text().count("succeeded") == 3, 60, "three at a time")
        until(lambda: "to 1 executors" in log.read_text(), 60, "the way back")
    finally:
        worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert "{min=1, max=3} at a time" in out
    assert "Connected to sqlite:///shop.db" in log.read_text()
