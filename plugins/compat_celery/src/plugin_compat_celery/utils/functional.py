"""``celery.utils.functional``: lists, caches and values made late."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from threading import RLock
from typing import Any, TypeVar

from plugin_compat_celery.adapter.absent import missing

T = TypeVar("T")


class LRUCache(OrderedDict[Any, Any]):
    """A mapping that forgets what was used longest ago. Safe in any thread.

    Args:
        limit: how many items are kept; None keeps all.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit = limit
        self._lock = RLock()

    def __getitem__(self, key: Any) -> Any:
        with self._lock:
            value = super().__getitem__(key)
            self.move_to_end(key)
            return value

    def __setitem__(self, key: Any, value: Any) -> None:
        with self._lock:
            super().__setitem__(key, value)
            self.move_to_end(key)
            while self.limit is not None and len(self) > self.limit:
                self.popitem(last=False)


class lazy:  # noqa: N801 - the documented name
    """A call that is made when it is asked for: ``lazy(f, 1)()``, or ``str(lazy(f, 1))``."""

    def __init__(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._call = (fun, args, kwargs)

    def evaluate(self) -> Any:
        """Make the call."""
        fun, args, kwargs = self._call
        return fun(*args, **kwargs)

    __call__ = evaluate

    def __eq__(self, other: object) -> bool:
        return bool(self.evaluate() == other)

    def __hash__(self) -> int:
        return hash(self.evaluate())

    def __str__(self) -> str:
        return str(self.evaluate())

    def __repr__(self) -> str:
        return repr(self.evaluate())


class mlazy(lazy):  # noqa: N801 - the documented name
    """The same, made once."""

    def evaluate(self) -> Any:
        """The value, made by the first call."""
        if not hasattr(self, "_value"):
            self._value = super().evaluate()
        return self._value

    __call__ = evaluate


class regen(list[T]):  # noqa: N801 - the documented name
    """What an iterator gives, as a list, so that it can be gone through again."""


def maybe_evaluate(value: Any) -> Any:
    """The value of a lazy call; anything else is returned as it is."""
    return value.evaluate() if isinstance(value, lazy) else value


def memoize(maxsize: int | None = None, keyfun: Callable[..., Any] | None = None, Cache: Any = None) -> Any:  # noqa: N803 - the documented name
    """A decorator: remember what a function returned; see :func:`functools.lru_cache`.

    Raises:
        TypeError: for a ``keyfun`` or a ``Cache``, which are not supported.
    """
    if keyfun is not None or Cache is not None:
        raise TypeError("memoize: keyfun and Cache are not supported; use functools.lru_cache or a mapping of your own")
    return lru_cache(maxsize)


def noop(*_args: Any, **_kwargs: Any) -> None:
    """Do nothing."""


def pass1(arg: T, *_args: Any, **_kwargs: Any) -> T:
    """The first argument."""
    return arg


def first(predicate: Callable[[Any], Any] | None, it: Iterable[T]) -> T | None:
    """The first item for which ``predicate`` is true, or without one the first that is not None; else None."""
    return next((item for item in it if (item is not None if predicate is None else predicate(item))), None)


def chunks(it: Iterator[T], n: int) -> Iterator[list[T]]:
    """Lists of ``n`` items each; the last may be shorter."""
    while taken := list(islice(it, n)):
        yield taken


def padlist(container: Iterable[Any], size: int, default: Any = None) -> Iterator[Any]:
    """The first ``size`` items, filled up with a default."""
    items = list(container)[:size]
    yield from items
    yield from [default] * (size - len(items))


def mattrgetter(*attrs: str) -> Callable[[Any], dict[str, Any]]:
    """A function that returns these attributes of an object as a mapping; missing ones are None."""
    return lambda obj: {name: getattr(obj, name, None) for name in attrs}


def uniq(it: Iterable[T]) -> Iterator[T]:
    """Each item once, in order."""
    yield from dict.fromkeys(it)


def is_list(obj: Any, scalars: tuple[type, ...] = (Mapping, str), iters: tuple[type, ...] = (Iterable,)) -> bool:
    """Whether something can be gone through and is no text or mapping."""
    return isinstance(obj, iters) and not isinstance(obj, scalars or ())


def maybe_list(obj: Any, scalars: tuple[type, ...] = (Mapping, str)) -> Any:
    """A list of the one value; lists and None are returned as they are."""
    return obj if obj is None or is_list(obj, scalars) else [obj]


def dictfilter(d: Mapping[str, Any] | None = None, **kw: Any) -> dict[str, Any]:
    """What is not None."""
    return {key: value for key, value in {**(d or {}), **kw}.items() if value is not None}


def maybe(typ: Callable[[Any], T], val: Any) -> T | None:
    """``typ(val)``; None stays None."""
    return None if val is None else typ(val)


def firstmethod(method: str) -> Callable[..., Any]:
    """A function: call ``method`` of each object in a list until one answers with something else than None."""
    call = attrgetter(method)

    def answer(objects: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        answers = (call(maybe_evaluate(each))(*args, **kwargs) for each in objects)
        return next((found for found in answers if found is not None), None)

    return answer


def fun_accepts_kwargs(fun: Callable[..., Any]) -> bool:
    """Whether a function takes any keyword argument."""
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(fun).parameters.values())


def fun_takes_argument(name: str, fun: Callable[..., Any], position: int | None = None) -> bool:
    """Whether a function has a parameter of that name, takes any, or has that many positional ones."""
    parameters = inspect.signature(fun).parameters
    positional = [
        each for each in parameters.values() if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
    ]
    anything = any(each.kind in {each.VAR_KEYWORD, each.VAR_POSITIONAL} for each in parameters.values())
    return anything or name in parameters or (position is not None and len(positional) >= position)


def seq_concat_item(seq: Any, item: Any) -> Any:
    """A sequence and one more item, of the same type."""
    return type(seq)([*seq, item])


def seq_concat_seq(a: Any, b: Any) -> Any:
    """Two sequences, of the type of the first."""
    return type(a)([*a, *b])


def is_numeric_value(value: object) -> bool:
    """Whether it is a number and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


__getattr__ = missing(__name__)

__all__ = [
    "LRUCache",
    "chunks",
    "dictfilter",
    "first",
    "firstmethod",
    "fun_accepts_kwargs",
    "is_list",
    "lazy",
    "mattrgetter",
    "maybe",
    "maybe_evaluate",
    "maybe_list",
    "memoize",
    "mlazy",
    "noop",
    "padlist",
    "regen",
    "uniq",
]
