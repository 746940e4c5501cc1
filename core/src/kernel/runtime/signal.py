"""Something that happens in a client, a worker or beat, and the functions that want to be told (features.md 2.7).

Receivers are called in the process and thread where the thing happens, before it goes on: be quick. One that raises is
logged and harms nobody.
"""

import inspect
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from importlib import import_module
from typing import Any, NamedTuple, TypeVar
from weakref import WeakMethod, ref

R = TypeVar("R", bound=Callable[..., Any])

_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 30.0


class Receiver(NamedTuple):
    """A function, held weakly or not, what it is known by, and whom it listens to; sender None is everybody."""

    key: Hashable
    held: Callable[[], Callable[..., Any] | None]
    sender: Any


class Signal:
    """A kind of event: receivers connect to it, its sender calls them. Safe in any thread.

    Sending costs nothing while nobody is connected; who has to prepare arguments asks ``if signal.receivers:`` first.

    Args:
        name: as documented.
        providing_args: names of the arguments receivers get, beside ``sender`` and ``signal``.

    Attributes:
        receivers: those connected; never changed in place.
    """

    __slots__ = ("_lock", "name", "providing_args", "receivers")

    def __init__(self, name: str = "", providing_args: Sequence[str] = ()) -> None:
        self.name = name
        self.providing_args = frozenset(providing_args)
        self.receivers: tuple[Receiver, ...] = ()
        self._lock = threading.Lock()

    def connect(self, receiver: Any = None, /, *args: Any, **options: Any) -> Any:
        """Call ``receiver(sender=..., signal=..., **arguments)`` whenever this is sent; returns it.

        As a decorator: ``@signal.connect`` or ``@signal.connect(sender=add)``. Options: ``sender`` limits it to one
        sender, compared with ``==``; ``weak`` (True) forgets the receiver when nothing else holds it;
        ``dispatch_uid`` names it, and a name connects once; ``retry`` (False) calls it again until it does not raise,
        with pauses of 2 to 30 s, and holds it for ever.

        Raises:
            TypeError: for an unknown option, or something that cannot be called.
            ValueError: for a function that does not take any keyword argument.
        """
        if callable(receiver):
            return self._connect(receiver, *args, **options)
        if receiver is not None:
            args = (receiver, *args)
        return lambda function: self._connect(function, *args, **options)

    def _connect(
        self, receiver: R, sender: Any = None, weak: bool = True, dispatch_uid: Hashable = None, retry: bool = False
    ) -> R:
        if not callable(receiver):
            raise TypeError(f"{self!r}: a receiver must be callable, not {receiver!r:.80}")
        if not _takes_anything(receiver):
            raise ValueError(f"{self!r}: receiver {receiver!r:.80} must take **kwargs: signals may get new arguments")
        key = _key(receiver, dispatch_uid)
        called: Callable[..., Any] = Persistent(receiver) if retry else receiver
        held = _weakly(called) if weak and not retry else _Strong(called)
        with self._lock:
            if not any(known.key == key and _same(known.sender, sender) for known in self._living()):
                self.receivers = (*self._living(), Receiver(key, held, sender))
        return receiver

    def disconnect(
        self, receiver: Any = None, sender: Any = None, weak: Any = None, dispatch_uid: Hashable = None
    ) -> bool:
        """Stop calling a receiver, given itself or its ``dispatch_uid``; whether it was connected.

        Args:
            receiver: the function.
            sender: as it was connected.
            weak: of old clients; without meaning.
            dispatch_uid: as it was connected.
        """
        del weak
        key = _key(receiver, dispatch_uid)
        with self._lock:
            kept = tuple(known for known in self.receivers if known.key != key or not _same(known.sender, sender))
            found = len(kept) < len(self.receivers)
            self.receivers = kept
        return found

    def has_listeners(self, sender: Any = None) -> bool:
        """Whether anybody would be called."""
        return bool(self._called(sender))

    def send(self, sender: Any, **arguments: Any) -> list[tuple[Callable[..., Any], Any]]:
        """Call the receivers in the order they were connected.

        Returns:
            Each with what it returned, or with the error it raised.
        """
        if not self.receivers:
            return []
        return [(receiver, self._call(receiver, sender, arguments)) for receiver in self._called(sender)]

    send_robust = send

    def _call(self, receiver: Callable[..., Any], sender: Any, arguments: dict[str, Any]) -> Any:
        try:
            return receiver(sender=sender, signal=self, **arguments)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a receiver must not end what it was told of
            _log().exception("Signal %s: receiver %r failed: %r", self.name, receiver, error)
            return error

    def _called(self, sender: Any) -> list[Callable[..., Any]]:
        wanted = [known for known in self.receivers if known.sender is None or _same(known.sender, sender)]
        functions = [known.held() for known in wanted]
        if (
            None in functions
        ):  # died since; a weak reference tells nobody, since that could be in the middle of anything
            with self._lock:
                self.receivers = self._living()
        return [function for function in functions if function is not None]

    def _living(self) -> tuple[Receiver, ...]:
        return tuple(known for known in self.receivers if known.held() is not None)

    def __repr__(self) -> str:
        return f"<Signal {self.name or 'without a name'}>"


class Persistent:
    """A receiver that is called until it does not raise."""

    def __init__(self, receiver: Callable[..., Any]) -> None:
        self._receiver = receiver

    def __call__(self, **arguments: Any) -> Any:
        """Call it, again and again."""
        pause = _PAUSE_S
        while True:
            try:
                return self._receiver(**arguments)
            except Exception as error:  # noqa: BLE001 - what it raises is the reason to call it again
                _log().error("Signal receiver %r failed: %r; again in %g s", self._receiver, error, pause)
            time.sleep(pause)
            pause = min(pause + _PAUSE_S, _LONGEST_PAUSE_S)


class _Strong:
    """Looks like a weak reference, and is none."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self) -> Callable[..., Any]:
        return self._function


def _weakly(function: Callable[..., Any]) -> Callable[[], Callable[..., Any] | None]:
    return WeakMethod(function) if inspect.ismethod(function) else ref(function)


def _key(receiver: Any, dispatch_uid: Hashable) -> Hashable:
    if dispatch_uid is not None:
        return "uid", dispatch_uid
    if inspect.ismethod(receiver):
        return id(receiver.__self__), id(receiver.__func__)
    return id(receiver)


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(one is not None and other is not None and one == other)


def _takes_anything(receiver: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(receiver).parameters.values()
    except (TypeError, ValueError):  # a function written in C
        return True
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _log() -> Any:
    """Imported late: logging would be a tenth of ``import kernel``."""
    return import_module("logging").getLogger("kernel.signals")
