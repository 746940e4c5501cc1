"""The rules beside ``router = "sharded"``, read and checked at start-up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kernel.errors import ImproperlyConfigured
from kernel.errors.near import did_you_mean
from plugin_router_sharded.paths import Path

KEYS = ("key", "missing", "percent", "queues", "tasks")
MISSING = ("fallthrough", "error")
_LIGHTEST = 100
_WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What they say.

    Attributes:
        tasks: names and globs of the tasks they are about; None for all.
        paths: where the key may stand; the first that is there counts.
        queues: queue → weight, on the ring; empty when only percentages are given.
        percent: queue → percentage of the keys, in their order.
        strict: whether a call without a key is an error.
    """

    tasks: tuple[str, ...] | None
    paths: tuple[Path, ...]
    queues: Mapping[str, float]
    percent: Mapping[str, float]
    strict: bool


def read_rules(given: object) -> Rules:
    """Read them.

    Raises:
        ImproperlyConfigured: for anything that cannot work, in one line.
    """
    if not isinstance(given, Mapping):
        raise wrong(f"rules must be a mapping, not {given!r:.80}", "Write {'router': 'sharded', 'queues': [...]}.")
    for key in given:
        if key not in KEYS:
            advice = did_you_mean(str(key), KEYS)
            raise wrong(f"there is no rule {key!r:.80}", f"{advice} Its rules are {', '.join(KEYS)}.".strip())
    if not given.get("queues") and not given.get("percent"):
        raise wrong("there are no queues", "Give 'queues', as in ['q-0', 'q-1'], or 'percent', as in {'canary': 5}.")
    missing = given.get("missing", MISSING[0])
    if missing not in MISSING:
        raise wrong(f"missing is {missing!r:.80}", "It must be 'fallthrough' (the default) or 'error'.")
    return Rules(
        tasks=_texts(given["tasks"], "tasks") if "tasks" in given else None,
        paths=tuple(_path(text) for text in _texts(given.get("key", "id"), "key")),
        queues=_weights(given.get("queues") or ()),
        percent=_percent(given.get("percent") or {}),
        strict=missing == "error",
    )


def wrong(what: str, cure: str) -> ImproperlyConfigured:
    """The error of every rule."""
    return ImproperlyConfigured(f"task_routes, router 'sharded': {what}", cure=cure)


def _texts(value: object, rule: str) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise wrong(f"{rule} is {value!r:.80}", "It must be a text, or a list of texts that is not empty.")
    return tuple(texts)


def _path(text: str) -> Path:
    try:
        return Path(text)
    except ValueError as exc:
        raise wrong(f"key {exc}", "A path starts with args, kwargs or headers, or is id or task.") from None


def _weights(value: object) -> Mapping[str, float]:
    if isinstance(value, Mapping):
        weights = _shares(value, "queues", "A weight must be a number above 0.")
        if weights and max(weights.values()) > _LIGHTEST * min(weights.values()):
            raise wrong(
                f"the weights of queues go from {min(weights.values())!r} to {max(weights.values())!r}",
                f"They may differ {_LIGHTEST} times at most; for a small share of the calls use 'percent'.",
            )
        return weights
    names = _texts(value, "queues") if value else ()
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise wrong(f"queues has {twice[0]!r} twice", "Name it once; for a larger share give it a weight.")
    return dict.fromkeys(names, 1.0)


def _percent(value: object) -> Mapping[str, float]:
    cure = "A percentage must be a number above 0."
    if not isinstance(value, Mapping):
        raise wrong(
            f"percent is {value!r:.80}", "It must be a mapping from queues to percentages, as in {'canary': 5}."
        )
    shares = _shares(value, "percent", cure)
    total = math.fsum(shares.values())
    if total > _WHOLE:
        raise wrong(f"the percentages make {total:g}", "Together they may be 100 at most.")
    return shares


def _shares(value: Mapping[object, object], rule: str, cure: str) -> Mapping[str, float]:
    shares: dict[str, float] = {}
    for queue, share in value.items():
        if not isinstance(queue, str) or not queue:
            raise wrong(f"{rule} has the queue {queue!r:.80}", "A queue is named by a text.")
        if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 < share < math.inf:
            raise wrong(f"{rule} gives {queue!r} {share!r:.80}", cure)
        shares[queue] = float(share)
    return shares
