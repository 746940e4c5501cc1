"""Counters of 64 bits with a sign. The server's own have none, wrap around and stop at 0: so each is a text and cas."""

from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from plugin_backend_memcached.connection import STORED, Connection
from plugin_backend_memcached.expiry import expiry
from plugin_backend_memcached.shelf import Shelf

WHAT = "counting"
_INT64 = 1 << 63


def add(shelf: Shelf, name: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
    """Add to a counter and renew its time to live; its new value.

    Raises:
        DriverError: INVALID when it would leave the range of 64 bits, which changes nothing.
    """
    key = shelf.keys.counter(name)
    home = shelf.fleet.home(key)
    expire = expiry(ttl_s, shelf.clock())
    while True:
        deadline.check(f"memcached {home}: {WHAT}")
        with shelf.fleet.at(home, WHAT, deadline) as connection:
            value = _try(connection, key, name, delta, expire)
        if value is not None:
            return value


def _try(connection: Connection, key: str, name: str, delta: int, expire: int) -> int | None:
    """The new value; None when somebody was faster."""
    old = connection.tokens([key]).get(key)
    value = delta + (0 if old is None else _number(old[0], name))
    if not -_INT64 <= value < _INT64:
        raise DriverError(
            Code.INVALID, f"Counter {name!r:.200} would leave the range of 64 bits", cure="Use another counter."
        )
    text = str(value).encode()
    if old is None:
        command = connection.write("add", key, text, expire)
    else:
        command = connection.write("cas", key, text, expire, old[1])
    return value if connection.send([command]) == [STORED] else None


def _number(text: bytes, name: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise DriverError(
            Code.CORRUPT, f"Counter {name!r:.200} holds {text[:40]!r}, which is no number", cure="Delete it."
        ) from error
