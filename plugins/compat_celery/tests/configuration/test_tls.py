"""``broker_use_ssl`` and ``redis_backend_use_ssl`` lead to a server by TLS, and verify it (features.md 2.8)."""

import ssl
from collections.abc import Iterator

import pytest

from kernel.errors import OperationalError
from kernel_conformance.servers.redis import RedisServer
from plugin_compat_celery.contrib.testing.app import TestApp, setup_default_app
from plugin_compat_celery.contrib.testing.worker import start_worker


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    server = RedisServer(fsync="everysec")
    server.start()
    yield server
    server.stop()


def plain_url(server: RedisServer) -> str:
    """The port with TLS, by a URL that does not say so."""
    return server.tls_url.replace("rediss://", "redis://").partition("?")[0]


def test_tasks_and_results_go_by_tls(server: RedisServer) -> None:
    files = {"ssl_ca_certs": str(server.authority), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    config = {"broker_use_ssl": files, "redis_backend_use_ssl": files}
    app = TestApp(config=config, broker=plain_url(server), backend=plain_url(server))
    with setup_default_app(app), start_worker(app):  # it sends a task and waits for the result
        assert app.config.broker_url.startswith("rediss://")
        assert app.config.result_backend.startswith("rediss://")


def test_a_server_of_an_unknown_authority_is_refused(server: RedisServer) -> None:
    app = TestApp(config={"broker_use_ssl": True, "broker_connection_timeout": 5}, broker=plain_url(server))

    @app.task
    def add() -> None: ...

    with setup_default_app(app), pytest.raises(OperationalError, match="certificate"):
        add.apply_async(retry=False)
