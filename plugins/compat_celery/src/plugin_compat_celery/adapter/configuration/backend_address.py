"""The URL of the result backend, out of the many ways in which Celery's settings name one (features.md 2.9)."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from plugin_compat_celery.adapter.configuration.addresses import built, scheme_of, secured, verify_word, with_query
from plugin_compat_celery.adapter.configuration.decisions import Ruling, taken, translated, unsupported

FOREIGN: Final = "celery-backend"
"""The scheme of a result backend that is a class written for Celery: ``celery-backend:package.module:Class``."""
BACKENDS: Final = "celery.result_backends"
"""Entry points of result backends written for Celery: a name, and where the class is."""

_CLASSES: Mapping[str, str] = {
    "celery.backends.rpc": "rpc",
    "celery.backends.redis": "redis",
    "celery.backends.cache": "cache",
    "celery.backends.mongodb": "mongodb",
    "celery.backends.database": "database",
}
"""Classes of Celery's own that a configuration may name, by their module."""
REDIS: Mapping[str, str] = {
    "redis_username": "user",
    "redis_password": "password",
    "redis_host": "host",
    "redis_port": "port",
    "redis_db": "path",
}
NO_PLUGIN: Mapping[str, str] = {
    scheme: f"There is no plugin for results in {where}: use Redis, MongoDB, memcached or RabbitMQ (rpc://)."
    for scheme, where in (
        ("arangodb", "ArangoDB"),
        ("azureblockblob", "Azure blobs"),
        ("cassandra", "Cassandra"),
        ("consul", "Consul"),
        ("cosmosdbsql", "CosmosDB"),
        ("couchbase", "Couchbase"),
        ("couchdb", "CouchDB"),
        ("dynamodb", "DynamoDB"),
        ("elasticsearch", "Elasticsearch"),
        ("file", "files"),
        ("gs", "Google Cloud Storage"),
        ("s3", "S3"),
    )
}
_DATABASE: Final = (
    "There is no plugin for results in SQL databases but SQLite (db+sqlite:///file): use another backend, or a class of"
    " your own in override_backends."
)


