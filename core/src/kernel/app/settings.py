"""``app.conf``: the settings of one application, merged from their sources (architecture.md 6, features.md 1.16)."""

import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from os import PathLike, fspath
from typing import Any, TypeAlias

from kernel.app.config_layers import Layer, effective, given, merged
from kernel.app.config_objects import ObjectSource, read_object
from kernel.app.setting_checks import check_together
from kernel.app.setting_names import unknown_setting
from kernel.app.setting_table import SETTINGS
from kernel.errors.setup import ImproperlyConfigured
from kernel.model.config import Config
from kernel.model.masking import masked

Defaults: TypeAlias = Mapping[str, object] | Callable[[], Mapping[str, object]]


class Settings(Mapping[str, Any]):
    """Settings by attribute or item, each write checked at once, each read from the merged whole.

    Sources, strongest first: command line, changes made here, the constructor, the environment, one object
    (:meth:`config_from_object`), one file (``kernel.toml`` or ``[tool.kernel]`` of ``pyproject.toml``), added
    defaults, the defaults of the table. The first read of a value reads the environment, the object and the file;
    nothing is read before, and nothing again.

    Args:
        constructor: settings the application was created with.
        environ: the environment; None is that of the process.
        cwd: where files are looked for; None is the working directory.
        use_files: look for a file, or read the one ``KERNEL_CONFIG`` names; one given to :meth:`use_file` always is.

    Raises:
        UnknownSetting: a name that is no setting; an ``AttributeError``, too.
        ImproperlyConfigured: a value that cannot work; from a source that is read late, when the first value is read.
    """

    __slots__ = (
        "_added",
        "_changes",
        "_command_line",
        "_constructor",
        "_current",
        "_file",
        "_first_read",
        "_keys",
        "_lock",
        "_object",
        "_read",
        "_where",
    )

    def __init__(
        self,
        constructor: Mapping[str, object] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        cwd: str | PathLike[str] | None = None,
        use_files: bool = True,
    ) -> None:
        self._lock = threading.RLock()  # a configuration module may read app.conf while it is imported
        self._constructor = _layer(constructor or {}, "constructor")
        self._changes: Layer = {}
        self._command_line: Layer = {}
        self._keys: Layer = {}
        self._added: list[Defaults] = []
        self._object: ObjectSource | None = None
        self._file: str | None = None
        self._where = (environ, fspath(cwd or ""), use_files)
        self._read: dict[str, Layer] = {}  # sources already read, by kind
        self._current: tuple[Config, dict[str, str]] | None = None  # effective settings and their origins
        self._first_read: Callable[[], None] | None = None  # who wants to know of the first read

    # Reading

    def snapshot(self) -> Config:
        """The effective settings, frozen; the same object until something changes."""
        current = self._current
        return current[0] if current is not None else self._merge()[0]

    def origin(self, name: str) -> str:
        """Where the value comes from: ``environment KERNEL_BROKER_URL``, ``kernel.toml``, ``app.conf``, ``default``."""
        _known(name)
        return (self._current or self._merge())[1][name]

    def table(self, *, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        """The settings as a dict, in the table's order: those that some source gives, or all.

        ``censored`` puts asterisks in place of passwords, keys and tokens, and turns objects into text.
        """
        config, origins = self._current or self._merge()
        shown = {name: getattr(config, name) for name in SETTINGS if with_defaults or origins[name] != "default"}
        if not censored:
            return shown
        return {name: masked(value, name, secret=SETTINGS[name].secret) for name, value in shown.items()}

    def humanize(self, *, with_defaults: bool = False, censored: bool = True) -> str:
        """The same as lines of text, ``name: value``."""
        table = self.table(with_defaults=with_defaults, censored=censored)
        return "\n".join(f"{name}: {value!r}" for name, value in table.items())

    def get(self, key: str, default: Any = None) -> Any:
        """The value; ``default`` only for a name that is no setting."""
        return self[key] if key in SETTINGS else default

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        _known(name)
        return getattr(self.snapshot(), name)

    def __contains__(self, name: object) -> bool:
        return name in SETTINGS

    def __iter__(self) -> Iterator[str]:
        return iter(SETTINGS)

    def __len__(self) -> int:
        return len(SETTINGS)

    def __repr__(self) -> str:
        """Without reading any source: showing an application in a debugger must not start it."""
        return f"<Settings {self.table()}>" if self._current is not None else "<Settings, not read yet>"

    # Writing

    def update(self, settings: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Change several settings at run time, all or none of them."""
        self._put(self._changes, _layer({**(settings or {}), **more}, "app.conf"))

    def put_key(self, name: str, key: str, value: object) -> None:
        """Set one key of a mapping, over whatever the sources say of the others; nothing is read for it."""
        self._put(
            self._keys,
            {name: merged(given(name, {key: value}, "app.conf")._replace(partial=True), self._keys.get(name))},
        )

    def when_read(self, tell: Callable[[], None]) -> None:
        """Call this once, when settings have been read for the first time."""
        self._first_read = tell

    def use_command_line(self, options: Mapping[str, object]) -> None:
        """Take the options of a command, by setting name; None means that an option was not given."""
        chosen = {name: value for name, value in options.items() if value is not None}
        self._put(self._command_line, _layer(chosen, "command line"))

    def __setattr__(self, name: str, value: object) -> None:
        if name in Settings.__slots__:
            object.__setattr__(self, name, value)
        else:
            self.update({name: value})

    def __setitem__(self, name: str, value: object) -> None:
        self.update({name: value})

    # Sources

    def config_from_object(
        self, obj: object, *, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from a module, class, instance or mapping, or from one named ``'module'``, ``'module:attr'``.

        It is read with the first value, or at once with ``force``; a later call replaces an earlier one. What the
        constructor, the environment or ``app.conf`` say stays stronger, whenever it is said (features.md 1.16).

        Args:
            obj: the object, or its name.
            silent: a named module that does not exist counts as empty.
            force: read it now.
            namespace: ``'CELERY'`` takes upper-case ``CELERY_<NAME>`` only, as in Django settings.
        """
        if obj is None or obj == "":
            raise ImproperlyConfigured(
                f"config_from_object({obj!r}) names nothing.", cure="Give a module or an object."
            )
        with self._lock:
            self._object = ObjectSource(obj, silent, namespace)
            self._forget("object")
            if force:
                self._source("object")

    def config_from_envvar(self, variable_name: str, *, silent: bool = False, force: bool = False) -> None:
        """Take settings from the module that a variable of the environment names."""
        name = self._sources().variable(variable_name)
        if name:
            self.config_from_object(name, silent=silent, force=force)
        elif not silent:
            raise ImproperlyConfigured(
                f"The variable {variable_name} is not set, so it names no configuration.",
                cure=f"Set {variable_name} to the name of a module.",
            )

    def use_file(self, path: str | PathLike[str]) -> None:
        """Take settings from this file, and look for no other."""
        with self._lock:
            self._file = fspath(path)
            self._forget("file")

    def add_defaults(self, defaults: Defaults) -> None:
        """Add a source that is stronger than the table only; a function is called with the first read."""
        with self._lock:
            self._added.append(defaults)
            self._forget("defaults")

    def _merge(self) -> tuple[Config, dict[str, str]]:
        with self._lock:
            if self._current is None:
                late = [self._source(kind) for kind in ("environment", "object", "file", "defaults")]
                layers = [self._keys, self._command_line, self._changes, self._constructor, *late]
                found = {name: effective(setting, layers) for name, setting in SETTINGS.items()}
                config = Config(**{name: each.value for name, each in found.items()})
                origins = {name: each.origin for name, each in found.items()}
                check_together(config, origins)
                self._current = config, origins
            current, tell, self._first_read = self._current, self._first_read, None
        if tell is None:
            return current
        tell()  # without the lock: it runs code of the application
        return self._current or self._merge()

    def _source(self, kind: str) -> Layer:
        if kind not in self._read:
            self._read[kind] = self._read_source(kind)
        return self._read[kind]

    def _read_source(self, kind: str) -> Layer:
        match kind:
            case "environment":
                layer: Layer = self._sources().environment()
            case "object":
                layer = read_object(self._object) if self._object is not None else {}
            case "file":
                layer = self._sources().file(self._file)
            case _:
                layer = self._read_defaults()
        return layer

    def _read_defaults(self) -> Layer:
        layer: Layer = {}
        for added in self._added:
            layer.update(_layer(added() if callable(added) else added, "add_defaults"))
        return layer

    def _sources(self) -> Any:
        """The readers. Imported late: logging, pathlib and the like would be a fifth of ``import kernel``."""
        environ, cwd, use_files = self._where
        return import_module("kernel.app.config_sources").Sources(environ, cwd, use_files=use_files)

    def _put(self, layer: Layer, changes: Layer) -> None:
        with self._lock:
            layer.update(changes)
            self._current = None

    def _forget(self, kind: str) -> None:
        self._read.pop(kind, None)
        self._current = None


def _known(name: str) -> None:
    if name not in SETTINGS:
        raise unknown_setting(name, "app.conf")


def _layer(settings: Mapping[str, object], origin: str) -> Layer:
    return {name: given(name, value, origin) for name, value in settings.items()}
