"""The test helpers that applications use."""

import threading

import pytest

from kernel import Kernel
from kernel.errors import DriverError, ImproperlyConfigured, PluginError
from kernel.testing import start_worker

pytest_plugins = ["kernel.testing.fixtures"]


def test_a_block_with_a_worker(kernel_app):
    @kernel_app.task
    def add(x, y):
        return x + y

    with start_worker(kernel_app) as running:
        assert add.delay(2, 3).get(timeout=30) == 5
        assert running.worker.node is not None
    again = add.delay(3, 4)
    assert not again.ready()
    with start_worker(kernel_app, pool="solo"):
        assert again.get(timeout=30) == 7
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kernel-")]


def test_the_fixtures(kernel_app, request):
    @kernel_app.task
    def double(x):
        return x * 2

    worker = request.getfixturevalue("kernel_worker")
    assert double.delay(4).get(timeout=30) == 8
    assert worker.queues == ("kernel",)


def test_pools_of_processes_are_refused(kernel_app):
    with pytest.raises(ImproperlyConfigured, match="prefork"):
        start_worker(kernel_app, pool="prefork")


def test_an_error_of_the_start_is_raised_in_the_test(tmp_path):
    url = f"sqlite:///{tmp_path}/no/such/folder/x.sqlite3"
    app = Kernel("broken", set_as_current=False, broker=url, broker_connection_retry_on_startup=False)
    with pytest.raises(DriverError), start_worker(app):
        pytest.fail("the worker has no broker")


def test_what_is_wrong_is_told_before_anything_runs(kernel_app):
    with pytest.raises(PluginError, match="nosuch"):
        start_worker(kernel_app, pool="nosuch")
    with pytest.raises(TypeError, match="concurrency"):
        start_worker(kernel_app, concurency=2)
