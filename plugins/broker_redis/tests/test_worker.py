"""From a call to its result with a worker of the kernel, over Redis."""

import threading

import pytest

from kernel import Kernel
from kernel.testing import start_worker


@pytest.fixture
def app(site, tmp_path):
    backend = f"sqlite:///{tmp_path}/results.sqlite3"
    made = Kernel("proj", broker=site.url, backend=backend, set_as_current=False, task_publish_retry=False)
    yield made
    made.close()


def test_tasks_run_retry_wait_and_are_acknowledged(app, site):
    tries = []

    @app.task
    def add(x, y):
        return x + y

    @app.task(bind=True, max_retries=2)
    def stubborn(self):
        tries.append(self.request.retries)
        if len(tries) < 3:
            raise self.retry(countdown=0.1)
        return "done"

    with start_worker(app, concurrency=2):
        results = [add.delay(n, n) for n in range(50)]
        later = add.apply_async((1, 1), countdown=0.5)
        assert [result.get(timeout=30) for result in results] == [2 * n for n in range(50)]
        assert stubborn.delay().get(timeout=30) == "done"
        assert later.get(timeout=30) == 2
    assert tries == [0, 1, 2]
    assert site.ask("HLEN", "unacked") == "0"


def test_a_late_task_is_kept_by_renewal_beyond_its_lease(app, site):
    app.conf.broker_transport_options = {"lease_s": 1.0}
    runs = []
    release = threading.Event()

    @app.task(acks_late=True)
    def slow():
        runs.append(1)
        release.wait(3.5)
        return len(runs)

    with start_worker(app, concurrency=2):
        assert slow.delay().get(timeout=30) == 1
    assert site.ask("HLEN", "unacked") == "0"
