"""What follows a task: callbacks, the next step of a chain, and errbacks, as calls to publish (features.md 1.2)."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from kernel.engine.attempt import RunnableTask
from kernel.errors import InvalidTaskError
from kernel.model.call import Call
from kernel.model.context import Request
from kernel.model.options import CallOptions
from kernel.model.signature import SignatureDict, read_signature, with_partial

_RENAMED = {"group": "group_id"}
_CHAIN_TASKS = ("kernel.chain", "celery.chain")
_GROUP_TASKS = ("kernel.group", "celery.group")


@dataclass(frozen=True, slots=True)
class DirectErrback:
    """An errback called in the failing executor as ``(*args, request, exc, traceback)`` (features.md 1.2)."""

    task: RunnableTask
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Errbacks:
    """The two ways errbacks are run."""

    direct: tuple[DirectErrback, ...] = ()
    calls: tuple[Call, ...] = ()


NO_ERRBACKS = Errbacks()


def calls_after_success(request: Request, value: object) -> list[Call]:
    """The callbacks in order, then the next step of the chain, each with ``value`` as its first argument.

    Raises:
        InvalidTaskError: for a callback that cannot be understood or run by this version.
    """
    calls: list[Call] = []
    for callback in request.callbacks or ():
        calls += expand(with_partial(read_signature(callback), (value,)), request)
    if request.chain:
        *rest, step = request.chain  # stored in reverse order (wire.md 1.3)
        signature = with_partial(read_signature(step), (value,))
        following = {"chain": rest} if rest else {}
        calls += expand({**signature, "options": {**signature["options"], **following}}, request)
    return calls


def errbacks_of(request: Request, tasks: Mapping[str, RunnableTask]) -> Errbacks:
    """The errbacks of a failed task, sorted into direct calls and tasks that get the failed id.

    Raises:
        InvalidTaskError: for an errback that cannot be understood.
    """
    if not request.errbacks:
        return NO_ERRBACKS
    direct: list[DirectErrback] = []
    calls: list[Call] = []
    for value in request.errbacks:
        signature = read_signature(value)
        stored = tuple(signature["args"])
        task = tasks.get(signature["task"])
        if task is not None and takes_failure(task, len(stored)):
            direct.append(DirectErrback(task, stored))
        else:
            calls += expand(with_partial(signature, (request.id,)), request)
    return Errbacks(tuple(direct), tuple(calls))


def takes_failure(task: RunnableTask, stored: int) -> bool:
    """Whether an errback has the form ``f(*stored, request, exc, traceback)``, decided by its shape."""
    if getattr(task, "bind", False):
        return False
    try:
        parameters = inspect.signature(task.body).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return False
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    return len(positional) - stored > 1


def expand(signature: SignatureDict, request: Request) -> list[Call]:
    """The calls that start a signature now, as children of ``request``."""
    kind = signature["subtask_type"]
    if kind == "chain" or signature["task"] in _CHAIN_TASKS:
        return _expand_chain(signature, request)
    if kind == "group" or signature["task"] in _GROUP_TASKS:
        return [call for member in _members(signature) for call in expand(member, request)]
    if kind is not None:
        raise InvalidTaskError(
            f"A callback is a {kind}, which this version cannot run", cure="Use tasks, groups and chains as callbacks."
        )
    return [call_of(signature, request)]


def call_of(signature: SignatureDict, request: Request) -> Call:
    """One signature as a call whose parent is ``request``."""
    options = {_RENAMED.get(key, key): value for key, value in signature["options"].items() if value is not None}
    task_id = str(options.pop("task_id", None) or uuid4())
    options["root_id"] = request.root_id or request.id
    options["parent_id"] = request.id
    options["add_to_parent"] = False
    if request.reply_to is not None:  # whoever waits for the workflow waits for this step too
        options.setdefault("reply_to", request.reply_to)
    return Call(
        task=signature["task"],
        args=tuple(signature["args"]),
        kwargs=signature["kwargs"],
        id=task_id,
        options=cast(CallOptions, options),
    )


def _expand_chain(signature: SignatureDict, request: Request) -> list[Call]:
    steps = _tasks(signature)
    if not steps:
        return []
    first = read_signature(steps[0])
    prepended = with_partial(first, tuple(signature["args"]))
    outer = signature["options"]
    rest = [*(outer.get("chain") or ()), *reversed([dict(read_signature(step)) for step in steps[1:]])]
    options = {**prepended["options"], **({"chain": rest} if rest else {})}
    return expand({**prepended, "options": options}, request)


def _members(signature: SignatureDict) -> Iterable[SignatureDict]:
    for task in _tasks(signature):
        yield with_partial(read_signature(task), tuple(signature["args"]))


def _tasks(signature: SignatureDict) -> Sequence[Any]:
    tasks = signature["kwargs"].get("tasks", ())
    if not isinstance(tasks, (list, tuple)):
        raise InvalidTaskError(f"The tasks of {signature['task']} must be a list, not {type(tasks).__name__}")
    return tasks


def result_tuple(call: Call) -> list[Any]:
    """A child as it is stored with its parent's result: ``[[id, parent], children]`` (wire.md 3)."""
    return [[call.id, None], None]
