"""One task over many arguments in few messages: map, starmap and chunks (features.md 2.1; wire.md 3)."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from kernel.app.canvas import group
from kernel.app.ports import App
from kernel.app.signature import Signature


class _Over(Signature[Any]):
    """A call of a built-in task that calls another one for each item."""

    built_in = ""

    def __init__(self, task: Mapping[str, Any], it: Iterable[Any], *, app: App | None = None, **options: Any) -> None:
        owner = app or getattr(task, "owner", None)
        super().__init__(self.built_in, (), {"task": task, "it": list(it)}, options, app=owner, immutable=True)

    def _shown(self, call: str) -> str:
        return f"[{self['kwargs']['task']['task']}({call}) for x in {self['kwargs']['it']!r}]"


class xmap(_Over):  # noqa: N801 - the documented name
    """``[task(x) for x in it]`` in one message and one run; its result is the list."""

    built_in = "celery.map"

    def __repr__(self) -> str:
        return self._shown("x")


class xstarmap(_Over):  # noqa: N801 - the documented name
    """``[task(*x) for x in it]`` in one message and one run; its result is the list."""

    built_in = "celery.starmap"

    def __repr__(self) -> str:
        return self._shown("*x")


class chunks(Signature[Any]):  # noqa: N801 - the documented name
    """``xstarmap`` of ``n`` items a message; sent as the group that :meth:`group` gives.

    Args:
        task: a signature.
        it: argument tuples.
        n: how many go into one message.
        app: the application that sends it, if the signature knows none.
        options: execution options of each message.
    """

    def __init__(
        self, task: Mapping[str, Any], it: Iterable[Any], n: int, *, app: App | None = None, **options: Any
    ) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"chunks needs a whole number of items per message, 1 or more, not {n!r}")
        parts = {"task": task, "it": list(it), "n": n}
        owner = app or getattr(task, "owner", None)
        super().__init__("celery.chunks", (), parts, options, app=owner, immutable=True)

    def group(self) -> group:
        """The messages: a group of ``xstarmap``."""
        parts = self["kwargs"]
        items = iter(parts["it"])
        return group(
            *(
                xstarmap(parts["task"], part, app=self.owner, **self["options"])
                for part in iter(lambda: list(islice(items, parts["n"])), [])
            ),
            app=self.owner,
        )

    def __call__(self, **options: Any) -> Any:
        """Send it."""
        return self.apply_async(**options)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Send the group; its result is a list of lists."""
        return self.group().apply_async(args, kwargs, **options)

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run the group here and now."""
        return self.group().apply(args, kwargs, **options)
