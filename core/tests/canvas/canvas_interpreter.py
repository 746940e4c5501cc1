"""What a workflow means, said without a queue: a pure interpreter of expression trees.

It knows nothing of messages, joins or continuations. A workflow is walked from left to right, and what every task
returns, which errbacks and callbacks are called with what, and how often each body runs, comes out. The kernel's
answer for the same expression must be the same.
"""

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel.errors import ChordError

NOTHING = object()
"""The input of a first task: nothing is passed to it."""


@dataclass(frozen=True)
class Leaf:
    """A task. ``retries`` runs ask to be retried before one decides: ``fails`` says how."""

    tag: int
    fails: bool = False
    retries: int = 0
    immutable: bool = False
    errback: int | None = None
    callback: int | None = None


@dataclass(frozen=True)
class Chain:
    steps: tuple[Any, ...]
    errback: int | None = None
    callback: int | None = None


@dataclass(frozen=True)
class Group:
    members: tuple[Any, ...]
    errback: int | None = None
    callback: int | None = None


@dataclass(frozen=True)
class Chord:
    header: tuple[Any, ...]
    body: Any
    errback: int | None = None
    callback: int | None = None


@dataclass(frozen=True)
class Ok:
    value: Any


@dataclass(frozen=True)
class Failed:
    error: BaseException


@dataclass
class Outcome:
    """What came of a workflow. Calls are counted, as their order is nobody's business.

    Attributes:
        result: a value or error; a list of them for a group.
        runs: how often each body ran, by tag.
        errbacks: which were called with which error.
        callbacks: which were called with which value.
    """

    result: Any = None
    runs: Counter[int] = field(default_factory=Counter)
    errbacks: Counter[tuple[int, str]] = field(default_factory=Counter)
    callbacks: Counter[tuple[int, str]] = field(default_factory=Counter)


def digest(tag: int, args: Sequence[Any]) -> int:
    """What a task returns: a number that depends on everything that it was given."""
    return zlib.crc32(json.dumps([tag, args]).encode())


def error_of(tag: int) -> ValueError:
    """What a failing task raises."""
    return ValueError(f"task {tag}")


def chord_error(error: BaseException) -> ChordError:
    """What the body of a chord fails with; ids are shown as #."""
    return ChordError(f"Dependency # raised {error!r}")


def interpret(expression: Any) -> Outcome:
    """What an expression means."""
    outcome = Outcome()
    outcome.result = _run(_compile(expression), NOTHING, outcome)
    return outcome


# The rules of building: every expression as tasks, sequences, groups at an end, and chords


@dataclass
class _Task:
    """A leaf; None is what stands for a group that is waited for as a whole: its value is what it is given."""

    leaf: Leaf | None
    errbacks: list[int] = field(default_factory=list)
    callbacks: list[int] = field(default_factory=list)


@dataclass
class _Sequence:
    steps: list[Any]


@dataclass
class _Side:
    """Side by side, and nothing waits for all."""

    members: list[Any]


@dataclass
class _Join:
    header: list[Any]
    body: Any


def _compile(node: Any) -> Any:
    match node:
        case Leaf():
            built: Any = _Task(node)
        case Chain():
            built = _sequence([_compile(step) for step in node.steps])
        case Group():
            built = _Side(_members(node.members))
        case Chord():
            built = _Join([_single(member) for member in _members(node.header)], _compile(node.body))
    if node.errback is not None:
        _on_error(built, node.errback)
    if node.callback is not None:
        _on_success(built, node.callback)
    return built


def _members(nodes: Sequence[Any]) -> list[Any]:
    """Members of groups directly inside are members, as a chain of one is that one; empty chains are none."""
    found: list[Any] = []
    for node in nodes:
        built = _compile(node)
        if isinstance(built, _Side):
            found += built.members
        elif not _is_empty(built):
            found.append(built)
    return found


def _is_empty(built: Any) -> bool:
    return built == _Sequence([]) or built == _Side([])


