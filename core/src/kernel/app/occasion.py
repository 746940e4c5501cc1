"""A signal of something that happens once to an application: ``app.on_after_configure`` and the like."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from kernel.runtime.signal import Receiver, Signal

R = TypeVar("R", bound=Callable[..., Any])


class Occasion(Signal):
    """Receivers are told once; who connects after it happened is told the next time somebody asks for it to be told.

    So a receiver that stands below the line that read the first setting is not lost; and, other than with signals that
    come again and again, one is held until it was told, wherever it was defined.
    """

    __slots__ = ("_told",)

    def __init__(self, name: str, *providing_args: str) -> None:
        super().__init__(name, providing_args)
        self._told: tuple[Receiver, ...] = ()

    def _connect(
        self, receiver: R, sender: Any = None, weak: bool = False, dispatch_uid: Hashable = None, retry: bool = False
    ) -> R:
        return super()._connect(receiver, sender, weak, dispatch_uid, retry)

    def tell(self, sender: Any, **arguments: Any) -> None:
        """Call every receiver that was not called yet."""
        while (found := self._next()) is not None:
            function = found.held()
            if function is not None and found.sender in {None, sender}:
                self._call(function, sender, arguments)

    def _next(self) -> Receiver | None:
        with self._lock:
            found = next((each for each in self.receivers if each not in self._told), None)
            if found is not None:
                self._told = (*self._told, found)
            return found
