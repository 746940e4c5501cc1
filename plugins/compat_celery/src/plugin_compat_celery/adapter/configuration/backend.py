"""What becomes of Celery's settings about the result backend: one URL and its options (features.md 2.9)."""

from collections.abc import Mapping
from typing import Any, Final

from plugin_compat_celery.adapter.configuration.addresses import scheme_of
from plugin_compat_celery.adapter.configuration.backend_address import (
    FOREIGN,
    NO_PLUGIN,
    REDIS,
    backend_url,
    tls_query,
)
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

OPTIONS: Final = "result_backend_transport_options"
_MONGO: Mapping[str, str] = {"database": "database", "max_pool_size": "max_pool_size"}
_MONGO_NAMES: Mapping[str, str] = {"taskmeta_collection": "celery_taskmeta", "groupmeta_collection": "celery_groupmeta"}
_MONGO_PARTS: Final = ("host", "port", "user", "password", "options")


def result_backend(draft: Draft, _name: str, _value: Any) -> Ruling:
    """The rule of ``result_backend``."""
    url, ruling = backend_url(draft.given, draft.backends)
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
    url = backend_url(draft.given, draft.backends)[0] or ""
    if not url.startswith(("redis", "sentinel")):
        return unsupported("result_backend names no Redis: remove it.")
    rulings = tls_query(value)[1]
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
    if (backend_url(draft.given, draft.backends)[0] or "").startswith(f"{FOREIGN}:"):
        return translated("The class of result_backend reads it from app.conf.")
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
    **dict.fromkeys((*REDIS, "cache_backend", "database_url"), _part_of_url),
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
    return refused(NO_PLUGIN[found]) if found else None
