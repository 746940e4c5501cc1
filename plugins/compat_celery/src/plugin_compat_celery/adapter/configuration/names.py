"""Setting names of old: upper case, with prefixes that were dropped since (features.md part 3).

A configuration has either kind of name, never both: Celery refuses the mixture, because nobody could say which of two
spellings counts.
"""

from collections.abc import Iterable, Mapping

from kernel.errors import ImproperlyConfigured
from plugin_compat_celery.adapter.configuration.defaults import DEFAULTS

_PREFIXES: Mapping[str, str] = {
    "task_": "CELERY_",
    "worker_": "CELERYD_",
    "beat_": "CELERYBEAT_",
}
"""What replaces the first part of a name of today."""
_WITH_CELERY = ("event_", "redis_", "elasticsearch_", "security_", "cache_", "couchbase_", "arangodb_", "mongodb_")
"""Families whose old names are those of today behind ``CELERY_``."""
_PLAIN = frozenset({"result_accept_content", "enable_utc"})
_IRREGULAR: Mapping[str, str] = {
    "accept_content": "CELERY_ACCEPT_CONTENT",
    "database_engine_options": "CELERY_RESULT_ENGINE_OPTIONS",
    "database_short_lived_sessions": "CELERY_RESULT_DB_SHORT_LIVED_SESSIONS",
    "database_table_names": "CELERY_RESULT_DB_TABLENAMES",
    "database_url": "CELERY_RESULT_DBURI",
    "imports": "CELERY_IMPORTS",
    "include": "CELERY_INCLUDE",
    "result_cache_max": "CELERY_MAX_CACHED_RESULTS",
    "result_expires": "CELERY_TASK_RESULT_EXPIRES",
    "task_compression": "CELERY_MESSAGE_COMPRESSION",
    "task_eager_propagates": "CELERY_EAGER_PROPAGATES_EXCEPTIONS",
    "task_protocol": "CELERY_TASK_PROTOCOL",
    "task_publish_retry": "CELERY_TASK_PUBLISH_RETRY",
    "task_publish_retry_policy": "CELERY_TASK_PUBLISH_RETRY_POLICY",
    "task_send_sent_event": "CELERY_SEND_TASK_SENT_EVENT",
    "task_serializer": "CELERY_TASK_SERIALIZER",
    "task_soft_time_limit": "CELERYD_TASK_SOFT_TIME_LIMIT",
    "task_time_limit": "CELERYD_TASK_TIME_LIMIT",
    "timezone": "CELERY_TIMEZONE",
    "worker_direct": "CELERY_WORKER_DIRECT",
    "worker_disable_rate_limits": "CELERY_DISABLE_RATE_LIMITS",
    "worker_enable_remote_control": "CELERY_ENABLE_REMOTE_CONTROL",
    "worker_lost_wait": "CELERYD_WORKER_LOST_WAIT",
    "worker_redirect_stdouts": "CELERY_REDIRECT_STDOUTS",
    "worker_redirect_stdouts_level": "CELERY_REDIRECT_STDOUTS_LEVEL",
    "worker_send_task_events": "CELERY_SEND_EVENTS",
}


def _old(name: str) -> str:
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    if name in _PLAIN:
        return name.upper()
    for today, old in _PREFIXES.items():
        if name.startswith(today):
            return old + name.removeprefix(today).upper()
    return f"CELERY_{name.upper()}" if name.startswith(("result_", *_WITH_CELERY)) else name.upper()


OLD: Mapping[str, str] = {name: _old(name) for name in DEFAULTS}
"""Name of today → name of old; every setting of the defaults table has exactly one."""
NEW: Mapping[str, str] = {old: name for name, old in OLD.items()}
"""The other way round."""


def modern(name: str) -> str:
    """The name of today, of either spelling; any other name unchanged."""
    return NEW.get(name, name)


def check_unmixed(names: Iterable[str], origin: str) -> None:
    """Refuse a configuration that has names of both kinds. A setting given under both of its names is no mixture.

    Raises:
        ImproperlyConfigured: with the names to write for those of the smaller party.
    """
    have = set(names)
    new, old = have & OLD.keys(), have & NEW.keys()
    if not new or not old:
        return
    to_new = len(old) <= len(new)
    table, odd = (NEW, old) if to_new else (OLD, new)
    left = sorted(name for name in odd if table[name] not in have)
    if left:
        pairs = ", ".join(f"{name} → {table[name]}" for name in left)
        wanted = "names of today" if to_new else "upper-case names of old"
        raise ImproperlyConfigured(
            f"{origin} mixes new and old setting names: most are {wanted}, and not {', '.join(left)}.",
            cure=f"Rename: {pairs}.",
        )
