"""A store that is down, slow, silent, cut off or restarted in the middle of ten thousand waits (issue 5, "Faults").

Every wait ends by its time-out, with the true value or a typed error: never None, never another task's value.
"""

import threading
import time
from contextlib import closing

import pytest

from kernel import Kernel
from kernel.contracts import StoreMode
from kernel.errors import BackendError
from kernel.errors import TimeoutError as KernelTimeoutError
from kernel.model.context import Request
from kernel.runtime.store import Store as Writer
from kernel_conformance.proxy import ChaosProxy
from kernel_conformance.stalls import Stalls

from .conftest import Store

pytestmark = pytest.mark.timed

COUNT, THREADS, TIMEOUT_S = 10_000, 25, 2.0
DIFFERENT = {"mongo": 400}
"""Of how many results, where it is not one for each wait: nx-27017, which is not MongoDB, looks through all of them for
each that is written.
"""
AT_ONCE = 200
"""So few that a write ends long before its time-out on a machine that has little time for the server."""
SLACK_S = 4.0
"""A contract's second, and what a busy machine adds; what it stood still comes on top."""
CLEAR_AFTER_S = 8.0
"""Then nothing is in the way any more, so that a slow machine gets through."""


class Crowd:
    """Threads that wait for results; every second one was never stored."""

    def __init__(self, app, different, stalls):
        self.app = app
        self.different = different
        self.stalls = stalls
        self.ends = []
        self.wrong = []
        self.late = []
        self.threads = [
            threading.Thread(target=self._work, args=(range(first, COUNT, THREADS),)) for first in range(THREADS)
        ]

    def _work(self, numbers):
        for number in numbers:
            began = time.monotonic()
            try:
                self.ends.append(self._wait(number))
            except Exception as error:  # whatever it is, it is not one of the typed ones
                self.wrong.append((number, error))
            self._time(number, began, time.monotonic())

    def _wait(self, number):
        which = number % self.different
        try:
            value = self.app.AsyncResult(f"t{which}").get(timeout=TIMEOUT_S if number % 2 == 0 else 0)
        except (KernelTimeoutError, BackendError) as error:
            return type(error).__name__
        if value != [which]:
            self.wrong.append((number, value))
        return "value"

    def _time(self, number, began, ended):
        took = ended - began
        if took > TIMEOUT_S + SLACK_S and took - self.stalls.between(began, ended) > TIMEOUT_S + SLACK_S:
            self.late.append((number, took))

    @property
    def waiting(self) -> bool:
        """Whether anybody still waits."""
        return any(thread.is_alive() for thread in self.threads)


def put(app: Kernel, count: int) -> None:
    """Store every second result, as workers do: what fails because the server has just been restarted is repeated."""
    services = app.client.services
    writer = Writer(services)
    for first in range(0, count, AT_ONCE):
        records = [
            services.records.success(Request(id=f"t{number}", task="t"), [number], "w", time.time())
            for number in range(first, first + AT_ONCE, 2)
        ]
        assert [error for error in writer.all(records, StoreMode.UPSERT) if error is not None] == []


def spoil(served: Store, proxy: ChaosProxy, crowd: Crowd, straight: Kernel) -> set[str]:
    """Every trouble in turn while anybody waits; those that were had."""
    assert served.harness is not None
    server, had, clear = served.harness.server, set(), time.monotonic() + CLEAR_AFTER_S
    restarted = False
    assert server is not None
    while crowd.waiting and time.monotonic() < clear:
        for name, value in (("black_hole", True), ("refuse", True), ("latency_s", 0.03), ("cut_replies", True)):
            setattr(proxy.trouble, name, value)
            if name == "refuse":
                proxy.reset()
            time.sleep(0.25)
            proxy.heal()
            proxy.reset()
            had |= {name} if crowd.waiting else set()
            time.sleep(0.1)
        if not restarted:
            server.kill()
            time.sleep(0.2)
            server.start()
            put(straight, crowd.different)  # it may have lost everything
            restarted = True
            had |= {"restart"} if crowd.waiting else set()
    return had


def test_ten_thousand_waits(served: Store) -> None:
    assert served.harness is not None
    address = served.harness.address()
    if address is None:
        pytest.skip("the environment names the server: nothing can be put in front of it, and it is not ours to kill")
    different = DIFFERENT.get(served.name, COUNT)
    given = {
        "namespace": "outage",
        "result_backend_transport_options": dict(served.harness.options),
        "result_backend_max_retries": 100,
        "result_backend_max_sleep_between_retries_ms": 500,
    }
    with (
        ChaosProxy(address) as proxy,
        Stalls() as stalls,
        closing(Kernel(backend=served.harness.url_at(address), set_as_current=False, **given)) as straight,
        closing(Kernel(backend=served.harness.url_at(proxy.address), set_as_current=False, **given)) as app,
    ):
        put(straight, different)
        crowd = Crowd(app, different, stalls)
        proxy.trouble.black_hole = True
        try:
            for thread in crowd.threads:
                thread.start()
            had = spoil(served, proxy, crowd, straight)
        finally:  # none may outlive the application
            proxy.heal()
            for thread in crowd.threads:
                thread.join(120)
    assert (crowd.wrong, crowd.late) == ([], [])
    assert len(crowd.ends) == COUNT
    assert crowd.ends.count("value") > COUNT / 4
    assert had >= {"black_hole", "refuse", "cut_replies", "restart"}
