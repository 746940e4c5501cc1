"""What becomes of the options in ``broker_transport_options``, by the broker they are for (features.md 2.10)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from plugin_compat_celery.adapter.configuration.addresses import scheme_of
from plugin_compat_celery.adapter.configuration.broker import broker_urls
from plugin_compat_celery.adapter.configuration.decisions import Draft, Ruling, taken, translated, unsupported, whole
from plugin_compat_celery.adapter.configuration.rules import mapping_of

_Key: TypeAlias = Callable[[Draft, str, Any], Ruling]
_SETTING = "broker_transport_options"
_REMOVE = "The plugin has no such option: remove it."


def _same(draft: Draft, key: str, value: Any) -> Ruling:
    draft.option(_SETTING, key, value)
    return taken()


def _as(option: str) -> _Key:
    def rule(draft: Draft, _key: str, value: Any) -> Ruling:
        draft.option(_SETTING, option, value)
        return translated(f"{_SETTING}.{option}")

    return rule


def _always(note: str) -> _Key:
    return lambda _draft, _key, _value: translated(note)


def _only(value: object, note: str, otherwise: str) -> _Key:
    return lambda _draft, _key, given: translated(note) if given == value else unsupported(otherwise)


def _setting(name: str) -> _Key:
    """An option that is a setting of the kernel, which counts unless the setting is given, too."""

    def rule(draft: Draft, _key: str, value: Any) -> Ruling:
        if draft.given.get(name) is None:
            draft.settings.setdefault(name, value)
        return translated(name)

    return rule


def _queue_urls(draft: Draft, key: str, value: Any) -> Ruling:
    """Queues by name: the URL alone; credentials of single queues have no place."""
    urls = {name: each["url"] if isinstance(each, Mapping) else each for name, each in value.items()}
    draft.option(_SETTING, key, urls)
    extra = sorted({str(part) for each in value.values() if isinstance(each, Mapping) for part in each} - {"url"})
    if extra:
        return unsupported(f"Credentials and options of single queues ({', '.join(extra)}): give them for all queues.")
    return translated(f"{_SETTING}.{key}, as name and URL")


_DEADLINES = "Every call has a deadline of its own (broker_connection_timeout)."
_NOTICED = "A connection that broke is noticed by the next call, which connects again."
_RETRIES = "broker_connection_retry and broker_connection_max_retries rule how often it is tried."

_REDIS: Mapping[str, _Key] = {
    **dict.fromkeys(
        ("visibility_timeout", "global_keyprefix", "priority_steps", "master_name", "socket_timeout"), _same
    ),
    **dict.fromkeys(("socket_connect_timeout", "connect_timeout"), _always(_DEADLINES)),
    **dict.fromkeys(("socket_keepalive", "socket_keepalive_options", "health_check_interval"), _always(_NOTICED)),
    **dict.fromkeys(("retry_on_timeout", "max_retries"), _always(_RETRIES)),
    **dict.fromkeys(("interval_start", "interval_step", "interval_max"), _always(_RETRIES)),
    "max_connections": _always("A process has one connection for publishing and one for each consumer."),
    "fanout_prefix": _only(True, "Always so.", "Channels of broadcasts always have the database's number in front."),
    "fanout_patterns": _only(True, "Always so.", "Broadcasts always go by the pattern of their routing key."),
    "queue_order_strategy": _only(
        "priority", "Priorities are always served, highest first.", "Queues are served in turn: remove it."
    ),
    "sep": _only(
        "\x06\x16",
        "Always so.",
        "Names of lists have Celery's default separator: empty queues with priorities before.",
    ),
    "polling_interval": _always("Nothing is polled: the server says when a message came."),
    "unacked_restore_limit": _always("What a worker left is restored when its lease ends."),
}
_AMQP: Mapping[str, _Key] = {
    **dict.fromkeys(("confirm_publish", "login_method"), _same),
    "heartbeat": _setting("broker_heartbeat"),
    "connect_timeout": _setting("broker_connection_timeout"),
    **dict.fromkeys(("read_timeout", "write_timeout", "confirm_timeout"), _always(_DEADLINES)),
    **dict.fromkeys(("max_retries", "interval_start", "interval_step", "interval_max"), _always(_RETRIES)),
    "socket_settings": _always(_NOTICED),
}
_SQS: Mapping[str, _Key] = {
    **dict.fromkeys(("region", "queue_name_prefix"), _same),
    "predefined_queues": _queue_urls,
    "wait_time_seconds": _as("wait_time_s"),
    "visibility_timeout": _always("A lease is renewed while its task runs; lease_s sets its length."),
    "polling_interval": _always("Polls are long: wait_time_s."),
    "queue_tags": _same,
    "sqs-creation-attributes": _as("queue_attributes"),
}
_ANY = ("failover_strategy",)
_BY_SCHEME: Mapping[str, Mapping[str, _Key]] = {
    **dict.fromkeys(("redis", "rediss", "redis+socket", "sentinel", "rediss+sentinel"), _REDIS),
    **dict.fromkeys(("amqp", "amqps"), _AMQP),
    "sqs": _SQS,
}
_OF_CELERY = frozenset({*_REDIS, *_AMQP, *_SQS, "client_name", "sentinel_kwargs", "client_properties", "is_secure"})


def options(draft: Draft, name: str, value: Any) -> Ruling:
    """The rule of ``broker_transport_options``. An option that is none of Celery's goes to the plugin as it is."""
    urls = broker_urls(draft.given)
    table = _BY_SCHEME.get(scheme_of(urls[0]) if urls else "amqp", {})
    rulings: dict[str, Ruling] = {}
    for key, item in mapping_of(name, value).items():
        rule = table.get(key)
        if rule is None:
            rule = (lambda *_: unsupported(_REMOVE)) if key in _OF_CELERY or key in _ANY else _same
        rulings[key] = rule(draft, key, item)
    draft.parts[name] = rulings
    return whole(rulings)
