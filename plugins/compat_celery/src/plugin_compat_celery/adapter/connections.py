"""Connections of kombu to the application's broker, for code that talks to the broker by itself.

The kernel has connections of its own and needs none of these; kombu has to be installed for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from kernel.app.kernel import Kernel
from kernel.errors import ImproperlyConfigured


class Connections:
    """Makes them, one pool for each application.

    Args:
        app: the application.
    """

    def __init__(self, app: Kernel) -> None:
        self._app = app
        self._pool: Any = None

    def connection(self, url: str | None = None, **options: Any) -> Any:
        """A connection, not yet open; ``options`` are those of kombu.

        Raises:
            ImproperlyConfigured: kombu is not installed, or the broker is none that it knows.
        """
        conf = self._app.conf
        url = options.pop("hostname", None) or url
        chosen = {"transport_options": dict(conf.broker_transport_options), "heartbeat": conf.broker_heartbeat}
        return _kombu().Connection(url or _address(conf.broker_url), **{**chosen, **options})

    @contextmanager
    def acquired(self, connection: Any = None, *, pool: bool = True) -> Iterator[Any]:
        """The connection given, or one of the pool, or a new one that is closed at the end."""
        if connection is not None:
            yield connection
        elif pool:
            with self._pooled().acquire(block=True) as taken:
                yield taken
        else:
            with self.connection() as opened:
                yield opened

    def _pooled(self) -> Any:
        if self._pool is None:
            self._pool = self.connection().Pool(limit=self._app.conf.broker_pool_limit or None)
        return self._pool


def _kombu() -> Any:
    try:
        return import_module("kombu")
    except ImportError as error:
        raise ImproperlyConfigured(
            "app.connection() gives a connection of kombu, which is not installed.",
            cure="pip install kombu; sending and running tasks needs none.",
        ) from error


def _address(url: Any) -> str:
    addresses = [url] if isinstance(url, str) else list(url or ())
    if not addresses or addresses[0].startswith(("sqlite:", "memory:")):
        raise ImproperlyConfigured(
            "app.connection(): the application's broker is none that kombu can connect to.",
            cure="Name one in broker_url, or pass a URL.",
        )
    return ";".join(addresses)