def backend_url(given: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[str | None, Ruling]:
    """The URL of the result backend, and what is to be said about it.

    Args:
        given: all settings.
        own: names of backends that are classes for Celery, as of ``override_backends``: the class, or where it is.
    """
    value = given.get("result_backend")
    if not value or str(value).rstrip(":/") == "disabled":
        return (None if not value else "disabled"), taken("No results are kept.")
    if isinstance(value, type):
        value = f"{value.__module__}:{value.__qualname__}"
    text = str(value)
    scheme = scheme_of(text) or text
    if own_class := own.get(scheme.partition("+")[0]):
        rest = text.partition("+")[2] if "+" in scheme else (text if "://" in text else "")
        return _foreign(own_class, rest)
    if "://" in text:
        return _of_url(scheme, text, given)
    known = _CLASSES.get(text.rpartition(":")[0] or text.rpartition(".")[0], text)
    if known in _NAMED:
        url, note = _NAMED[known](given)
        return url, translated(note) if url else unsupported(note)
    if known in NO_PLUGIN:
        return f"{known}://", unsupported(NO_PLUGIN[known])
    return _foreign(text, "")


def _foreign(where: Any, url: str) -> tuple[str, Ruling]:
    path = where if isinstance(where, str) else f"{where.__module__}:{where.__qualname__}"
    query = f"?{urlencode({'url': url})}" if url else ""
    return f"{FOREIGN}:{path}{query}", translated("A class written for Celery, behind an adapter.")


def _of_url(scheme: str, text: str, given: Mapping[str, Any]) -> tuple[str, Ruling]:
    if scheme in {"rpc", "amqp"}:
        return "rpc://", taken() if text == "rpc://" else translated("rpc://: it uses the connection of the broker.")
    if scheme.startswith(("db+", "sqla+")):
        path = text.partition("sqlite://")[2]
        url = f"sqlite://{path}" if path else text
        note = "The SQLite backend of the kernel, with tables of its own."
        return url, translated(note) if path else unsupported(_DATABASE)
    if scheme == "cache+memory":
        return "memory://", translated("memory://")
    if scheme in NO_PLUGIN:
        return text, unsupported(NO_PLUGIN[scheme])
    if scheme == "mongodb" and given.get("mongodb_backend_settings"):
        text = _mongo(given, text)[0]
    if scheme in {"redis", "sentinel"} and given.get("redis_backend_use_ssl"):
        return _redis_tls(text, given["redis_backend_use_ssl"]), translated("With TLS, by redis_backend_use_ssl.")
    return text, taken()


def _redis(given: Mapping[str, Any]) -> tuple[str, str]:
    parts = {part: given.get(name) for name, part in REDIS.items()}
    parts["path"] = parts["path"] if parts["path"] is not None else 0
    url = built("redis", parts)
    if given.get("redis_backend_use_ssl"):
        url = _redis_tls(url, given["redis_backend_use_ssl"])
    return url, "A URL of the redis_… settings."


def _cache(given: Mapping[str, Any]) -> tuple[str | None, str]:
    where = str(given.get("cache_backend") or "memory://")
    if where.rstrip(":/") == "memory":
        return "memory://", "memory://"
    return (where if where.startswith("cache+") else f"cache+{where}"), "A URL of cache_backend."


def _database(given: Mapping[str, Any]) -> tuple[str | None, str]:
    where = str(given.get("database_url") or "")
    path = where.partition("sqlite://")[2]
    return (f"sqlite://{path}", "The SQLite backend of the kernel.") if path else (None, _DATABASE)


def _mongo(given: Mapping[str, Any], url: str = "mongodb://") -> tuple[str, str]:
    """The URL, with the server and client options of ``mongodb_backend_settings`` when it has none itself."""
    own = given.get("mongodb_backend_settings") or {}
    host = own.get("host")
    if url.rstrip("/") == "mongodb:":
        if isinstance(host, str) and "://" in host:
            url = host
        else:
            hosts = ",".join(host) if isinstance(host, (list, tuple)) else host
            url = built("mongodb", {**own, "host": hosts, "path": own.get("database")})
    options = {str(name): str(value) for name, value in (own.get("options") or {}).items()}
    slash = "" if "/" in url.partition("://")[2] or not options else "/"
    return with_query(url + slash, options), "A URL of mongodb_backend_settings."


_SCHEMES = frozenset({"rediss", "sentinel", "sqla", "sqlite", "memcached", "disabled"})
_NAMED: Mapping[str, Callable[[Mapping[str, Any]], tuple[str | None, str]]] = {
    "rpc": lambda _given: ("rpc://", "rpc://"),
    "amqp": lambda _given: ("rpc://", "rpc://, which took its place."),
    "redis": _redis,
    "cache": _cache,
    "mongodb": _mongo,
    "database": _database,
    "db": _database,
    "memory": lambda _given: ("memory://", "memory://"),
}


def _redis_tls(url: str, wanted: Any) -> str:
    return with_query(secured(url), tls_query(wanted)[0])


def tls_query(wanted: Any) -> tuple[dict[str, str], dict[str, Ruling]]:
    query: dict[str, str] = {}
    rulings: dict[str, Ruling] = {}
    for name, value in wanted.items() if isinstance(wanted, Mapping) else ():
        word = verify_word(value) if name == "ssl_cert_reqs" else str(value)
        known = name in {"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_cert_reqs"}
        if name == "ssl_check_hostname":
            known, word = True, str(bool(value)).lower()
        if known and word is not None:
            query[name] = word
            rulings[name] = translated(f"Parameter {name} of the URL.")
        else:
            rulings[name] = unsupported("The plugin leaves it to Python's own choice: remove it.")
    return query, rulings


def asks_elsewhere(given: Mapping[str, Any]) -> bool:
    """Whether the backend's URL has a scheme that neither Celery nor the kernel knows: a class of somebody else's."""
    scheme = scheme_of(str(given.get("result_backend") or "")).partition("+")[0]
    return bool(scheme) and scheme not in {*_NAMED, *NO_PLUGIN, *_SCHEMES}
