"""The hop budgets of architecture.md 3: publish at most 10 named hops, consume at most 16.

**A named hop** is a function or method that a reader has to follow, by name, to get from one end of the path to the
other. Mechanically, in the call tree of one real run:

1. The path has a first function and *stages*: the functions in which the steps of architecture.md 3 happen.
2. Every function between the first one and a stage is on the path, stages included. What a function on the path calls
   without reaching a stage (to compute a value, to read a setting) is its own business.
3. Of these, functions of `kernel` in app, runtime, engine and builtins are counted, each once, except dunder methods,
   properties, lambdas and comprehensions; private functions, which are details of the public one that calls them; and
   what a builtin plugin does inside itself: it is one hop, at the door where the kernel enters it.

Receiving, once for many, is a step of the loop itself: a task's path starts when the loop has its message.
"""

import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Self

import pytest

import kernel
from kernel import Kernel
from kernel.app.worker import Worker

ROOT = str(Path(kernel.__file__).parent) + "/"
COUNTED = ("app/", "runtime/", "engine/", "builtins/")


@dataclass
class Call:
    """One call in the tree; `name` is `module:Class.method`, such as `engine/codec:Codec.encode`."""

    name: str
    caller: str = ""
    calls: list["Call"] = field(default_factory=list)

    def walk(self) -> Iterator["Call"]:
        yield self
        for call in self.calls:
            yield from call.walk()


class Recorder:
    """Records every Python call of this thread, and of threads started meanwhile, as trees."""

    def __init__(self) -> None:
        self.roots: list[Call] = []
        self._stacks: dict[int, list[Call]] = {}

    def __enter__(self) -> Self:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _arg: Any) -> None:
        stack = self._stacks.setdefault(threading.get_ident(), [])
        if event == "call":
            call = Call(name_of(frame.f_code), stack[-1].name if stack else "")
            (stack[-1].calls if stack else self.roots).append(call)
            stack.append(call)
        elif event == "return" and stack:
            stack.pop()


def name_of(code: CodeType) -> str:
    return f"{code.co_filename.removeprefix(ROOT).removesuffix('.py')}:{code.co_qualname}"


def on_path(call: Call, stages: Sequence[str]) -> list[Call]:
    """The calls from `call` down to every stage, stages included."""
    below = [found for child in call.calls for found in on_path(child, stages)]
    return [call, *below] if below or call.name in stages else []


