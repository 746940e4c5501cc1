"""What becomes of Celery's settings about tasks, queues, workers and programs."""

import logging
from collections.abc import Mapping
from typing import Any

from plugin_compat_celery.adapter.alias import ALIAS, PACKAGE
from plugin_compat_celery.adapter.configuration.broker_options import options
from plugin_compat_celery.adapter.configuration.decisions import Draft, Rule, Ruling, taken, translated, unsupported
from plugin_compat_celery.adapter.configuration.rules import (
    built_in,
    built_in_for,
    number_of_text,
    same,
    spelled,
    zero_is_none,
)

_POOLS: Mapping[str, str] = {
    "processes": "prefork",
    "celery.concurrency.prefork:TaskPool": "prefork",
    "celery.concurrency.thread:TaskPool": "threads",
    "celery.concurrency.solo:TaskPool": "solo",
}
_NO_POOL = "Coroutines have pool 'async', blocking functions 'threads'; green threads and pool classes are not loaded."
_QUORUM, _CLASSIC = "quorum", "classic"
_TYPE, _MISSING = "task_default_queue_type", "task_create_missing_queue_type"
_RESERVES = "A node reserves only what free slots take; short tasks are handed out in batches by measured run time."
_CLASSES = "Parts of a worker are not classes named by a setting; plugins take their place."


def queues(draft: Draft, name: str, value: Any) -> Ruling:
    """``task_queues``: a list of queues, or the older mapping from names to their parts."""
    if not isinstance(value, Mapping):
        return same(draft, name, tuple(value) if value is not None else None)
    draft.settings[name] = tuple(_queue(each, parts or {}) for each, parts in value.items())
    return translated("A list of queues, each with its name.")


