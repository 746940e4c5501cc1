"""Opening a connection with kombu's native AMQP transport: negotiation, login, TLS, heartbeats and channel life cycle.

kombu's virtual layer, its pools and its retries are never used.
"""

import socket
import ssl
from typing import Any, Final

from kombu.transport import pyamqp

from kernel.contracts import Deadline
from plugin_broker_amqp.address import Address
from plugin_broker_amqp.options import Options
from plugin_broker_amqp.stream import discard

SOCKET: Final = {socket.TCP_USER_TIMEOUT: 30_000}
"""py-amqp gives up on data that is unacknowledged for a second, which a slow network needs more often than not."""
_LEAST_S: Final = 0.001


def connect(address: Address, options: Options, name: str, deadline: Deadline) -> Any:
    """A connection, logged in and open.

    Args:
        address: where.
        options: heartbeat, TLS, login.
        name: what the server's operator sees beside the connection.
        deadline: obeyed by each of the steps.

    Raises:
        Exception: whatever py-amqp or the system raises.
    """
    connection = pyamqp.Connection(
        host=f"{_bracketed(address.host)}:{address.port}",
        userid=address.user,
        password=address.password,
        login_method=options.login_method,
        virtual_host=address.vhost,
        connect_timeout=max(_LEAST_S, deadline.left()),
        heartbeat=round(options.heartbeat),
        ssl=_tls(address, options) if address.tls else False,
        socket_settings=SOCKET,
        client_properties={"product": "kernel", "connection_name": name},
    )

    def wait(timeout: float | None = None) -> None:
        """Until one more method has come; py-amqp would grant each of them the whole time."""
        del timeout
        deadline.check("connecting to RabbitMQ")
        while not connection.blocking_read(max(_LEAST_S, deadline.left())):
            deadline.check("connecting to RabbitMQ")

    connection.drain_events = wait
    try:
        connection.connect()
        connection.transport.sock.setblocking(False)
    except BaseException:
        discard(connection)
        raise
    return connection


def _tls(address: Address, options: Options) -> dict[str, Any]:
    query = address.query
    return {
        "ca_certs": query.get("ssl_ca_certs") or options.ssl_ca_certs,
        "certfile": query.get("ssl_certfile") or options.ssl_certfile,
        "keyfile": query.get("ssl_keyfile") or options.ssl_keyfile,
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": address.host if options.ssl_check_hostname else None,
    }


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