def is_property(name: str) -> bool:
    """Whether a method is a property, looked up where it is defined."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(f"kernel.{module.replace('/', '.')}")
    for part in path.split("."):
        found = vars(found).get(part) if found is not None else None
    return isinstance(found, property)


def counted(call: Call) -> bool:
    """Rule 3."""
    name = call.name
    last = name.rpartition(".")[2].rpartition(":")[2]
    if name.startswith("builtins/") and call.caller.startswith("builtins/"):
        return False
    return (
        name.startswith(COUNTED)
        and not last.startswith(("_", "<"))
        and "<locals>" not in name
        and not is_property(name)
    )


def hops(roots: Sequence[Call], stages: Sequence[str]) -> list[str]:
    """The named hops in the order in which they are first met."""
    calls = (call for root in roots for call in on_path(root, stages))
    return list(dict.fromkeys(call.name for call in calls if counted(call)))


def missing(roots: Sequence[Call], stages: Sequence[str]) -> list[str]:
    """The stages that were not seen at all: one that was renamed must not silently shorten the path."""
    seen = {call.name for root in roots for call in root.walk()}
    return [stage for stage in stages if stage not in seen]


def record(action: Callable[[], object]) -> list[Call]:
    """The call trees of `action`."""
    with Recorder() as recorder:
        action()
    return recorder.roots


FIRST = (
    "engine/routing:RouteResolver.resolve",
    "engine/message_parts:build_headers",
    "engine/message_parts:build_body",
    "engine/codec:Codec.encode",
    "builtins/memory/broker:MemoryBroker.publish",
)
"""The first call of a task, whose message is worked out."""
PUBLISH = (
    "engine/outline:Outline.headers_of",
    "engine/outline:Outline.message",
    "engine/codec:Codec.encode",
    "builtins/memory/broker:MemoryBroker.publish",
)
"""Every other call that says nothing about how it is sent."""
LOOP = "runtime/consumer:ConsumerLoop.turn"
CONSUME = (
    "engine/admit:admit",
    "builtins/pools/solo:SoloPool.submit",
    "engine/codec:Codec.decode",
    "engine/attempt:attempt",
    "engine/plan:plan",
    "runtime/commit:Committer.commit",
    "builtins/memory/backend:MemoryBackend.store",
    "builtins/memory/consumer:MemoryConsumer.settle",
)


@contextmanager
def fresh_app() -> Iterator[Kernel]:
    url = f"memory://{uuid.uuid4().hex}"
    app = Kernel("hops", broker=url, backend=url, set_as_current=False)
    yield app
    app.close()


def publishing(times: int) -> list[Call]:
    """The call trees of the `delay()` after so many of the same task."""
    with fresh_app() as app:

        @app.task
        def nothing() -> None: ...

        @app.task
        def other() -> None: ...

        other.delay()  # what happens once per process is no part of the path
        for _ in range(times):
            nothing.delay()
        return record(nothing.delay)


def consuming(late: bool) -> list[Call]:
    """The call trees of the turns of a node that runs two tasks that do nothing, and one that stops it."""
    with fresh_app() as app:

        @app.task(acks_late=late)
        def nothing() -> None: ...

        @app.task(acks_late=late)
        def stop() -> None:
            worker.stop()

        worker = Worker(app, pool="solo", heartbeat=False)
        for task in (nothing, nothing, stop):
            task.delay()
        recorded = record(lambda: worker.start(signals=False))
    return [call for root in recorded for call in root.walk() if call.name == LOOP]


SCENARIOS: dict[str, tuple[Callable[[], list[Call]], Sequence[str]]] = {
    "publish": (lambda: publishing(1), PUBLISH),
    "publish first": (lambda: publishing(0), FIRST),
    "early ack": (lambda: consuming(late=False), CONSUME),
    "late ack": (lambda: consuming(late=True), CONSUME),
}


def within(budget: int, found: Sequence[str], missed: Sequence[str]) -> Sequence[str]:
    """The hops, when all stages were reached and the budget is kept."""
    assert not missed, f"the steps of architecture.md 3 happen elsewhere now: name them here instead of {missed}"
    assert len(found) <= budget, f"{len(found)} named hops, {budget} are allowed:\n" + "\n".join(found)
    return found


def measured(scenario: str) -> tuple[list[str], list[str]]:
    """Hops and missed stages of a scenario, recorded in a process of its own: a profile function sees all of it."""
    command = [sys.executable, __file__, scenario]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found, missed = json.loads(done.stdout)
    return found, missed


@pytest.mark.parametrize("scenario", ["publish", "publish first"])
def test_publish_is_at_most_ten_hops(scenario: str) -> None:
    assert within(10, *measured(scenario))[0] == "app/task:Task.delay"


@pytest.mark.parametrize("scenario", ["early ack", "late ack"])
def test_consume_is_at_most_sixteen_hops(scenario: str) -> None:
    assert within(16, *measured(scenario))[0] == LOOP


def tree(name: str, *calls: Call, caller: str = "") -> Call:
    for call in calls:
        call.caller = name
    return Call(name, caller, list(calls))


def test_the_count_notices_one_hop_more() -> None:
    stage = "engine/routing:RouteResolver.resolve"
    direct = tree("app/task:Task.delay", tree(stage))
    longer = tree("app/task:Task.delay", tree("runtime/extra:Extra.step", tree(stage)))
    assert (len(hops([direct], [stage])), len(hops([longer], [stage]))) == (2, 3)


def test_what_is_not_counted() -> None:
    stage = "engine/codec:Codec.encode"
    path = tree(
        "app/task:Task.delay",
        tree("runtime/publisher:Publisher._parcels", tree("runtime/boot:Services.publisher", tree(stage))),
        tree("app/task_calls:make_call"),  # reaches no stage
        tree("builtins/pools/solo:SoloPool.submit", tree("builtins/pools/commits:run_safely", tree(stage))),
    )
    assert hops([path], [stage]) == ["app/task:Task.delay", stage, "builtins/pools/solo:SoloPool.submit"]


def test_a_stage_that_moved_is_noticed() -> None:
    with pytest.raises(AssertionError, match="happen elsewhere"):
        within(10, ["app/task:Task.delay"], missing([tree("app/task:Task.delay")], ["engine/codec:Codec.encode"]))


if __name__ == "__main__":
    action, stages = SCENARIOS[sys.argv[1]]
    roots = action()
    print(json.dumps([hops(roots, stages), missing(roots, stages)]))
