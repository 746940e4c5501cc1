"""What an application and its surroundings say, in Celery's words, from every source (features.md 1.16)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from plugin_compat_celery.adapter.configuration.reading import CONFIG_MODULE, ENVIRONMENT, Source, read, today

Defaults: TypeAlias = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


class WatchedDict(dict[str, Any]):
    """A mapping read from ``app.conf``. Changes in place are told, so that ``app.conf.task_routes[name] = …`` works."""

    def __init__(self, value: Mapping[str, Any], changed: "Callable[[WatchedDict], None]") -> None:
        super().__init__(value)
        self._changed = changed

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._changed(self)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._changed(self)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As of a dict."""
        super().update(*args, **kwargs)
        self._changed(self)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        found = super().setdefault(key, default)
        self._changed(self)
        return found

    def pop(self, *args: Any) -> Any:
        """As of a dict."""
        found = super().pop(*args)
        self._changed(self)
        return found

    def clear(self) -> None:
        """As of a dict."""
        super().clear()
        self._changed(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class Given:
    """Settings by source, weakest first: added defaults, one object, the constructor, changes, the environment.

    Args:
        constructor: what the application was made with.
        prefix: the namespace of settings, such as ``'CELERY'``; None is none.
        environ: variables.

    Attributes:
        spelled: the name that each setting was given by last.
    """

    def __init__(self, constructor: Mapping[str, Any], prefix: str | None, environ: Mapping[str, str]) -> None:
        self.prefix = prefix
        self.constructor = dict(constructor)
        self.changes: dict[str, Any] = {}
        self._defaults: list[Defaults] = []
        self._object: tuple[object, bool] | None = None
        self._environ = environ
        self._read: Source | None = None
        self._merged: dict[str, Any] | None = None
        self.spelled: dict[str, str] = {}

    def set_object(self, obj: object, *, silent: bool) -> None:
        """Take settings from this object, in place of an earlier one."""
        self._object, self._read, self._merged = (obj, silent), None, None

    def add_defaults(self, defaults: Defaults) -> None:
        """Add a source that is weaker than all others."""
        self._defaults.append(defaults)
        self._merged = None

    def change(self, name: str, value: Any) -> None:
        """Set one at run time."""
        self.changes[today(name, self.prefix)] = value
        self._merged = None

    def all(self) -> dict[str, Any]:
        """Every setting that some source gives, by its name of today."""
        if self._merged is None:
            layers = (*map(_called, self._defaults), self.read(), self.constructor, self.changes)
            found = [(today(name, self.prefix), name, value) for layer in layers for name, value in layer.items()]
            for variable, name in ENVIRONMENT.items():
                if self._environ.get(variable):
                    found.append((name, variable, self._environ[variable]))
            there = self._read.spelled if self._read is not None else {}
            self.spelled = {name: there.get(given, given) for name, given, _ in found}
            self._merged = {name: value for name, _, value in found}
        return self._merged

    def read(self) -> Mapping[str, Any]:
        """The settings of the object; without one, of the module that ``CELERY_CONFIG_MODULE`` names."""
        if self._read is None:
            obj, silent = self._object or (self._environ.get(CONFIG_MODULE) or {}, False)
            self._read = read(obj, silent=silent, prefix=self.prefix)
        return self._read.values


class Without(Mapping[str, str]):
    """Variables of the environment but for some, which are read elsewhere."""

    def __init__(self, environ: Mapping[str, str], hidden: Mapping[str, str]) -> None:
        self._environ = environ
        self._hidden = hidden

    def __getitem__(self, name: str) -> str:
        if name in self._hidden:
            raise KeyError(name)
        return self._environ[name]

    def __iter__(self) -> Any:
        return (name for name in self._environ if name not in self._hidden)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _called(defaults: Defaults) -> Mapping[str, Any]:
    return defaults if isinstance(defaults, Mapping) else defaults()