def _sequence(parts: Sequence[Any]) -> Any:
    """One after the other: what follows a group follows all of it, and what follows a chord follows its body."""
    steps: list[Any] = []
    for part in parts:
        for step in part.steps if isinstance(part, _Sequence) else [part]:
            if _is_empty(step):
                continue
            if steps and isinstance(steps[-1], _Side):
                steps[-1] = _Join([_single(member) for member in steps[-1].members], step)
            elif steps and isinstance(steps[-1], _Join):
                steps[-1] = _Join(steps[-1].header, _sequence([steps[-1].body, step]))
            else:
                steps.append(step)
    return steps[0] if len(steps) == 1 else _Sequence(steps)


def _single(built: Any) -> Any:
    """The same with one value: a group at the end is waited for."""
    match built:
        case _Sequence():
            return _Sequence([*built.steps[:-1], _single(built.steps[-1])])
        case _Side():
            return _Join([_single(member) for member in built.members], _Task(None))
        case _Join():
            return _Join(built.header, _single(built.body))
    return built


def _on_error(built: Any, errback: int) -> None:
    """Whichever step of a sequence fails; each member; of a chord the body."""
    match built:
        case _Task():
            built.errbacks.append(errback)
        case _Sequence():
            for step in built.steps:
                _on_error(step, errback)
        case _Side():
            for member in built.members:
                _on_error(member, errback)
        case _Join():
            _on_error(built.body, errback)


def _on_success(built: Any, callback: int) -> None:
    match built:
        case _Task():
            built.callbacks.append(callback)
        case _Sequence():
            for step in built.steps[-1:]:
                _on_success(step, callback)
        case _Side():
            for member in built.members:
                _on_success(member, callback)
        case _Join():
            _on_success(built.body, callback)


# What they mean


def _run(built: Any, given: Any, out: Outcome) -> Any:
    match built:
        case _Task():
            return _task(built, given, out)
        case _Side():
            return [_run(member, given, out) for member in built.members]
        case _Join():
            return _join(built, given, out)
    for place, step in enumerate(built.steps):
        result = _run(step, given, out)
        if place == len(built.steps) - 1:
            return result
        if isinstance(result, Failed):
            return _never(built.steps[-1], result)
        given = result.value
    raise AssertionError("an empty sequence is never run")


def _task(task: _Task, given: Any, out: Outcome) -> Any:
    leaf = task.leaf
    if leaf is None:
        result: Any = Ok(given)
    else:
        out.runs[leaf.tag] += leaf.retries + 1
        args = [] if leaf.immutable or given is NOTHING else [given]
        result = Failed(error_of(leaf.tag)) if leaf.fails else Ok(digest(leaf.tag, args))
    if isinstance(result, Failed):
        _tell(task, result, out)
    else:
        out.callbacks.update((each, json.dumps(result.value)) for each in task.callbacks)
    return result


def _tell(task: _Task, failed: Failed, out: Outcome) -> None:
    out.errbacks.update((each, repr(failed.error)) for each in task.errbacks)


def _join(join: _Join, given: Any, out: Outcome) -> Any:
    results = [_run(member, given, out) for member in join.header]
    failed = next((each for each in results if isinstance(each, Failed)), None)
    if failed is None:
        return _run(join.body, [each.value for each in results], out)
    instead = Failed(chord_error(failed.error))
    for task in _first(join.body):
        _tell(task, instead, out)
    return _never(join.body, instead)


def _first(built: Any) -> list[_Task]:
    """The tasks whose errbacks hear that a part will never run."""
    match built:
        case _Sequence():
            return _first(built.steps[0])
        case _Side():
            return [task for member in built.members for task in _first(member)]
        case _Join():
            return _first(built.body)
    return [built]


def _never(built: Any, failed: Failed) -> Any:
    """The result of what never runs, because of a failure before it."""
    match built:
        case _Sequence():
            return _never(built.steps[-1], failed)
        case _Side():
            return [_never(member, failed) for member in built.members]
        case _Join():
            return _never(built.body, failed)
    return failed
