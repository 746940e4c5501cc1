"""A store that is down, slow, silent, cut off or restarted in the middle of ten thousand waits (issue 5, "Faults").

Every wait ends by its time-out, with the true value or a typed error: never None, never another task's value.
"""

import threading
import time

import pytest

from kernel import Kernel
from kernel.contracts import Deadline, StoreMode
from kernel.errors import BackendError
from kernel.errors import TimeoutError as KernelTimeoutError
from kernel.model.context import Request
from kernel_conformance.proxy import ChaosProxy

from .conftest import Store

COUNT, THREADS, TIMEOUT_S = 10_000, 25, 2.0
SLOW = {"mongo": 2_000}
"""Stores whose test server is too slow for that many: nx-27017 is not MongoDB."""
SLACK_S = 4.0
"""A contract's second, and what a busy machine adds."""
CLEAR_AFTER_S = 8.0
"""Then nothing is in the way any more, so that a slow machine gets through."""


class Crowd:
    """Threads that wait for results; every second one was never stored."""

    def __init__(self, app, count):
        self.app = app
        self.count = count
        self.ends = []
        self.wrong = []
        self.late = []
        self.threads = [
            threading.Thread(target=self._work, args=(range(first, count, THREADS),)) for first in range(THREADS)
        ]

    def _work(self, numbers):
        for number in numbers:
            began = time.monotonic()
            try:
                self.ends.append(self._wait(number))
            except Exception as error:  # whatever it is, it is not one of the typed ones
                self.wrong.append((number, error))
            if time.monotonic() - began > TIMEOUT_S + SLACK_S:
                self.late.append((number, time.monotonic() - began))

    def _wait(self, number):
        try:
            value = self.app.AsyncResult(f"t{number}").get(timeout=TIMEOUT_S if number % 2 == 0 else 0)
        except (KernelTimeoutError, BackendError) as error:
            return type(error).__name__
        if value != [number]:
            self.wrong.append((number, value))
        return "value"

    @property
    def waiting(self) -> bool:
        """Whether anybody still waits."""
        return any(thread.is_alive() for thread in self.threads)


def put(app: Kernel, count: int) -> None:
    """Store every second result."""
    services = app.client.services
    for first in range(0, count, 1000):
        records = [
            services.records.success(Request(id=f"t{number}", task="t"), [number], "w", time.time())
            for number in range(first, first + 1000, 2)
        ]
        done = services.backend.store(records, StoreMode.UPSERT, Deadline.after(30))
        assert [one.error for one in done if one.error is not None] == []


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
            put(straight, crowd.count)  # it may have lost everything
            restarted = True
            had |= {"restart"} if crowd.waiting else set()
    return had


def test_ten_thousand_waits(served: Store) -> None:
    assert served.harness is not None
    address = served.harness.address()
    if address is None:
        pytest.skip("the environment names the server: nothing can be put in front of it, and it is not ours to kill")
    count = SLOW.get(served.name, COUNT)
    given = {"namespace": "outage", "result_backend_transport_options": dict(served.harness.options)}
    with ChaosProxy(address) as proxy:
        straight = Kernel(backend=served.harness.url_at(address), set_as_current=False, **given)
        app = Kernel(backend=served.harness.url_at(proxy.address), set_as_current=False, **given)
        put(straight, count)
        crowd = Crowd(app, count)
        proxy.trouble.black_hole = True
        for thread in crowd.threads:
            thread.start()
        had = spoil(served, proxy, crowd, straight)
        for thread in crowd.threads:
            thread.join(120)
        app.close()
        straight.close()
    assert (crowd.wrong, crowd.late) == ([], [])
    assert len(crowd.ends) == count
    assert crowd.ends.count("value") > count / 4
    assert had >= {"black_hole", "refuse", "cut_replies", "restart"}
