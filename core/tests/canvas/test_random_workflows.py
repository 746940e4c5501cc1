"""Random workflows on a real worker mean what the interpreter says (pains P10)."""

import json
import re
import threading
import time
from collections import Counter
from typing import Any

import pytest
from canvas_interpreter import Chain, Chord, Failed, Group, Leaf, Ok, Outcome, digest, error_of, interpret
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import GroupResult, chain, chord, group
from kernel.contracts import Deadline

WAIT = 30
DEPTH = 5
_IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Stage:
    """An application whose tasks note what they do, and the kernel's answers for expressions."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.lock = threading.Lock()
        self.seen: dict[int, Outcome] = {}

        @app.task(name="leaf", bind=True, acks_late=True, max_retries=None, default_retry_delay=0)
        def leaf(self: Any, *args: Any, run: int, tag: int, fails: bool, retries: int) -> int:
            stage.note(run).runs[tag] += 1
            if self.request.retries < retries:
                raise self.retry(countdown=0)
            if fails:
                raise error_of(tag)
            return digest(tag, list(args))

        @app.task(name="errback")
        def errback(run: int, number: int, request: Any, exc: BaseException, traceback: Any) -> None:
            with stage.lock:
                stage.note(run).errbacks[number, shown(exc)] += 1

        @app.task(name="callback", acks_late=True)
        def callback(value: Any, run: int, number: int) -> None:
            with stage.lock:
                stage.note(run).callbacks[number, json.dumps(value)] += 1

        stage = self
        self.leaf, self.errback, self.callback = leaf, errback, callback

    def note(self, run: int) -> Outcome:
        return self.seen.setdefault(run, Outcome())

    def build(self, node: Any, run: int) -> Any:
        match node:
            case Leaf():
                named = {"run": run, "tag": node.tag, "fails": node.fails, "retries": node.retries}
                built: Any = self.leaf.signature((), named, immutable=node.immutable)
            case Chain():
                built = chain(*(self.build(step, run) for step in node.steps))
            case Group():
                built = group([self.build(member, run) for member in node.members])
            case Chord():
                built = chord([self.build(member, run) for member in node.header], self.build(node.body, run))
        if node.errback is not None:
            built.link_error(self.errback.s(run, node.errback))
        if node.callback is not None:
            built.link(self.callback.s(run, node.callback))
        return built

    def answer(self, expression: Any, run: int) -> Outcome:
        """What the worker makes of it, once nothing is left to do."""
        result = self.build(expression, run).apply_async()
        found = self.note(run)
        found.result = collected(result)
        self.drain()
        return self.seen.pop(run)

    def drain(self) -> None:
        """Wait until the broker has nothing left: every message of a task is settled after what it did."""
        if self.app.config.task_always_eager:
            return
        end = time.monotonic() + WAIT
        broker = self.app.client.services.broker
        while time.monotonic() < end:
            depth = broker.depth(["kernel"], Deadline.after(WAIT))["kernel"]
            if not (depth.ready or depth.in_flight or depth.delayed):
                return
            time.sleep(0.0005)
        raise AssertionError("messages were left over")


def shown(error: BaseException) -> str:
    return _IDS.sub("#", repr(error))


def collected(result: Any) -> Any:
    if isinstance(result, GroupResult):
        return [collected(member) for member in result.results]
    value = result.get(timeout=WAIT, propagate=False)
    return Failed(value) if result.failed() else Ok(value)


def comparable(outcome: Outcome) -> Any:
    def plain(result: Any) -> Any:
        if isinstance(result, list):
            return [plain(each) for each in result]
        return ("ok", result.value) if isinstance(result, Ok) else ("failed", shown(result.error))

    counted = [Counter({k: n for k, n in c.items() if n}) for c in (outcome.runs, outcome.errbacks, outcome.callbacks)]
    return plain(outcome.result), *counted


_ENDS = st.sampled_from([None, None, None, 0])
_LEAVES = st.builds(
    Leaf,
    tag=st.just(0),
    fails=st.sampled_from([False] * 7 + [True]),
    retries=st.sampled_from([0] * 6 + [1, 2]),
    immutable=st.sampled_from([False, False, False, True]),
    errback=_ENDS,
    callback=_ENDS,
)


@st.composite
def expressions(draw: Any) -> Any:
    """Trees of at most :data:`DEPTH`, with a tag for every task and a number for every callback."""
    return _numbered(_tree(draw, DEPTH))


def _tree(draw: Any, depth: int) -> Any:
    kind = draw(st.sampled_from(["leaf", "leaf", "chain", "group", "chord"] if depth > 1 else ["leaf"]))
    if kind == "leaf":
        return draw(_LEAVES)
    parts = tuple(_tree(draw, depth - 1) for _ in range(draw(st.integers(0, 3))))
    ends = {"errback": draw(_ENDS), "callback": draw(_ENDS)}
    if kind == "group":
        return Group(parts, **ends)
    if kind == "chain":
        return Chain((*parts, draw(_LEAVES)) if _empty(Chain(parts)) else parts, **ends)
    body = _tree(draw, depth - 1)
    return Chord(parts, draw(_LEAVES) if _empty(body) else body, **ends)


def _numbered(node: Any) -> Any:
    numbers = iter(range(1, 100_000))

    def number(node: Any) -> Any:
        ends = {key: next(numbers) for key in ("errback", "callback") if getattr(node, key) is not None}
        match node:
            case Leaf():
                return Leaf(next(numbers), node.fails, node.retries, node.immutable, **ends)
            case Chain():
                return Chain(tuple(map(number, node.steps)), **ends)
            case Group():
                return Group(tuple(map(number, node.members)), **ends)
        return Chord(tuple(map(number, node.header)), number(node.body), **ends)

    return number(node)


def _empty(node: Any) -> bool:
    match node:
        case Group():
            return all(map(_empty, node.members))
        case Chain():
            return all(map(_empty, node.steps))
    return False


@pytest.mark.parametrize(("store", "share"), [("memory", 0.5), ("sqlite", 0.3)])
def test_random_workflows_mean_what_the_interpreter_says(make_app, working, workflows, store, share) -> None:
    stage = Stage(make_app(store))
    working(stage.app)
    compare_workflows(stage, int(workflows * share))


def test_random_workflows_mean_the_same_in_eager_mode(make_app, workflows) -> None:
    """Here and now, with arguments through the serializer (features.md 2.2)."""
    compare_workflows(Stage(make_app(task_always_eager=True)), int(workflows * 0.2))


def compare_workflows(stage: Stage, count: int) -> None:
    runs = iter(range(10**9))

    @settings(
        max_examples=max(1, count),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(expressions())
    def compare(expression: Any) -> None:
        assert comparable(stage.answer(expression, next(runs))) == comparable(interpret(expression))

    compare()
