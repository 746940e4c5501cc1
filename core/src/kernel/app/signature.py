"""A call as data: the signature of one task (features.md 1.26, 2.1; wire.md 3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, Self, TypeVar

from kernel.app.current import app_or_default
from kernel.app.eager import run_locally
from kernel.app.eager_group import collected
from kernel.app.group_result import GroupResult
from kernel.app.ports import App
from kernel.app.result import AsyncResult
from kernel.app.stamping import StampingVisitor, stamp
from kernel.app.task_calls import adopt, check_arguments, make_call, producer_of
from kernel.app.task_ids import new_id
from kernel.engine.launch import call_options
from kernel.model.call import Call
from kernel.model.canvas import Expected
from kernel.model.nodes import as_list

R = TypeVar("R")

AnyResult = AsyncResult[Any] | GroupResult


class Started(NamedTuple):
    """What starts a canvas: the calls to send now, the chords to announce before, and the result it will have."""

    calls: list[Call]
    joins: list[Expected]
    result: AnyResult


KINDS: "dict[str, type[Signature[Any]]]" = {}
"""Value of ``subtask_type`` → the class of such signatures; :mod:`kernel.app.canvas` adds its own."""

_KEPT = ("group_id", "stamped_headers")
"""Options of a signature that the options of a call do not replace."""


class Signature(dict[str, Any], Generic[R]):
    """A call of one task: name, arguments and options. A dict that may be passed around, stored and sent.

    Args:
        task: a task, its name, or another signature's dict.
        args: positional arguments.
        kwargs: keyword arguments.
        options: execution options (features.md 1.1).
        app: the application; None is the current one when the signature is used.
        immutable: a parent's result is not added to the arguments.
        more: further execution options.
    """

    owner: App | None = None
    """The application it was made for; None is the current one when it is used."""

    def __init__(  # noqa: PLR0913 - the documented parameters
        self,
        task: Any = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        app: App | None = None,
        subtask_type: str | None = None,
        immutable: bool = False,
        **more: Any,
    ) -> None:
        if isinstance(task, Mapping):
            super().__init__(task)
        else:
            positional, named = check_arguments(args, kwargs)
            super().__init__(
                task=getattr(task, "name", task),
                args=positional,
                kwargs=dict(named),
                options={**(options or {}), **more},
                subtask_type=subtask_type,
                immutable=immutable,
            )
        if not isinstance(self.get("task"), str) or not self["task"]:
            raise TypeError(f"A signature needs a task or the name of one, not {task!r:.80}")
        self.owner = app or getattr(task, "owner", None)

    task = property(lambda self: self["task"], doc="The task's name.")
    args = property(lambda self: self["args"], doc="Positional arguments.")
    kwargs = property(lambda self: self["kwargs"], doc="Keyword arguments.")
    options = property(lambda self: self["options"], doc="Execution options.")
    immutable = property(lambda self: self["immutable"], doc="Whether a parent's result is not added.")
    subtask_type = property(lambda self: self["subtask_type"], doc="None, 'chain' or 'group'.")
    id = property(lambda self: self["options"].get("task_id"), doc="The task id, once frozen.")
    root_id = property(lambda self: self["options"].get("root_id"), doc="The id of the first task of its workflow.")
    parent_id = property(lambda self: self["options"].get("parent_id"), doc="The id of the task that sends it.")
    name = task

    @property
    def app(self) -> App:
        """The application that sends it."""
        application: App = app_or_default(self.owner)
        return application

    @property
    def type(self) -> Any:
        """The task itself, as registered here."""
        return self.app.tasks[self["task"]]

    # Calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task here and now, with these arguments before and over its own."""
        positional, named, _ = self.merged(args, kwargs, {})
        return self.type(*positional, **named)

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Send it, with these arguments before and over its own."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Send it with one publish; ``options`` win over its own. See :meth:`kernel.Task.apply_async`."""
        calls, joins, result = self.started(args or (), kwargs or {}, options)
        if self.app.config.task_always_eager:
            return collected(result, run_locally(self.app, calls, serialize=True))
        if joins:
            calls = [*self.app.client.announce(joins), *calls]
        (producer_of(options) or self.app.pool).publish(calls)
        adopt(result.as_tuple(), options)
        return result

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run it here and now as a worker would; an :class:`EagerResult`, or a group of them."""
        started = self.started(args or (), kwargs or {}, options)
        return collected(started.result, run_locally(self.app, started.calls))

    def started(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Started:
        """What starts it, and its result."""
        positional, named, merged = self.merged(args, kwargs, options)
        call = self.call_of({**self, "args": positional, "kwargs": named, "options": merged})
        task = self.app.tasks.get(self["task"])
        result = AsyncResult(call.id, self.app) if task is None else task.AsyncResult(call.id)
        result.ignored = bool(call.options.get("ignore_result"))
        return Started([call], [], result)

    def call_of(self, node: Mapping[str, Any]) -> Call:
        """The checked call of one task's node, as the application that owns this signature sends it."""
        name, options = node["task"], call_options(node["options"])
        task = self.app.tasks.get(name)
        if task is None:
            return make_call(name, *check_arguments(node["args"], node["kwargs"]), options, self.app.config)
        call: Call = task.call(node["args"], node["kwargs"], options)
        return call

    def merged(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
        """Arguments and options of a call of this signature: partial arguments go first, unless it is immutable."""
        own = self["options"]
        kept = {key: own[key] for key in _KEPT if own.get(key) is not None}
        combined = {**own, **options, **kept}
        if self["immutable"]:
            return tuple(self["args"]), dict(self["kwargs"]), combined
        return (*args, *self["args"]), {**self["kwargs"], **kwargs}, combined

    def __invert__(self) -> Any:
        """``~sig`` is ``sig.delay().get()``."""
        return self.delay().get()

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """A copy with further partial arguments and options; changing it leaves this one alone."""
        positional, named, combined = self.merged(args or (), kwargs or {}, options)
        copied = {key: list(combined[key]) for key in ("link", "link_error") if isinstance(combined.get(key), list)}
        data = {**self, "args": positional, "kwargs": named, "options": {**combined, **copied}}
        return type(self).from_data(data, self.owner)

    partial = clone

    @classmethod
    def parts_of(cls, kwargs: Mapping[str, Any], app: App | None) -> dict[str, Any]:  # noqa: ARG003 - canvases need it
        """The keyword arguments of a signature off the wire, its parts as signatures."""
        return dict(kwargs)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], app: App | None = None) -> "Signature[Any]":
        """A signature, of whatever type, from its dict."""
        return signature(data, app=app)

    @classmethod
    def register_type(cls, subclass: Any, name: str | None = None) -> Any:
        """Let dicts with that ``subtask_type`` become signatures of a class; usable as a decorator of it."""
        KINDS[name or subclass.__name__] = subclass
        return subclass

    @classmethod
    def from_data(cls, data: Mapping[str, Any], app: App | None) -> Self:
        new = cls.__new__(cls)
        dict.__init__(new, data)
        new.owner = app
        return new

    def replace(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, options: Any = None
    ) -> Self:
        """A copy with the given parts exchanged."""
        new = self.clone()
        given = {"args": args if args is None else tuple(args), "kwargs": kwargs, "options": options}
        new.update({key: value for key, value in given.items() if value is not None})
        return new

    def set(self, immutable: bool | None = None, **options: Any) -> Self:
        """Set options on this signature; returns it."""
        if immutable is not None:
            self.set_immutable(immutable)
        self["options"].update(options)
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Say whether a parent's result is added to the arguments."""
        self["immutable"] = immutable

    def freeze(self, task_id: str | None = None, **options: Any) -> AnyResult:
        """Give it an id now, and return the result it will have when it is sent."""
        self["options"].update(options)
        chosen = self["options"].setdefault("task_id", task_id or new_id())
        return AsyncResult(chosen, self.app)

    def link(self, callback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``callback`` after success; returns it."""
        return self._append("link", callback)

    def link_error(self, errback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``errback`` after failure; returns it."""
        return self._append("link_error", errback)

    def on_error(self, errback: Mapping[str, Any]) -> Self:
        """The same, and returns this signature, for use in an expression."""
        self.link_error(errback)
        return self

    def _append(self, key: str, signature: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(signature, Mapping):
            raise TypeError(f"{key} takes a signature such as add.s(16), not {signature!r:.80}")
        linked = self["options"].get(key) or []
        linked = [linked] if isinstance(linked, Mapping) else list(linked)
        if signature not in linked:
            linked.append(signature)
        self["options"][key] = linked
        return signature

    def flatten_links(self) -> list[Any]:
        """The signature itself and all that are linked to it, at any depth."""
        found: list[Any] = [self]
        for linked in as_list(self["options"].get("link")):
            found += maybe_signature(linked, self.owner).flatten_links()
        return found

    def stamp(self, visitor: StampingVisitor | None = None, append_stamps: bool = False, **headers: Any) -> Self:
        """Mark this signature, what is in it and what is linked to it with headers that go with the messages.

        Args:
            visitor: asked for further headers at each part (features.md 2.1).
            append_stamps: add to a stamp of the same name that is there already, instead of replacing it.
            headers: stamps, by name.
        """
        stamp(self, visitor, headers, append=append_stamps)
        return self

    def __or__(self, other: Any) -> Any:
        """``a | b`` is a chain: b after a, with a's result."""
        chain: Any = KINDS["chain"]
        return chain(self, other) if isinstance(other, Signature) else NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        return signature, (dict(self),)

    def __deepcopy__(self, memo: Any) -> Self:
        return self.clone()

    def __repr__(self) -> str:
        arguments = [repr(arg) for arg in self["args"]] + [f"{key}={value!r}" for key, value in self["kwargs"].items()]
        return f"{self['task']}({', '.join(arguments)})"


def signature(task: Any, *args: Any, **options: Any) -> Signature[Any]:
    """A signature from a task, a task's name, or a signature's dict as it comes off the wire."""
    app = options.pop("app", None)
    if isinstance(task, Signature):
        copied = task.clone(*args, **options)
        copied.owner = copied.owner or app
        return copied
    if not isinstance(task, Mapping):
        return Signature(task, *args, app=app, **options)
    kind = KINDS.get(task.get("subtask_type") or "", Signature)
    data = {"args": (), "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False, **task}
    data["kwargs"] = kind.parts_of(data["kwargs"], app)
    return kind.from_data(data, app)


def maybe_signature(value: Any, app: App | None = None) -> Any:
    """A signature from a dict; anything else is returned as it is."""
    return signature(value, app=app) if isinstance(value, Mapping) else value
