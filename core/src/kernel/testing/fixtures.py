"""pytest fixtures: an application in memory, and a worker for it (features.md 2.12).

Override ``kernel_config`` to give settings, ``kernel_worker_options`` to give options of the worker.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from kernel.app.kernel import Kernel
from kernel.app.worker import Worker
from kernel.testing.worker import start_worker


@pytest.fixture
def kernel_config() -> Mapping[str, Any]:
    """Settings of ``kernel_app``; broker and result backend are in memory and private unless they name others."""
    return {}


@pytest.fixture
def kernel_worker_options() -> Mapping[str, Any]:
    """Options of ``kernel_worker``, as of :func:`kernel.testing.start_worker`."""
    return {}


@pytest.fixture
def kernel_app(kernel_config: Mapping[str, Any]) -> Iterator[Kernel]:
    """An application of its own for each test. It does not become the current one."""
    url = f"memory://test-{uuid4().hex}"
    settings = {"broker_url": url, "result_backend": url, **kernel_config}
    app = Kernel("test", set_as_current=False, **settings)
    yield app
    app.close()


@pytest.fixture
def kernel_worker(kernel_app: Kernel, kernel_worker_options: Mapping[str, Any]) -> Iterator[Worker]:
    """A worker of ``kernel_app``. Define tasks before asking for it: it knows those registered when it starts."""
    with start_worker(kernel_app, **kernel_worker_options) as running:
        yield running.worker
