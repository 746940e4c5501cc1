"""What follows a success, as calls to publish: callbacks, the next step of a chain (features.md 1.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, cast
from uuid import NAMESPACE_OID, uuid4, uuid5

from kernel.engine.launch import Launch, call_options
from kernel.errors import Ignore
from kernel.model.call import Call
from kernel.model.canvas import Expected, ResultForm, freeze, result_form
from kernel.model.context import Request
from kernel.model.nodes import Node, read_node
from kernel.model.options import CallOptions
from kernel.model.tail import Tail, attach

_RENAMED = {"group": "group_id"}


@dataclass(frozen=True, slots=True)
class Following:
    """What follows a success.

    Attributes:
        calls: to be published now: the callbacks in order, then the next step of the chain.
        joins: chords among them, to be announced before.
        children: the results of what follows, as they travel (wire.md 3).
    """

    calls: tuple[Call, ...] = ()
    joins: tuple[Expected, ...] = ()
    children: tuple[ResultForm, ...] = ()


NOTHING = Following()


def after_success(request: Request, value: object) -> Following:
    """What follows a task that returned ``value``, each with it as the first argument.

    Raises:
        InvalidTaskError: for a callback that cannot be understood.
    """
    if not (request.callbacks or request.chain):
        return NOTHING
    nodes = [read_node(callback) for callback in request.callbacks or ()]
    if request.chain:
        *rest, step = request.chain  # stored in reverse order (wire.md 1.3)
        nodes.append(attach(read_node(step), Tail(chain=tuple(reversed(rest)))))
    return launched(nodes, (value,), request)


def launched(nodes: Sequence[Node], args: Sequence[Any], request: Request, seed: str | None = None) -> Following:
    """What it takes to start nodes as children of ``request``. Ids they lack depend on nothing but ``seed``, by default
    its id, and their place: a run that is repeated sends the same messages again, not others.
    """
    new_id = following_ids(seed or request.id or "")
    launch = Launch(lambda node: call_of(node, request))
    for node in nodes:
        freeze(node, new_id)
        launch.start(node, args)
    return Following(tuple(launch.calls), tuple(launch.joins), tuple(map(result_form, nodes)))


def following_ids(task_id: str) -> Callable[[], str]:
    """Ids for what follows a task: the same ones each time."""
    numbers = count()
    return lambda: str(uuid5(NAMESPACE_OID, f"{task_id} {next(numbers)}"))


def call_of(node: Node, request: Request) -> Call:
    """One task's node as a call whose parent is ``request``."""
    options = {_RENAMED.get(key, key): value for key, value in call_options(node["options"]).items()}
    task_id = str(options.pop("task_id", None) or uuid4())
    options["root_id"] = request.root_id or request.id
    options["parent_id"] = request.id
    options["add_to_parent"] = False
    if request.reply_to is not None:  # whoever waits for the workflow waits for this step too
        options.setdefault("reply_to", request.reply_to)
    return Call(node["task"], tuple(node["args"]), node["kwargs"], task_id, cast(CallOptions, options))


class ReplacedBy(Ignore):
    """Ends a run whose task put others in its place (features.md 2.1); they are sent when the run is committed."""

    calls: tuple[Call, ...] = ()
    joins: tuple[Expected, ...] = ()
