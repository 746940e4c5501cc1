"""Commands of remote control that tell something (wire.md 12)."""

import os
import resource
import time
from collections.abc import Iterable, Sequence
from typing import Any

from kernel.model.masking import mask_text
from kernel.runtime.panel import inspect_command
from kernel.runtime.panel_state import PanelState
from kernel.runtime.queue_info import queue_info
from kernel.runtime.report import report_facts, report_text

DEFAULT_TASK_INFO = ("exchange", "routing_key", "rate_limit")
_BUILT_IN = ("celery.", "kernel.")
_YES = frozenset({"1", "true", "yes", "on"})


def is_yes(text: str) -> bool:
    """Whether a word of the command line means yes."""
    return text.strip().lower() in _YES


@inspect_command(default_timeout=0.2)
def ping(_state: PanelState, **_rest: Any) -> dict[str, str]:
    """Answer, as a sign of life."""
    return {"ok": "pong"}


@inspect_command()
def clock(state: PanelState, **_rest: Any) -> dict[str, int]:
    """The logical clock."""
    return {"clock": state.parts.services.clock.value}


@inspect_command(visible=False)
def hello(
    state: PanelState, from_node: str, revoked: Iterable[str] | None = None, **_rest: Any
) -> dict[str, Any] | None:
    """A neighbour starts: it tells which ids it knows as revoked, and is told those known here."""
    if from_node == state.hostname:
        return None
    parts = state.parts
    parts.revoking.merge(revoked or ())
    return {"revoked": parts.revoking.revoked.known(), "clock": parts.services.clock.forward()}


@inspect_command(alias="dump_active")
def active(state: PanelState, safe: bool = False, **_rest: Any) -> list[dict[str, Any]]:
    """Tasks that run."""
    return [info for kind, info in _held(state, safe=safe) if kind == "active"]


@inspect_command(alias="dump_reserved")
def reserved(state: PanelState, safe: bool = False, **_rest: Any) -> list[dict[str, Any]]:
    """Tasks that were received and wait for an executor."""
    return [info for kind, info in _held(state, safe=safe) if kind == "reserved"]


@inspect_command(alias="dump_schedule")
def scheduled(state: PanelState, safe: bool = False, **_rest: Any) -> list[dict[str, Any]]:
    """Tasks that wait in the worker for their ETA or their turn; most wait in the broker instead."""
    return list(_scheduled(state, safe=safe))


@inspect_command(variadic="ids", signature="[id1 [id2 [... [idN]]]]")
def query_task(state: PanelState, ids: str | Sequence[str], **_rest: Any) -> dict[str, Any]:
    """Where these tasks are in the worker: active, reserved or scheduled."""
    wanted = {ids} if isinstance(ids, str) else set(ids)
    found = {info["id"]: [kind, info] for kind, info in _held(state, safe=False) if info["id"] in wanted}
    waiting = (each["request"] for each in _scheduled(state, safe=False))
    return {**{info["id"]: ["scheduled", info] for info in waiting if info["id"] in wanted}, **found}


@inspect_command(alias="dump_revoked")
def revoked(state: PanelState, **_rest: Any) -> list[str]:
    """Ids of revoked tasks."""
    return state.parts.revoking.revoked.known()


@inspect_command(alias="dump_tasks", variadic="taskinfoitems", signature="[attr1 [attr2 [... [attrN]]]]")
def registered(
    state: PanelState, taskinfoitems: Sequence[str] | None = None, builtins: bool = False, **_rest: Any
) -> list[str]:
    """Registered tasks, with some of their attributes."""
    wanted = [
        name for name in taskinfoitems or DEFAULT_TASK_INFO if isinstance(name, str) and name[:1] not in {"", "_"}
    ]
    tasks = {name: task for name, task in state.app.tasks.items() if builtins or not name.startswith(_BUILT_IN)}
    return [_described(name, tasks[name], wanted) for name in sorted(tasks)]


@inspect_command()
def stats(state: PanelState, **_rest: Any) -> dict[str, Any]:
    """Figures of the worker."""
    parts = state.parts
    url = parts.services.broker_url
    pool = parts.pool.stats()
    return {
        "total": parts.desk.ledger.done.copy(),
        "pid": os.getpid(),
        "clock": str(parts.services.clock.value),
        "uptime": round(time.time() - parts.began),
        "pool": pool,
        "broker": {
            "transport": url.partition(":")[0],
            "uri": mask_text(url, secret=True),
        },
        "prefetch_count": parts.reserve.value,
        "rusage": _rusage(),
    }


@inspect_command()
def active_queues(state: PanelState, **_rest: Any) -> list[dict[str, Any]]:
    """Queues it consumes."""
    return [queue_info(spec) for spec in state.parts.desk.link.queues]


@inspect_command(alias="dump_conf", args=[("with_defaults", is_yes)], signature="[include_defaults=False]")
def conf(state: PanelState, with_defaults: bool = False, **_rest: Any) -> dict[str, Any]:
    """The settings, passwords masked."""
    return {name: plain(value) for name, value in state.app.conf.table(with_defaults=with_defaults).items()}


@inspect_command()
def report(state: PanelState, **_rest: Any) -> dict[str, str]:
    """Versions, platform and settings, for whoever is to help."""
    return {"ok": report_text(report_facts(state.app.conf.table()))}


@inspect_command()
def memsample(_state: PanelState, **_rest: Any) -> str:
    """The memory the worker's main process occupies now."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no file of anybody's
        pages = int(file.read().split()[1])
    return f"{pages * resource.getpagesize() / 2**20:.1f}MB"


def plain(value: Any) -> Any:
    """A setting's value as any serializer can carry it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value - value == 0 else repr(value)
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
    return repr(value)


def _held(state: PanelState, *, safe: bool) -> list[tuple[str, dict[str, Any]]]:
    """What the pool has, each ``active`` or ``reserved``."""
    parts = state.parts
    running = {each.tag: each for each in parts.pool.running()}
    return [
        (
            "active" if entry.tag in running else "reserved",
            parts.infos.of_entry(entry, running.get(entry.tag), safe=safe),
        )
        for entry in parts.desk.ledger
    ]


def _scheduled(state: PanelState, *, safe: bool) -> Iterable[dict[str, Any]]:
    infos = state.parts.infos
    for due, _, delivery in state.parts.desk.waiting.look():
        headers = delivery.message.headers or {}
        eta = headers.get("eta") or time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(due))
        yield {
            "eta": eta,
            "priority": delivery.message.priority or 0,
            "request": infos.of_delivery(delivery, headers, safe=safe),
        }


def _described(name: str, task: Any, wanted: Sequence[str]) -> str:
    fields = [f"{item}={value}" for item in wanted if (value := getattr(task, item, None)) is not None]
    return f"{name} [{' '.join(fields)}]" if fields else name


def _rusage() -> dict[str, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    names = [name for name in dir(usage) if name.startswith("ru_")]
    return {name.removeprefix("ru_"): getattr(usage, name) for name in names}
