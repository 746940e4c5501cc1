"""Chains, groups and chords of signatures (features.md 1.26, 2.1; wire.md 3)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from kernel.app.canvas_base import Canvas, members_of, owner_of
from kernel.app.ports import App
from kernel.app.signature import KINDS, Signature, Started, maybe_signature, signature
from kernel.model.nodes import as_list

_ENDS = ("link", "link_error", "task_id")


class chain(Canvas):  # noqa: N801 - the documented name
    """Signatures one after the other, each with the result of the one before as its first argument.

    ``chain(a, b)``, ``chain([a, b])`` and ``a | b`` are the same; nested chains flatten, empty groups and chains
    vanish, and a chain of one is that one. A group followed by something is a chord with it as the body;
    what follows a chord follows its body. ``app`` is the application that sends it, if its parts know none.
    """

    def __new__(cls, *tasks: Any, app: App | None = None, **options: Any) -> Any:
        """A chain, or its only step."""
        steps = _joined(members_of(tasks)) if tasks else []
        if len(steps) == 1 and not options and app is None:
            return steps[0]
        new = super().__new__(cls)
        if tasks:
            dict.__setitem__(new, "kwargs", {"tasks": steps})
        return new

    def __init__(self, *tasks: Any, app: App | None = None, **options: Any) -> None:
        steps = self["kwargs"]["tasks"] if tasks else []
        owner = app or owner_of(steps)
        super().__init__("celery.chain", (), {"tasks": steps}, options, app=owner, subtask_type="chain")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Send it: ``chain(a, b)()``."""
        return self.apply_async(args, kwargs)

    def started(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Started:
        """See :meth:`Canvas.started`.

        Raises:
            ValueError: for a chain without steps.
        """
        if not self.tasks:
            raise ValueError("An empty chain cannot be sent: give it at least one signature")
        return super().started(args, kwargs, options)

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """A copy, its steps copied too."""
        new = super().clone(args, None, **options)
        steps = [step.clone() for step in self.tasks]
        if steps and kwargs:
            steps[0] = steps[0].clone(None, kwargs)
        new["kwargs"] = {"tasks": steps}
        return new

    def link_error(self, errback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``errback`` when a step fails, whichever it is: it stands at every one."""
        for step in self.tasks:
            step.link_error(errback)
        return errback

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.tasks))


class group(Canvas):  # noqa: N801 - the documented name
    """Signatures that run side by side; sent with one publish. Its result is a :class:`GroupResult` in their order.

    ``group(a, b)``, ``group([a, b])`` and ``group(add.s(i, i) for i in range(10))`` are the same. The members of a
    group in a group are members of the outer one. ``app`` is the application that sends it, if its parts know none.
    """

    def __init__(self, *tasks: Any, app: App | None = None, **options: Any) -> None:
        members = [part for member in members_of(tasks) for part in _parts_of(member)]
        owner = app or owner_of(members)
        super().__init__("celery.group", (), {"tasks": members}, options, app=owner, subtask_type="group")

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Send it: ``group(a, b)()``; arguments go before those of every member."""
        return self.apply_async(args, None, **options)

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """A copy, its members copied too."""
        new = super().clone(args, None, **options)
        new["kwargs"] = {"tasks": [member.clone(None, kwargs) for member in self.tasks]}
        return new

    def link(self, callback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``callback`` after each member."""
        for member in self.tasks:
            member.link(callback)
        return callback

    def link_error(self, errback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``errback`` after each member that fails."""
        for member in self.tasks:
            member.link_error(errback)
        return errback

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> Self:
        """Let the members begin one after the other: ``start``, ``start + step`` … seconds from now, below ``stop``."""
        delay = start
        for member in self.tasks:
            member.set(countdown=delay)
            delay = delay + step if stop is None or delay + step < stop else start
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Say of every member whether a parent's result is added to its arguments."""
        for member in self.tasks:
            member.set_immutable(immutable)

    def __or__(self, other: Any) -> Any:
        """A group followed by something is a chord."""
        return chord(self, other) if isinstance(other, Signature) else NotImplemented

    def __repr__(self) -> str:
        return f"group({self.tasks!r})"


class chord(Canvas):  # noqa: N801 - the documented name
    """A header of signatures that run side by side, and a body that gets the list of their results, in their order.

    ``chord([a, b], c)``, ``chord([a, b])(c)`` and ``group(a, b) | c`` are the same. Without members the body gets
    ``[]``. When a member fails the body does not run: it ends as FAILURE with a ``ChordError`` and its errbacks run.

    Args:
        header: the members: a group, or signatures as a group takes them.
        body: any signature; may be given when the chord is called.
        app: the application that sends it, if its parts know none.
        options: execution options; ``countdown`` and ``eta`` are the header's, ``link`` and ``link_error`` the body's.
    """

    def __init__(
        self, header: Any = (), body: Mapping[str, Any] | None = None, *, app: App | None = None, **options: Any
    ) -> None:
        for unused in ("task", "args", "kwargs"):
            if not options.get(unused):
                options.pop(unused, None)
        members = header if isinstance(header, group) else group(*members_of((header,)))
        following = maybe_signature(body)
        ends = {key: options.pop(key) for key in ("link", "link_error") if key in options}
        parts = {"kwargs": {}, "header": members, "body": following}
        owner = app or members.owner or (following.owner if following is not None else None)
        super().__init__("celery.chord", (), parts, options, app=owner, subtask_type="chord")
        for key, linked in ends.items():
            for each in as_list(linked):
                getattr(self, key)(each)

    @property
    def tasks(self) -> list[Signature[Any]]:
        """The members of the header."""
        members: list[Signature[Any]] = self["kwargs"]["header"]["kwargs"]["tasks"]
        return members

    @property
    def body(self) -> Any:
        """What gets their results; None when it is still to be given."""
        return self["kwargs"]["body"]

    @body.setter
    def body(self, body: Mapping[str, Any]) -> None:
        self["kwargs"]["body"] = maybe_signature(body)

    @property
    def id(self) -> Any:
        """The id of the body, once frozen."""
        return self.body.id if self.body is not None else None

    @classmethod
    def parts_of(cls, kwargs: Mapping[str, Any], app: App | None) -> dict[str, Any]:
        """See :meth:`Signature.parts_of`."""
        header, body = kwargs.get("header") or (), kwargs.get("body")
        members = signature(header, app=app) if isinstance(header, Mapping) else group(signature(h) for h in header)
        return {"kwargs": {}, **kwargs, "header": members, "body": maybe_signature(body, app)}

    def __call__(self, body: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Send it, with that body."""
        return self.apply_async(body=body, **options)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Send it; arguments go to the members of the header. See :meth:`Signature.apply_async`."""
        return super(chord, self._with_body(body)).apply_async(args, kwargs, **options)

    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Run it here and now. See :meth:`Signature.apply`."""
        return super(chord, self._with_body(body)).apply(args, kwargs, **options)

    def _with_body(self, body: Mapping[str, Any] | None) -> "chord":
        if body is not None:
            whole = self.clone()
            whole.body = body
            return whole
        if self.body is None:
            raise ValueError("A chord needs a body: chord(header)(body), or chord(header, body)()")
        return self

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """A copy, its header and body copied too."""
        new = super().clone(args, None, **options)
        header, body = self["kwargs"]["header"], self.body
        copied = header.clone(None, kwargs), body.clone() if body is not None else None
        new["kwargs"] = {**self["kwargs"], "header": copied[0], "body": copied[1]}
        return new

    def link(self, callback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``callback`` after the body."""
        self.body.link(callback)
        return callback

    def link_error(self, errback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run ``errback`` when the body fails or cannot run; with ``task_allow_error_cb_on_chord_header`` also after
        each member of the header that fails.
        """
        if self.app.config.task_allow_error_cb_on_chord_header:
            self["kwargs"]["header"].link_error(errback)
        self.body.link_error(errback)
        return errback

    def set_immutable(self, immutable: bool) -> None:
        """Say of the body whether the results are added to its arguments."""
        self.body.set_immutable(immutable)

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        return f"%{self.body['task'] if self.body is not None else ''}({self.tasks!r})"


KINDS.update(chain=chain, group=group, chord=chord)


def _parts_of(member: Signature[Any]) -> list[Signature[Any]]:
    """A member of a group: the members of a group in it, as far as that one says nothing of its own."""
    if isinstance(member, group) and not member["options"] and not member["args"]:
        return member.tasks
    return [] if isinstance(member, chain) and not member.tasks else [member]


def _joined(steps: Iterable[Signature[Any]]) -> list[Any]:
    """The steps of a chain by the rules of upgrading."""
    joined: list[Any] = []
    for step in _flat_steps(steps):
        last = joined[-1] if joined else None
        if isinstance(last, group):
            joined[-1] = chord(last, step)
        elif isinstance(last, chord):
            joined[-1] = whole = last.clone()
            whole.body = chain(whole.body, step)
        else:
            joined.append(step)
    return joined


def _flat_steps(steps: Iterable[Signature[Any]]) -> Iterator[Signature[Any]]:
    for step in steps:
        if isinstance(step, chain):
            yield from _steps_of(step)
        elif not (isinstance(step, group) and not step.tasks):
            yield step


def _steps_of(inner: chain) -> list[Signature[Any]]:
    """The steps of a chain in a chain, with what the inner one says of itself."""
    options = {key: value for key, value in inner["options"].items() if key not in _ENDS}
    ends = [key for key in ("link", "link_error") if inner["options"].get(key)]
    if not inner.tasks or not (options or ends or inner["args"]):
        return inner.tasks
    steps = [step.clone() for step in inner.tasks]
    steps[0] = steps[0].clone(inner["args"], None, **options)
    for callback in as_list(inner["options"].get("link")):
        steps[-1].link(callback)
    for errback in as_list(inner["options"].get("link_error")):
        for step in steps:
            step.link_error(errback)
    return steps
