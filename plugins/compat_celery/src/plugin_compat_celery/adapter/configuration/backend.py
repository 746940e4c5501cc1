"""What Celery's settings about the result backend become: one URL and its options (features.md 2.9)."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from plugin_compat_celery.adapter.configuration.addresses import built, scheme_of, secured, verify_word, with_query
from plugin_compat_celery.adapter.configuration.decisions import (
    Draft,
    Rule,
    Ruling,
    Verdict,
    taken,
    translated,
    unsupported,
    whole,
)
from plugin_compat_celery.adapter.configuration.rules import built_in, built_in_for, mapping_of, refused

FOREIGN: Final = "celery-backend"
"""The scheme of a result backend that is a class written for Celery: ``celery-backend:package.module:Class``."""
OPTIONS: Final = "result_backend_transport_options"

_CLASSES: Mapping[str, str] = {
    "celery.backends.rpc": "rpc",
    "celery.backends.redis": "redis",
    "celery.backends.cache": "cache",
    "celery.backends.mongodb": "mongodb",
    "celery.backends.database": "database",
}
"""Classes of Celery's own that a configuration may name, by their module."""
_REDIS: Mapping[str, str] = {
    "redis_username": "user",
    "redis_password": "password",
    "redis_host": "host",
    "redis_port": "port",
    "redis_db": "path",
}
_NO_PLUGIN: Mapping[str, str] = {
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
_MONGO: Mapping[str, str] = {"database": "database", "max_pool_size": "max_pool_size"}
_MONGO_NAMES: Mapping[str, str] = {"taskmeta_collection": "celery_taskmeta", "groupmeta_collection": "celery_groupmeta"}
_MONGO_PARTS: Final = ("host", "port", "user", "password", "options")


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
    if known in _NO_PLUGIN:
        return f"{known}://", unsupported(_NO_PLUGIN[known])
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
    if scheme in _NO_PLUGIN:
        return text, unsupported(_NO_PLUGIN[scheme])
    if scheme == "mongodb" and given.get("mongodb_backend_settings"):
        text = _mongo(given, text)[0]
    if scheme in {"redis", "sentinel"} and given.get("redis_backend_use_ssl"):
        return _redis_tls(text, given["redis_backend_use_ssl"]), translated("With TLS, by redis_backend_use_ssl.")
    return text, taken()


def _redis(given: Mapping[str, Any]) -> tuple[str, str]:
    parts = {part: given.get(name) for name, part in _REDIS.items()}
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
    return with_query(secured(url), _tls_query(wanted)[0])


def _tls_query(wanted: Any) -> tuple[dict[str, str], dict[str, Ruling]]:
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


def result_backend(draft: Draft, _name: str, _value: Any) -> Ruling:
    """The rule of ``result_backend``."""
    url, ruling = backend_url(draft.given, draft.given.get("override_backends") or {})
    draft.settings["result_backend"] = url
    return ruling


def _part_of_url(draft: Draft, name: str, _value: Any) -> Ruling:
    """A setting that counts only beside a backend that is named by a word."""
    word = str(draft.given.get("result_backend") or "")
    if word in {"redis", "cache", "mongodb", "database", "db"}:
        return translated("Written into the URL of result_backend.")
    return translated(f"result_backend counts, as in Celery: {name} completes a name without a URL only.")


def _redis_use_ssl(draft: Draft, name: str, value: Any) -> Ruling:
    if not value:
        return translated("No TLS, unless the URL asks for it.")
    url = draft.settings.get("result_backend") or backend_url(draft.given, {})[0] or ""
    if not url.startswith(("redis", "sentinel")):
        return unsupported("result_backend names no Redis: remove it.")
    rulings = _tls_query(value)[1]
    draft.parts[name] = rulings
    found = whole(rulings)
    return found if found.verdict is Verdict.UNSUPPORTED else translated("A URL with TLS: rediss://…")


def _mongo_settings(draft: Draft, name: str, value: Any) -> Ruling:
    rulings: dict[str, Ruling] = {}
    for key, item in mapping_of(name, value).items():
        if key in _MONGO:
            draft.option(OPTIONS, _MONGO[key], item)
            rulings[key] = translated(f"{OPTIONS}.{_MONGO[key]}")
        elif key in _MONGO_PARTS:
            rulings[key] = translated("Written into the URL.")
        elif _MONGO_NAMES.get(key) == item:
            rulings[key] = translated("The plugin's own name.")
        else:
            rulings[key] = unsupported("The plugin has names of its own for collections and takes no such option.")
    draft.parts[name] = rulings
    return whole(rulings, "Written into the URL and the options of result_backend.")


def _transport_options(draft: Draft, name: str, value: Any) -> Ruling:
    scheme = scheme_of(str(draft.given.get("result_backend") or ""))
    rulings: dict[str, Ruling] = {}
    for key, item in mapping_of(name, value).items():
        if key == "retry_policy" and isinstance(item, Mapping):
            rulings[key] = _retry_policy(draft, item)
        elif key in _FULFILLED:
            rulings[key] = translated(_FULFILLED[key])
        elif key in _REDIS_ONLY and "redis" in scheme:
            rulings[key] = unsupported("The plugin for Redis has no such option: remove it.")
        else:
            draft.option(name, key, item)
            rulings[key] = taken()
    draft.parts[name] = rulings
    return whole(rulings)


_FULFILLED: Mapping[str, str] = {
    "result_chord_ordered": "A chord's body always gets its results in the order of the header.",
    "visibility_timeout": "A backend has no use for it; the broker's counts.",
}
_REDIS_ONLY = frozenset(
    {"client_name", "health_check_interval", "max_connections", "retry_on_timeout", "sentinel_kwargs"}
)


def _retry_policy(draft: Draft, policy: Mapping[str, Any]) -> Ruling:
    """Seconds there, milliseconds here; retries that never end are the same."""
    names = {"max_retries": "result_backend_max_retries"}
    for key, setting in names.items():
        if policy.get(key) is not None:
            draft.settings.setdefault(setting, policy[key])
    if policy.get("interval_max"):
        draft.settings.setdefault("result_backend_max_sleep_between_retries_ms", int(policy["interval_max"] * 1000))
    return translated("result_backend_max_retries and result_backend_max_sleep_between_retries_ms")


def _always_retry(draft: Draft, name: str, value: Any) -> Ruling:
    draft.settings[name] = bool(value)
    return taken()


def _override(_draft: Draft, _name: str, _value: Any) -> Ruling:
    return translated("result_backend may name it: a class written for Celery works behind an adapter.")


_DEADLINE = "Every call of a backend has a deadline of its own (broker_connection_timeout, and that of the caller)."

RULES: Mapping[str, Rule] = {
    "result_backend": result_backend,
    **dict.fromkeys((*_REDIS, "cache_backend", "database_url"), _part_of_url),
    "redis_backend_use_ssl": _redis_use_ssl,
    "mongodb_backend_settings": _mongo_settings,
    OPTIONS: _transport_options,
    "override_backends": _override,
    "result_backend_always_retry": _always_retry,
    "redis_socket_timeout": built_in(_DEADLINE),
    "redis_socket_connect_timeout": built_in(_DEADLINE),
    "redis_retry_on_timeout": built_in("A failed call is tried again as result_backend_always_retry says."),
    "redis_socket_keepalive": built_in("A connection that broke is noticed by the next call, which connects again."),
    "redis_backend_health_check_interval": built_in(
        "A connection that broke is noticed by the next call, which connects again."
    ),
    "redis_max_connections": built_in("A process has one connection for calls, and one for each wait."),
    "redis_backend_credential_provider": refused("Write user and password into the URL of result_backend."),
    "redis_client_name": refused("The plugin gives its connections no name: remove it."),
    "result_backend_thread_safe": built_in("One backend per process serves all threads."),
    "result_cache_max": built_in("Nothing is cached but in each AsyncResult, so that nothing grows."),
    "result_exchange": built_in("It has no use in Celery of today either."),
    "result_exchange_type": built_in("It has no use in Celery of today either."),
    "database_create_tables_at_setup": built_in_for(
        (True,), "Tables are made with the first connection.", "Tables are made with the first connection: remove it."
    ),
    **dict.fromkeys(
        (
            "database_engine_callback", "database_engine_options", "database_short_lived_sessions",
            "database_table_names", "database_table_schemas",
        ),
        refused("The SQLite backend has no engine of SQLAlchemy, and names for tables of its own: remove it."),
    ),
    "cache_backend_options": refused("They are of another client library; the plugin has options for TLS."),
}  # fmt: skip

_FAMILIES = {
    "arangodb_": "arangodb", "azureblockblob_": "azureblockblob", "cassandra_": "cassandra",
    "cosmosdbsql_": "cosmosdbsql", "couchbase_": "couchbase", "elasticsearch_": "elasticsearch", "gcs_": "gs",
    "s3_": "s3",
}  # fmt: skip


def of_family(name: str) -> Rule | None:
    """The rule of an option of a backend that has no plugin; None for any other setting."""
    found = next((scheme for prefix, scheme in _FAMILIES.items() if name.startswith(prefix)), None)
    return refused(_NO_PLUGIN[found]) if found else None
