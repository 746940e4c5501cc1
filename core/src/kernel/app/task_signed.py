"""A task as a part of workflows: its signatures, and others in its place (features.md 1.26, 2.1)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, Unpack

from kernel.app.mapping import chunks, xmap, xstarmap
from kernel.app.ports import App
from kernel.app.replacing import replacement
from kernel.app.signature import Signature
from kernel.app.task_declared import DeclaredTask
from kernel.model import context
from kernel.model.options import CallOptions

P = ParamSpec("P")
R = TypeVar("R")


class SignedTask(DeclaredTask, Generic[P, R]):
    """What a task has to do with signatures."""

    owner: App | None = None
    """The application it belongs to; None until it is registered."""

    def signature(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        immutable: bool = False,
        **options: Unpack[CallOptions],
    ) -> Signature[R]:
        """A call as data (features.md 1.26)."""
        return Signature(self.name, args, kwargs, options, app=self.owner, immutable=immutable)

    subtask = signature

    def s(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """``signature(args, kwargs)``; missing arguments may come from a parent's result."""
        return self.signature(args, kwargs)

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
        """The same, immutable: a parent's result is not added to its arguments."""
        return self.signature(args, kwargs, immutable=True)

    def map(self, it: Iterable[Any]) -> xmap:
        """``[task(x) for x in it]`` in one message."""
        return xmap(self.s(), it)

    def starmap(self, it: Iterable[Any]) -> xstarmap:
        """``[task(*x) for x in it]`` in one message."""
        return xstarmap(self.s(), it)

    def chunks(self, it: Iterable[Any], n: int) -> chunks:
        """``starmap`` of ``n`` items a message."""
        return chunks(self.s(), it, n)

    def replace(self, sig: Signature[Any]) -> Any:
        """Put other tasks in the place of the one that runs: ``return self.replace(sig)``.

        The last of them gets this run's id, so that whoever waits for it, and whatever follows it, gets their result.
        A group becomes a chord whose result is the list.

        Raises:
            Ignore: to end this run; what takes its place is sent when it is through.
            TypeError: for anything that is no signature.
        """
        if not isinstance(sig, Signature):
            raise TypeError(f"replace takes a signature such as add.s(2, 2), not {sig!r:.80}")
        running = context.current.get()
        if running is None or running.request.called_directly:
            return sig.apply().get()
        return self.on_replace(sig)

    def on_replace(self, sig: Signature[Any]) -> Any:
        """Called by :meth:`replace`; a subclass may look at the signature or change it first.

        Raises:
            Ignore: to end this run.
        """
        running = context.current.get()
        request = context.Request() if running is None else running.request
        raise replacement(sig, request)
