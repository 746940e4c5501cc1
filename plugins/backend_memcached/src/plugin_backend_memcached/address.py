"""Reading the URL and the options: which servers, and what they take."""

from collections.abc import Mapping
from dataclasses import dataclass

from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError
from kernel.model.urls import masked_url

SCHEMES = ("memcached", "cache+memcached", "cache+memcache", "cache+pymemcache", "cache+pylibmc")
"""The second is Celery's; the others are what older configurations of Celery say for the same thing."""
PORT = 11211
OPTIONS = {
    "item_size": Option(int, 1 << 20, "bytes the servers take per item (memcached's -I); larger values are split"),
    "max_size": Option(int, 16 << 20, "bytes of the largest result that is stored at all"),
    "tombstone_s": Option(
        (int, float, type(None)), None, "seconds for which what was forgotten is not stored again; None: not at all"
    ),
    "tls": Option(bool, False, "speak TLS"),
    "tls_ca": Option((str, type(None)), None, "file of certificates to trust; None: those of the system"),
    "tls_cert": Option((str, type(None)), None, "file of the client's certificate"),
    "tls_key": Option((str, type(None)), None, "file of the client's key; None: it is beside the certificate"),
    "tls_check_hostname": Option(bool, True, "whether the server's certificate must name the host of the URL"),
}
"""Options of ``result_backend_transport_options``."""
SMALLEST_ITEM = 4096
"""The smallest ``item_size``: an item's key and bookkeeping must leave room for its value."""


@dataclass(frozen=True, slots=True)
class Node:
    """One server. ``host`` is a path when ``port`` is 0: a socket of this machine."""

    host: str
    port: int

    @property
    def name(self) -> str:
        """As hashed: Celery's client places keys by this text, so it must be the same for all."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def target(self) -> "tuple[str, int] | str":
        """As the client library takes it."""
        return (self.host, self.port) if self.port else self.host


def nodes(url: str) -> tuple[Node, ...]:
    """The servers of a URL, ``scheme://host:port;host:port/``; a port may be left out.

    Raises:
        DriverError: INVALID.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in SCHEMES:
        raise _invalid(url, f"does not begin with one of {', '.join(f'{one}://' for one in SCHEMES)}")
    if "@" in rest:
        raise _invalid(url, "has credentials; this driver does not log in. Use TLS with a client certificate instead")
    if "?" in rest or "#" in rest:
        raise _invalid(url, "has a part after '?' or '#'; give options in result_backend_transport_options")
    named = [_node(url, part) for part in rest.rstrip("/").split(";") if part]
    if not named:
        raise _invalid(url, "names no server")
    if len(set(named)) != len(named):
        raise _invalid(url, "names a server twice")
    return tuple(named)


def size(options: Mapping[str, object], name: str) -> int:
    """An option that is a number of bytes.

    Raises:
        DriverError: INVALID.
    """
    value = options.get(name, OPTIONS[name].default)
    if not isinstance(value, int) or isinstance(value, bool) or value < SMALLEST_ITEM:
        raise DriverError(
            Code.INVALID, f"Option {name}={value!r} is no number of bytes from {SMALLEST_ITEM}", cure="Correct it."
        )
    return value


def tombstone_s(options: Mapping[str, object]) -> float | None:
    """The option of that name.

    Raises:
        DriverError: INVALID.
    """
    value = options.get("tombstone_s")
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise DriverError(
            Code.INVALID, f"Option tombstone_s={value!r} is not a positive number of seconds", cure="Correct it."
        )
    return float(value)


def _node(url: str, text: str) -> Node:
    if text.startswith("unix:"):
        return Node(text.removeprefix("unix:"), 0)
    if text.startswith("/"):
        return Node(text, 0)
    host, _, port = text.rpartition(":")
    if not host or text.endswith("]"):
        host, port = text, str(PORT)
    if not port.isdecimal() or not 0 < int(port) < 1 << 16 or any(sign in host for sign in "/ "):
        raise _invalid(url, f"has {text!r}, which is no host:port")
    return Node(host.strip("[]"), int(port))


def _invalid(url: str, what: str) -> DriverError:
    return DriverError(
        Code.INVALID, f"{masked_url(url)!r} {what}", cure="Write it as memcached://host:11211;host:11211/."
    )
