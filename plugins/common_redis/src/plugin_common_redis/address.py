"""The URLs that lead to Redis: one server, a socket file, sentinels, a cluster."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kernel.errors import Code, DriverError
from kernel.model.urls import masked_url


class Mode(StrEnum):
    """What stands at the address."""

    SERVER = "server"
    SOCKET = "socket"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_MODES: Final[Mapping[str, tuple[Mode, bool]]] = {
    "redis": (Mode.SERVER, False),
    "rediss": (Mode.SERVER, True),
    "redis+socket": (Mode.SOCKET, False),
    "sentinel": (Mode.SENTINEL, False),
    "rediss+sentinel": (Mode.SENTINEL, True),
    "redis+cluster": (Mode.CLUSTER, False),
    "rediss+cluster": (Mode.CLUSTER, True),
}
SCHEMES: Final = tuple(_MODES)
"""Every URL scheme; those with ``rediss`` speak TLS."""
_PORTS: Final = {Mode.SENTINEL: 26379}
_TLS: Final = {"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password"}
_VERIFY: Final = {
    "required": ssl.CERT_REQUIRED,
    "cert_required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "cert_optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
    "cert_none": ssl.CERT_NONE,
}
_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Tls:
    """How to verify the server, and what to show it.

    Attributes:
        verify: by default the certificate must be valid.
        check_hostname: whether it must name the host, too.
        files: ``ssl_ca_certs``, ``ssl_ca_path``, ``ssl_certfile``, ``ssl_keyfile``, ``ssl_password``, as given.
    """

    verify: ssl.VerifyMode = ssl.CERT_REQUIRED
    check_hostname: bool = True
    files: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Address:
    """Where, and as whom. ``nodes`` are the server, the sentinels, or some nodes of the cluster.

    Attributes:
        master: the name the sentinels know the master by.
        name: the URL for messages, without secrets.
    """

    mode: Mode
    nodes: tuple[tuple[str, int], ...]
    name: str
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    master: str = ""
    tls: Tls | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that never appear in a message."""
        found = [self.password or "", *(self.tls.files.get("ssl_password", "") if self.tls else "",)]
        return tuple(text for text in found if text)


def parse(url: str, master_name: str = "") -> Address:
    """Read a URL; several, joined by ``;``, name several sentinels or nodes.

    Args:
        url: ``redis://[user:password@]host[:port][/db]``, ``rediss://`` with TLS, ``redis+socket:///path[?db=n]``,
            ``sentinel://host[:26379][/db]?master_name=name``, ``rediss+sentinel://``, ``redis+cluster://``,
            ``rediss+cluster://``.
        master_name: for sentinels, when the URL does not say.

    Raises:
        DriverError: INVALID.
    """
    first, *others = [_split(one, masked_url(url)) for one in url.split(";")]
    mode, tls = _MODES[first.scheme]
    name = masked_url(url)
    if others and mode in {Mode.SERVER, Mode.SOCKET}:
        raise _bad(name, "has several servers", "Name one, or use sentinel:// or redis+cluster://.")
    query = dict(parse_qsl(first.query, keep_blank_values=True))
    db = _db(name, mode, first, query)
    address = Address(
        mode,
        tuple((unquote(one.hostname or "localhost"), one.port or _PORTS.get(mode, 6379)) for one in (first, *others)),
        name,
        unquote(first.path) if mode is Mode.SOCKET else "",
        db,
        unquote(first.username) if first.username else None,
        unquote(first.password) if first.password else None,
        query.pop("master_name", "") or master_name,
        _tls(name, query) if tls else None,
    )
    _check(address, query)
    return address


def _check(address: Address, rest: Mapping[str, str]) -> None:
    if rest:
        raise _bad(address.name, f"has the unknown parameter {min(rest)!r}", "Remove it; options go into settings.")
    if address.mode is Mode.SENTINEL and not address.master:
        raise _bad(address.name, "names no master", "Add ?master_name=... or the transport option 'master_name'.")
    if address.mode is Mode.SOCKET and not address.path:
        raise _bad(address.name, "names no socket file", "Write redis+socket:///path/to/redis.sock.")
    if address.mode is Mode.CLUSTER and address.db:
        raise _bad(address.name, f"asks for database {address.db}", "A cluster has database 0 only.")


def _split(url: str, name: str) -> SplitResult:
    try:
        found = urlsplit(url)
        found.port  # noqa: B018 - reading it is the check
    except ValueError as error:
        raise _bad(name, f"is no URL ({error})", "Correct it.") from error
    if found.scheme not in _MODES:
        raise _bad(name, "is no URL of Redis", f"Write one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}.")
    return found


def _db(name: str, mode: Mode, url: SplitResult, query: dict[str, str]) -> int:
    text = query.pop("virtual_host", None) or query.pop("db", None) or ""
    if not text and mode is not Mode.SOCKET:
        text = unquote(url.path)
    text = text.strip("/")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise _bad(name, f"names the database {text!r}", "A database is a number: redis://host/1.")
    return int(text)


def _tls(name: str, query: dict[str, str]) -> Tls:
    verify = query.pop("ssl_cert_reqs", "required").lower()
    if verify not in _VERIFY:
        raise _bad(name, f"has ssl_cert_reqs={verify!r}", "Write required, optional or none.")
    check = query.pop("ssl_check_hostname", "true").lower()
    if check not in _TRUTHS:
        raise _bad(name, f"has ssl_check_hostname={check!r}", "Write true or false.")
    files = {key: query.pop(key) for key in sorted(_TLS) if key in query}
    return Tls(_VERIFY[verify], _TRUTHS[check] and verify not in {"none", "cert_none"}, files)


def _bad(name: str, what: str, cure: str) -> DriverError:
    return DriverError(Code.INVALID, f"{name!r} {what}", cure=cure)
