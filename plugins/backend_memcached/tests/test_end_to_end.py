"""An application whose results are in memcached."""

import time
import uuid

import pytest

from kernel import Kernel, chord, group
from kernel.errors import BackendGetMetaError
from kernel.errors import TimeoutError as TaskTimeoutError
from kernel.testing import start_worker
from kernel_conformance.proxy import ChaosProxy

WAIT_S = 30.0
LATE_S = 3.0


def application(address, **settings):
    host, port = address
    made = Kernel(
        "shop",
        broker=f"memory://{uuid.uuid4().hex}",
        backend=f"cache+memcached://{host}:{port}/",
        set_as_current=False,
        namespace="celery",
        result_extended=True,
        **settings,
    )

    @made.task(name="shop.double")
    def double(value):
        return 2 * value

    @made.task(name="shop.fail")
    def fail(text):
        raise ValueError(text)

    @made.task(name="shop.large")
    def large(size):
        return "x" * size

    return made, double, fail, large


def test_results_failures_and_groups(server):
    made, double, fail, large = application(server.address)
    with made, start_worker(made, concurrency=4):
        assert double.delay(21).get(timeout=WAIT_S) == 42
        with pytest.raises(ValueError, match="no stock"):
            fail.delay("no stock").get(timeout=WAIT_S)
        assert large.delay(2_000_000).get(timeout=WAIT_S) == "x" * 2_000_000
        found = group(double.s(number) for number in range(10)).delay()
        assert found.get(timeout=WAIT_S) == [2 * number for number in range(10)]
        result = double.delay(1)
        result.get(timeout=WAIT_S)
        assert result.name == "shop.double"
        result.forget()
        assert result.state == "PENDING"


def test_a_chord(server):
    made, double, _, _ = application(server.address)

    @made.task(name="shop.total")
    def total(values):
        return sum(values)

    with made, start_worker(made, concurrency=4):
        assert chord([double.s(number) for number in range(20)], total.s()).delay().get(timeout=WAIT_S) == 380


def test_compressed_results(server):
    made, _, _, large = application(server.address, result_compression="gzip")
    with made, start_worker(made):
        assert large.delay(500_000).get(timeout=WAIT_S) == "x" * 500_000


def test_a_backend_that_falls_silent_among_many_gets(server):
    with ChaosProxy(server.address) as proxy:
        made, double, _, _ = application(
            proxy.address, result_backend_always_retry=True, result_backend_max_retries=1000
        )
        with made, start_worker(made, concurrency=4):
            results = [double.delay(number) for number in range(300)]
            values = errors = 0
            for number, result in enumerate(results):
                if number == 100:
                    proxy.trouble.black_hole = True
                if number == 103:
                    proxy.heal()
                    proxy.reset()
                began = time.monotonic()
                try:
                    assert result.get(timeout=2.0 if 100 <= number < 103 else WAIT_S) == 2 * number
                    values += 1
                except (TaskTimeoutError, BackendGetMetaError):
                    errors += 1
                    assert 100 <= number < 103
                    print(number, time.monotonic() - began)
                assert time.monotonic() - began < (2.0 if 100 <= number < 103 else WAIT_S) + LATE_S
            assert errors <= 3
            assert values >= 297
