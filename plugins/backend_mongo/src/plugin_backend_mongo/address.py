"""Reading the URL and the options. The URL itself goes to the client library unchanged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError
from kernel.model.urls import masked_url

SCHEMES = ("mongodb", "mongodb+srv")
OPTIONS = {
    "database": Option((str, type(None)), None, "database, when the URL names none; None: the namespace"),
    "server_selection_s": Option((int, float), 3.0, "seconds to look for a server, when the URL does not say"),
    "max_pool_size": Option(int, 100, "connections to a server, when the URL does not say"),
    "change_streams": Option(
        (bool, type(None)), None, "be told of results by the server; None: when the URL names a replica set or is +srv"
    ),
    "joins": Option(
        (bool, type(None)),
        None,
        "count the members of chords; None: except in the namespace celery, where Celery's workers look for them",
    ),
    "tombstone_s": Option(
        (int, float, type(None)), None, "seconds for which what was forgotten is not stored again; None: not at all"
    ),
    "tls_ca": Option((str, type(None)), None, "file of certificates to trust; speaks TLS"),
    "tls_cert": Option((str, type(None)), None, "file of the client's certificate and key; speaks TLS"),
    "max_size": Option(int, 15 << 20, "bytes of the largest result that is stored; a document has 16 MiB"),
}
"""Options of ``result_backend_transport_options``."""
LARGEST = 15 << 20
LOCAL = "mongodb://localhost"
CELERY = "celery"
"""The namespace shared with Celery. Its workers do not count the members of a chord on MongoDB (wire.md 11.4): where
both run them, a count would wait for ever."""
CONNECT_S = 5.0
_FORBIDDEN = frozenset('/\\. "$*<>:|?\x00')
"""In the name of a database."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the results are.

    Attributes:
        url: as given.
        database: its name.
        settings: what the client library gets beside the URL.
        selection_s: seconds to look for a server.
        several: whether the deployment may have several nodes.
        streams: whether to use change streams if the server has them.
        joins: whether to count the members of chords.
        tombstone_s: seconds for which what was forgotten is not stored again; None: not at all.
        max_size: bytes of the largest result.
        secrets: texts that no message may have.
    """

    url: str
    database: str
    settings: Mapping[str, object]
    selection_s: float
    several: bool
    streams: bool
    joins: bool
    tombstone_s: float | None
    max_size: int
    secrets: tuple[str, ...] = field(repr=False, default=())

    @property
    def name(self) -> str:
        """The URL as it may be shown."""
        return masked_url(self.url)


def address(url: str, options: Mapping[str, object], namespace: str) -> Address:
    """Check a URL and options.

    Raises:
        DriverError: INVALID.
    """
    whole = LOCAL if url in {"mongodb://", "mongodb:///"} else url
    try:
        parts = urlsplit(whole)
        given = {name.lower(): value for name, value in parse_qsl(parts.query, strict_parsing=bool(parts.query))}
    except ValueError as error:
        raise _invalid(url, f"cannot be read: {error}") from error
    if parts.scheme not in SCHEMES or not parts.netloc.rpartition("@")[2]:
        raise _invalid(url, "names no server")
    if given.get("w") == "0":
        raise _invalid(url, "asks for writes that nobody confirms (w=0); results would be lost without an error")
    database = unquote(parts.path.strip("/").partition(".")[0]) or str(options.get("database") or "")
    if _FORBIDDEN.intersection(database):
        raise _invalid(url, f"names the database {database!r}, which cannot exist")
    several = parts.scheme != SCHEMES[0] or "," in parts.netloc or "replicaset" in given
    streams, joins = options.get("change_streams"), options.get("joins")
    selection_s = _selection_s(given, options)
    return Address(
        url=whole,
        database=database or namespace.replace(".", "_"),
        settings=_settings(given, options, selection_s),
        selection_s=selection_s,
        several=several,
        streams=parts.scheme != SCHEMES[0] or "replicaset" in given if streams is None else bool(streams),
        joins=namespace != CELERY if joins is None else bool(joins),
        tombstone_s=_tombstone_s(options),
        max_size=_size(options),
        secrets=tuple({parts.password or "", unquote(parts.password or "")} - {""}),
    )


def _selection_s(given: Mapping[str, str], options: Mapping[str, object]) -> float:
    wanted = options.get("server_selection_s", OPTIONS["server_selection_s"].default)
    if not isinstance(wanted, (int, float)) or isinstance(wanted, bool) or not 0 < wanted < float("inf"):
        raise _bad_option("server_selection_s", wanted, "a positive number of seconds")
    said = given.get("serverselectiontimeoutms", "")
    return int(said) / 1000 if said.isdecimal() else float(wanted)


def _settings(given: Mapping[str, str], options: Mapping[str, object], selection_s: float) -> dict[str, object]:
    """Of the client library; what the URL says is left to it."""
    pool = options.get("max_pool_size", OPTIONS["max_pool_size"].default)
    if not isinstance(pool, int) or isinstance(pool, bool) or pool < 1:
        raise _bad_option("max_pool_size", pool, "a number of connections from 1")
    settings: dict[str, object] = {
        "serverSelectionTimeoutMS": max(1, round(selection_s * 1000)),
        "connectTimeoutMS": round(CONNECT_S * 1000),
        "maxPoolSize": pool,
        "appname": "kernel",
        "retryReads": False,  # whoever asks decides that, and how often
    }
    for name, option in (("tls_ca", "tlsCAFile"), ("tls_cert", "tlsCertificateKeyFile")):
        if options.get(name) is not None:
            settings |= {"tls": True, option: options[name]}
    return {name: value for name, value in settings.items() if name.lower() not in given}


def _tombstone_s(options: Mapping[str, object]) -> float | None:
    value = options.get("tombstone_s")
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise _bad_option("tombstone_s", value, "a positive number of seconds")
    return float(value)


def _size(options: Mapping[str, object]) -> int:
    value = options.get("max_size", OPTIONS["max_size"].default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LARGEST:
        raise _bad_option("max_size", value, f"a number of bytes up to {LARGEST}")
    return value


def _bad_option(name: str, value: object, wanted: str) -> DriverError:
    return DriverError(Code.INVALID, f"Option {name}={value!r} is not {wanted}", cure="Correct the option.")


def _invalid(url: str, what: str) -> DriverError:
    return DriverError(
        Code.INVALID, f"{masked_url(url)!r} {what}", cure="Write it as mongodb://user:password@host:27017/database."
    )
