"""One entry of ``task_queues`` as a QueueSpec: a name, a mapping, a QueueSpec, or a queue object of another library."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, get_args

from kernel.errors import ImproperlyConfigured
from kernel.errors.near import did_you_mean
from kernel.model.topology import Binding, Exchange, ExchangeType, QueueSpec

_FIELDS = frozenset(field.name for field in fields(QueueSpec))
_KEYS = _FIELDS | {"exchange_type", "queue_arguments"}
_TYPES: tuple[str, ...] = get_args(ExchangeType)
_FOREIGN = {
    "name": "name",
    "exchange": "exchange",
    "routing_key": "routing_key",
    "bindings": "bindings",
    "durable": "durable",
    "exclusive": "temporary",
    "auto_delete": "auto_delete",
    "max_priority": "max_priority",
    "message_ttl": "ttl_s",
    "expires": "expires_s",
    "queue_arguments": "arguments",
}
"""Attributes of a ``kombu.Queue`` and the like, and the fields they fill."""

_ARGUMENTS = {"x-max-priority": ("max_priority", 1), "x-message-ttl": ("ttl_s", 1000), "x-expires": ("expires_s", 1000)}
"""Arguments that have a field of their own, with the divisor that turns their unit into the field's."""

_NONE = type(None)
_SECONDS: tuple[tuple[type, ...], str] = ((int, float, _NONE), "seconds, or None")
_COUNT: tuple[tuple[type, ...], str] = ((int, _NONE), "a whole number, or None")
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "routing_key": ((str,), "a str"),
    "dead_letter": ((str, _NONE), "the name of a queue, or None"),
    "durable": ((bool,), "true or false"),
    "temporary": ((bool,), "true or false"),
    "auto_delete": ((bool,), "true or false"),
    "max_priority": _COUNT,
    "delivery_limit": _COUNT,
    "ttl_s": _SECONDS,
    "expires_s": _SECONDS,
    "lease_s": _SECONDS,
}


def read_queue(entry: object) -> QueueSpec:
    """Understand one entry; unset fields keep the defaults of QueueSpec.

    Raises:
        ImproperlyConfigured: for an entry without a name, an unknown key, or a value of a wrong kind.
    """
    if isinstance(entry, QueueSpec):
        return _named(entry)
    if isinstance(entry, str):
        return _named(QueueSpec(entry))
    if isinstance(entry, Mapping):
        return _from_mapping(entry)
    found = {key: getattr(entry, attribute, None) for attribute, key in _FOREIGN.items()}
    if not isinstance(found["name"], str):
        raise ImproperlyConfigured(
            f"task_queues has an entry that is no queue: {entry!r:.80}",
            cure="Give a name, a mapping with a name, or a Queue.",
        )
    return _from_mapping({key: value for key, value in found.items() if value is not None})


def read_exchange(value: object, kind: object = None) -> Exchange:
    """An exchange given by name, as a mapping, or as an object with ``name`` and ``type``.

    Args:
        value: the exchange; None is the default exchange.
        kind: its type, when ``value`` does not say; None is direct.

    Raises:
        ImproperlyConfigured: for an unknown type.
    """
    if isinstance(value, Exchange):
        return value
    facts: Mapping[str, object]
    if value is None or isinstance(value, str):
        facts = {"name": value}
    elif isinstance(value, Mapping):
        facts = value
    else:
        facts = {key: getattr(value, key, None) for key in ("name", "type", "durable")}
    name, type_ = facts.get("name") or "", facts.get("type") or kind or "direct"
    if not isinstance(name, str):
        raise ImproperlyConfigured(f"The name of an exchange must be a str, not {name!r:.80}")
    for known in get_args(ExchangeType):
        if known == type_:
            return Exchange(name, known, durable=facts.get("durable") is not False)
    raise ImproperlyConfigured(
        f"Exchange {name!r} has the unknown type {type_!r}", cure=f"Known are {', '.join(_TYPES)}."
    )


def _from_mapping(entry: Mapping[Any, Any]) -> QueueSpec:
    found = dict(entry)
    for key in found:
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS) or f"Known are {', '.join(sorted(_KEYS))}."
            raise ImproperlyConfigured(f"Queue {found.get('name')!r} has the unknown key {key!r}", cure=hint)
    found["exchange"] = read_exchange(found.get("exchange"), found.pop("exchange_type", None))
    found["bindings"] = tuple(_bindings(found.get("bindings") or ()))
    found["routing_key"] = found.get("routing_key") or ""
    arguments = {**(found.pop("queue_arguments", None) or {}), **(found.get("arguments") or {})}
    for argument, (name, divisor) in _ARGUMENTS.items():
        if isinstance(arguments.get(argument), (int, float)) and found.get(name) is None:
            value = arguments.pop(argument)
            found[name] = value if divisor == 1 else value / divisor
    found["arguments"] = arguments
    for key, value in found.items():
        if key in _KINDS:
            _check_kind(found.get("name"), key, value)
    return _named(QueueSpec(**{"name": "", **found}))


def _check_kind(queue: object, key: str, value: object) -> None:
    kinds, expected = _KINDS[key]
    fine = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
    if not fine or (isinstance(value, (int, float)) and value < 0):
        raise ImproperlyConfigured(f"{key} of queue {queue!r} must be {expected}, not {value!r:.80}")


def _bindings(entries: Iterable[object]) -> Iterable[Binding]:
    for entry in entries:
        if isinstance(entry, Binding):
            yield entry
        elif isinstance(entry, Mapping):
            yield Binding(read_exchange(entry.get("exchange")), str(entry.get("routing_key") or ""))
        else:
            yield Binding(read_exchange(getattr(entry, "exchange", None)), getattr(entry, "routing_key", None) or "")


def _named(spec: QueueSpec) -> QueueSpec:
    if not isinstance(spec.name, str) or not spec.name:
        raise ImproperlyConfigured(
            f"task_queues has a queue without a name: {spec.name!r}", cure="Give every queue a name."
        )
    return spec
