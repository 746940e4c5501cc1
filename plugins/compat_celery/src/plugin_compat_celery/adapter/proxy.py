"""Objects that stand for others, found each time or once (``celery.local``)."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


class Proxy:
    """Forwards everything to the object that a function returns, called anew for each use.

    Args:
        local: the function, or an object with an attribute ``name``.
        args: positional arguments of the function.
        kwargs: its keyword arguments.
        name: the attribute; None calls ``local``.
    """

    __slots__ = ("_proxy_args", "_proxy_found", "_proxy_kwargs", "_proxy_local", "_proxy_name", "_proxy_then")

    def __init__(
        self,
        local: Any,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "_proxy_local", local)
        put(self, "_proxy_args", tuple(args or ()))
        put(self, "_proxy_kwargs", dict(kwargs or {}))
        put(self, "_proxy_name", name)

    def _get_current_object(self) -> Any:
        """What it stands for now."""
        if self._proxy_name is not None:
            return getattr(self._proxy_local, self._proxy_name)
        return self._proxy_local(*self._proxy_args, **self._proxy_kwargs)

    @property
    def __class__(self) -> Any:
        return type(self._get_current_object())

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("the class of a proxy is that of its object")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get_current_object(), name)

    def __dir__(self) -> list[str]:
        return dir(self._get_current_object())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._get_current_object()(*args, **kwargs)

    def __bool__(self) -> bool:
        return bool(self._get_current_object())

    def __str__(self) -> str:
        return str(self._get_current_object())

    def __repr__(self) -> str:
        return repr(self._get_current_object())

    def __hash__(self) -> int:
        return hash(self._get_current_object())

    def __eq__(self, other: object) -> bool:
        return bool(self._get_current_object() == other)

    def __lt__(self, other: Any) -> bool:
        return bool(self._get_current_object() < other)

    def __le__(self, other: Any) -> bool:
        return bool(self._get_current_object() <= other)

    def __gt__(self, other: Any) -> bool:
        return bool(self._get_current_object() > other)

    def __ge__(self, other: Any) -> bool:
        return bool(self._get_current_object() >= other)

    def __len__(self) -> int:
        return len(self._get_current_object())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._get_current_object())

    def __contains__(self, item: object) -> bool:
        return item in self._get_current_object()

    def __getitem__(self, key: Any) -> Any:
        return self._get_current_object()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._get_current_object()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._get_current_object()[key]

    def __add__(self, other: Any) -> Any:
        return self._get_current_object() + other

    def __sub__(self, other: Any) -> Any:
        return self._get_current_object() - other

    def __mul__(self, other: Any) -> Any:
        return self._get_current_object() * other

    def __or__(self, other: Any) -> Any:
        return self._get_current_object() | other

    def __invert__(self) -> Any:
        return ~self._get_current_object()

    def __int__(self) -> int:
        return int(self._get_current_object())

    def __float__(self) -> float:
        return float(self._get_current_object())

    def __index__(self) -> int:
        return operator.index(self._get_current_object())

    def __enter__(self) -> Any:
        return self._get_current_object().__enter__()

    def __exit__(self, *info: object) -> Any:
        return self._get_current_object().__exit__(*info)

    def __reduce__(self) -> Any:
        return self._get_current_object().__reduce__()


class PromiseProxy(Proxy):
    """A proxy whose function is called once, when the object is first used."""

    __slots__ = ()

    def _get_current_object(self) -> Any:
        """The object, made now if it was not."""
        return self.__evaluate__()

    def __evaluated__(self) -> bool:
        """Whether the object exists."""
        return _has(self, "_proxy_found")

    def __maybe_evaluate__(self) -> Any:
        """The object, made now if it was not."""
        return self.__evaluate__()

    def __evaluate__(self) -> Any:
        """The object, made now if it was not; functions given to :meth:`__then__` are called with it."""
        if not self.__evaluated__():
            object.__setattr__(self, "_proxy_found", super()._get_current_object())
            waiting = self._proxy_then if _has(self, "_proxy_then") else []
            for function, args, kwargs in waiting:
                function(*args, **kwargs)
        return self._proxy_found

    def __then__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function once the object exists, or now if it does."""
        if self.__evaluated__():
            return function(*args, **kwargs)
        if not _has(self, "_proxy_then"):
            object.__setattr__(self, "_proxy_then", [])
        self._proxy_then.append((function, args, kwargs))
        return None


def maybe_evaluate(obj: Any) -> Any:
    """The object behind a promise; anything else is returned as it is."""
    return obj.__maybe_evaluate__() if type(obj) is PromiseProxy else obj


def _has(proxy: Proxy, slot: str) -> bool:
    try:
        object.__getattribute__(proxy, slot)
    except AttributeError:
        return False
    return True
