"""What redis-py does for us: sockets, TLS, and the slots of a cluster."""

import socket
from typing import Any, Final

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.crc import key_slot as key_slot
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TooLate
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from plugin_common_redis.address import Address, Mode


def open_socket(address: Address, node: tuple[str, int], seconds: float) -> socket.socket:
    """A connected socket, with TLS where the address asks for it, and nothing said on it yet.

    It is taken out of redis-py's connection, so that nobody but its new owner closes it.

    Raises:
        OSError: it cannot be had; an ``ssl.SSLError`` or ``TimeoutError`` where that is why.
    """
    connection = _connection(address, node, seconds)
    try:
        connection.connect()
    except TooLate as error:
        raise TimeoutError(str(error)) from error
    except RedisError as error:
        if isinstance(error.__context__, OSError):  # such as a certificate that is not trusted
            raise error.__context__ from error
        raise ConnectionError(str(error)) from error
    found: socket.socket = connection._sock  # noqa: SLF001 - there is no public way to it
    connection._sock = None  # noqa: SLF001 - as above
    return found


def _connection(address: Address, node: tuple[str, int], seconds: float) -> Any:
    """One of redis-py's connections; their types say little, so that they are taken for anything."""
    common: dict[str, Any] = {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "redis_connect_func": _no_greeting,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if address.mode is Mode.SOCKET:
        return _BY_FILE(address.path, **common)
    host, port = node
    if address.tls is None:
        return _BY_TCP(host=host, port=port, **common)
    tls = address.tls
    verify = {"ssl_cert_reqs": tls.verify, "ssl_check_hostname": tls.check_hostname}
    return _BY_TLS(host=host, port=port, **verify, **tls.files, **common)


def _no_greeting(_connection: object) -> None:
    """Logging in is done on the wire, by the deadline."""


_BY_FILE: Final[Any] = UnixDomainSocketConnection
_BY_TCP: Final[Any] = Connection
_BY_TLS: Final[Any] = SSLConnection
