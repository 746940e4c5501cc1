"""URLs: where servers are, one or several of them, and how to log in there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kernel.errors import Code, DriverError
from kernel.model.urls import masked_url

SCHEMES: Final = ("amqp", "amqps", "pyamqp", "rabbitmq")
PORT: Final = 5672
TLS_PORT: Final = 5671
GUEST: Final = "guest"
_TEXTS: Final = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}


@dataclass(frozen=True, slots=True)
class Address:
    """One server. ``query`` has the options that its URL gives, as text."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    vhost: str = "/"
    tls: bool = False
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it is, without credentials."""
        return f"{self.host}:{self.port}/{self.vhost}"


def addresses(url: str) -> tuple[Address, ...]:
    """The servers of one URL, or of several joined by ``;``; an entry without a scheme has the first one's.

    Raises:
        DriverError: INVALID for anything else.
    """
    entries = [entry.strip() for entry in url.split(";") if entry.strip()]
    if not entries:
        raise _invalid(url, "is empty")
    scheme = entries[0].partition("://")[0]
    return tuple(_address(entry if "://" in entry else f"{scheme}://{entry}") for entry in entries)


def _address(url: str) -> Address:
    found = urlsplit(url)
    if found.scheme not in SCHEMES:
        raise _invalid(url, f"has none of the schemes {', '.join(SCHEMES)}")
    try:
        port = found.port
    except ValueError as error:
        raise _invalid(url, f"has no usable port: {error}") from error
    query = dict(parse_qsl(found.query, keep_blank_values=True))
    unknown = sorted(query.keys() - _TEXTS)
    if unknown:
        raise _invalid(url, f"has the unknown parameter {unknown[0]!r}; known are {', '.join(sorted(_TEXTS))}")
    tls = found.scheme == "amqps"
    return Address(
        host=found.hostname or "127.0.0.1",
        port=port or (TLS_PORT if tls else PORT),
        user=unquote(found.username) if found.username else GUEST,
        password=unquote(found.password) if found.password is not None else GUEST,
        vhost=_vhost(found),
        tls=tls,
        query=query,
    )


def _vhost(found: SplitResult) -> str:
    """The path without its first slash; nothing there is the virtual host ``/``."""
    return unquote(found.path[1:]) or "/"


def _invalid(url: str, why: str) -> DriverError:
    cure = "Write amqp://user:password@host:port/vhost, or several of them joined by ';'."
    return DriverError(Code.INVALID, f"The URL {masked_url(url)!r} {why}", cure=cure)
