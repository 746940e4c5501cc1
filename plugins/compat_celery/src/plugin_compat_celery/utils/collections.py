"""``celery.utils.collections``: mappings with attributes."""

from collections import ChainMap as ChainMap
from collections import OrderedDict as OrderedDict
from collections.abc import Iterator, MutableMapping
from typing import Any

from plugin_compat_celery.adapter.absent import missing


class AttributeDict(dict[str, Any]):
    """A dict whose items are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class DictAttribute(MutableMapping[str, Any]):
    """The attributes of an object as a mapping."""

    def __init__(self, obj: Any) -> None:
        object.__setattr__(self, "obj", obj)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "obj"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "obj"), name, value)

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self.obj, key)
        except AttributeError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def __delitem__(self, key: str) -> None:
        delattr(self.obj, key)

    def __iter__(self) -> Iterator[str]:
        return iter(dir(self.obj))

    def __len__(self) -> int:
        return len(dir(self.obj))


def force_mapping(m: Any) -> Any:
    """A mapping; of an object that is none, its attributes."""
    return m if isinstance(m, MutableMapping) else DictAttribute(m)


def lpmerge(L: dict[str, Any], R: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - the documented names
    """Put what is not None in R into L; returns it."""
    L.update({key: value for key, value in R.items() if value is not None})
    return L


__getattr__ = missing(__name__)

__all__ = ["AttributeDict", "ChainMap", "DictAttribute", "OrderedDict", "force_mapping", "lpmerge"]