def _queue(name: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the mapping; ``binding_key`` was the routing key's name in a queue."""
    found = {key: value for key, value in parts.items() if key != "binding_key"}
    if "binding_key" in parts:
        found.setdefault("routing_key", parts["binding_key"])
    return {"name": name, **found}


def queue_types(draft: Draft, name: str, _value: Any) -> Ruling:
    """The two settings about queue types: one for all is a setting, one for the default queue an argument of it."""
    given = draft.given
    default, missing = given.get(_TYPE) or _CLASSIC, given.get(_MISSING) or _CLASSIC
    if default == missing:
        if default != _CLASSIC:
            draft.settings[_TYPE] = default
        return taken() if name == _TYPE else translated(f"{_TYPE}: all queues are of one type.")
    if missing == _CLASSIC and not given.get("task_queues"):
        queue = given.get("task_default_queue") or "celery"
        draft.settings["task_queues"] = ({"name": queue, "arguments": {"x-queue-type": default}},)
        return translated("An argument of the default queue, in task_queues.")
    return unsupported("All queues that are made on the fly have one type; give others x-queue-type in task_queues.")


def zone(draft: Draft, name: str, value: Any) -> Ruling:
    """A time zone by its name, or as an object."""
    if value is None or isinstance(value, str):
        return same(draft, name, value)
    key = getattr(value, "key", None) or getattr(value, "zone", None) or str(value)
    draft.settings[name] = key
    return translated(f"By its name, {key!r}.")


def level(draft: Draft, name: str, value: Any) -> Ruling:
    """A log level by its name in upper case."""
    word = logging.getLevelName(value) if isinstance(value, int) else str(value).upper()
    draft.settings[name] = word
    return taken() if word == value else translated(f"By its name, {word!r}.")


def pool(draft: Draft, name: str, value: Any) -> Ruling:
    """The pool, by a name that both have."""
    word = _POOLS.get(value, value) if isinstance(value, str) else None
    if word not in {"prefork", "threads", "solo", "async"}:
        return unsupported(_NO_POOL)
    draft.settings[name] = word
    return taken() if word == value else translated(f"Its name here is {word!r}.")


def concurrency(draft: Draft, name: str, value: Any) -> Ruling:
    """How many; 0 and nothing are the number of CPUs."""
    if value in (0, "0"):
        draft.settings[name] = None
        return translated("0 is written as None: the number of CPUs.")
    return number_of_text(draft, name, value)


def lost(draft: Draft, _name: str, value: Any) -> Ruling:
    """``task_retry_on_worker_lost``: here the message itself is delivered again."""
    if not value:
        return translated("task_reject_on_worker_lost says what happens.")
    draft.settings["task_reject_on_worker_lost"] = True
    return translated("task_reject_on_worker_lost: the message is delivered again, at most task_delivery_limit times.")


def reject(draft: Draft, name: str, value: Any) -> Ruling:
    """None follows the kernel's default, which is on."""
    if value is None:
        return translated("None leaves the default, which is on: what a dead executor had is delivered again.")
    draft.settings[name] = spelled(name, value)
    return taken()


def no_prefetch(draft: Draft, _name: str, value: Any) -> Ruling:
    """``worker_disable_prefetch``: nothing waits in a process."""
    if value:
        draft.settings["worker_handout_max"] = 1
        return translated("worker_handout_max = 1: an executor gets one task at a time.")
    return translated(_RESERVES)


def scheduler(draft: Draft, name: str, value: Any) -> Ruling:
    """A class, or the text that names one: those of Celery are those of this package, whatever ``celery`` means."""
    if not isinstance(value, str) or not value.startswith(f"{ALIAS}."):
        return same(draft, name, value)
    draft.settings[name] = PACKAGE + value.removeprefix(ALIAS)
    return translated("The class of that name in plugin_compat_celery.")


RULES: Mapping[str, Rule] = {
    "beat_scheduler": scheduler,
    "broker_transport_options": options,
    "broker_failover_strategy": built_in_for(
        (None, "round-robin"),
        "Several URLs are tried in turn, beginning with the one that answered last.",
        "Several URLs are tried in turn: put them into the order that is wanted.",
    ),
    "broker_heartbeat_checkrate": built_in("A thread of the plugin watches heartbeats."),
    "broker_channel_error_retry": built_in("Whatever error a connection ends by, it is made again."),
    "broker_pool_limit": zero_is_none,
    "task_queues": queues,
    _TYPE: queue_types,
    _MISSING: queue_types,
    "task_create_missing_queue_exchange_type": built_in_for(
        (None, "direct"),
        "Always so.",
        "Queues made on the fly hang on direct exchanges: declare others in task_queues.",
    ),
    "task_reject_on_worker_lost": reject,
    "task_retry_on_worker_lost": lost,
    "task_remote_tracebacks": built_in_for(
        (False,), "Tracebacks are texts.", "An AsyncResult has the worker's traceback as text: remove it."
    ),
    "task_time_limit": zero_is_none,
    "task_soft_time_limit": zero_is_none,
    "timezone": zone,
    "worker_agent": built_in_for((None,), "There is none.", _CLASSES),
    "worker_autoscaler": built_in_for(("celery.worker.autoscale:Autoscaler",), _CLASSES, _CLASSES),
    "worker_consumer": built_in_for(("celery.worker.consumer:Consumer",), _CLASSES, _CLASSES),
    "worker_timer": built_in_for((None,), "The node has its own.", _CLASSES),
    "worker_timer_precision": built_in("The node sleeps until something is due, to the millisecond."),
    "worker_pool": pool,
    "worker_pool_putlocks": built_in(_RESERVES),
    "worker_concurrency": concurrency,
    "worker_max_tasks_per_child": zero_is_none,
    "worker_max_memory_per_child": zero_is_none,
    "worker_prefetch_multiplier": built_in(_RESERVES),
    "worker_disable_prefetch": no_prefetch,
    "worker_enable_prefetch_count_reduction": built_in(_RESERVES),
    "worker_eta_task_limit": built_in("Brokers keep delayed messages; a worker holds none that is far off."),
    "worker_detect_quorum_queues": built_in("A consumer bounds what it holds by itself, whatever its queues are."),
    "worker_deduplicate_successful_tasks": built_in_for(
        (False,),
        "A stored success is never overwritten; a redelivered task runs again.",
        "A stored success is never overwritten, but a redelivered task runs again: make it idempotent.",
    ),
    "worker_cancel_long_running_tasks_on_connection_loss": built_in_for(
        (False,),
        "A running task goes on when the broker is lost.",
        "A running task goes on when the broker is lost; when its lease ended, its acknowledgement is refused.",
    ),
    "worker_direct": built_in_for((False,), "There is none.", "Start the worker with -Q and a queue of its own."),
    "worker_redirect_stdouts_level": level,
    "result_backend_max_retries": same,
}
