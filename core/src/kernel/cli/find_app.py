"""From the text after ``-A`` to the app it names (features.md 1.28)."""

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final, Generic, TypeVar

from kernel.cli.exits import CommandError, Exit
from kernel.errors import KernelError
from kernel.errors.near import did_you_mean

ATTRIBUTES: Final = ("app", "kernel", "celery")
"""The names under which a module's app is looked for, in this order, before any other instance."""

SUBMODULES: Final = ("kernel", "celery")
"""A package without one of these attributes keeps its app in such a submodule, before any other instance in it."""

App = TypeVar("App")


class Finder(Generic[App]):
    """Finds an instance of `kind` by path; every failure is one line that tells what was tried.

    ``module.path:attribute`` names it exactly. ``module.path`` means the module's ``app``, ``kernel`` or ``celery``;
    for a package then its submodule ``kernel`` or ``celery`` by these same rules; then any instance in the module. A
    path whose last part is no module is taken as ``module.attribute``.

    Args:
        kind: the class an app is an instance of.
    """

    def __init__(self, kind: type[App]) -> None:
        self._kind = kind
        self._tried: list[str] = []

    def find(self, path: str) -> App:
        """The app that `path` names.

        Raises:
            CommandError: 64 when the path is malformed, 66 when there is no such module, attribute or app, 78 when
                importing the module failed or the attribute is something else.
        """
        _check_spelling(path)
        name, colon, attribute = path.partition(":")
        if colon:
            return self._exactly(path, _import(name), attribute)
        module = self._import_or_attribute(path)
        if not isinstance(module, ModuleType):
            return self._typed(path, module)
        found = self._in_module(module)
        if found is None:
            raise CommandError(
                Exit.NO_INPUT,
                f"-A {path}: no app found (tried: {', '.join(self._tried)}).",
                cure=f"Name it exactly, as in -A {path}:my_app.",
            )
        return found

    def _exactly(self, path: str, module: ModuleType, attribute: str) -> App:
        value: object = module
        for part in attribute.split("."):
            names = vars(value) if hasattr(value, "__dict__") else ()
            if not hasattr(value, part):
                raise CommandError(
                    Exit.NO_INPUT,
                    f"-A {path}: {module.__name__} has no attribute {attribute!r}.",
                    cure=did_you_mean(part, names) or f"Apps are usually called {', '.join(ATTRIBUTES)}.",
                )
            value = getattr(value, part)
        return self._typed(path, value)

    def _typed(self, path: str, value: object) -> App:
        if not isinstance(value, self._kind):
            raise CommandError(
                Exit.CONFIG,
                f"-A {path}: is {type(value).__name__} {value!r:.80}, not a {self._kind.__name__} app.",
                cure=f"Point -A at the instance of {self._kind.__name__}.",
            )
        return value

    def _import_or_attribute(self, path: str) -> object:
        try:
            return _import(path)
        except CommandError as error:
            parent, dot, last = path.rpartition(".")
            if error.exit_code != Exit.NO_INPUT or not dot:
                raise
            try:
                module = _import(parent)
            except CommandError:
                raise error from None
            if not hasattr(module, last):
                raise
            return getattr(module, last)

    def _in_module(self, module: ModuleType) -> App | None:
        name = module.__name__
        for attribute in ATTRIBUTES:
            self._tried.append(f"{name}:{attribute}")
            value = getattr(module, attribute, None)
            if isinstance(value, self._kind):
                return value
        for submodule in [f"{name}.{each}" for each in SUBMODULES] if hasattr(module, "__path__") else []:
            self._tried.append(submodule)
            if _exists(submodule) and (found := self._in_module(_import(submodule))) is not None:
                return found
        self._tried.append(f"any {self._kind.__name__} in {name}")
        return next((value for value in vars(module).values() if isinstance(value, self._kind)), None)


def _check_spelling(path: str) -> None:
    name, colon, attribute = path.partition(":")
    parts = name.split(".") + (attribute.split(".") if colon else [])
    if all(part.isidentifier() for part in parts):
        return
    cure = "Write module.path:attribute, as in -A proj.tasks:app."
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        cure = f"Write the module, not the file: -A {dotted}{colon}{attribute}."
    raise CommandError(Exit.USAGE, f"-A {path}: not a path of modules and attributes.", cure=cure)


def _exists(name: str) -> bool:
    try:
        _import(name)
    except CommandError as error:
        if error.exit_code == Exit.NO_INPUT:
            return False
        raise
    return True


def _import(name: str) -> ModuleType:
    with _import_errors(name):
        return importlib.import_module(name)


@contextmanager
def _import_errors(name: str) -> Iterator[None]:
    """Tell a module that does not exist from one that exists and fails."""
    try:
        yield
    except KernelError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not (f"{name}.").startswith(f"{error.name}."):
            raise _failed(name, error) from error
        missing = f"no module {error.name!r}" + (f" for {name!r}" if error.name != name else "")
        raise CommandError(
            Exit.NO_INPUT,
            f"-A {name}: {missing} (searched from {Path.cwd()}).",
            cure=did_you_mean(error.name, _modules_here()) or "Start in its folder, or give the folder with --workdir.",
        ) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error


def _failed(name: str, error: BaseException) -> CommandError:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return CommandError(
        Exit.CONFIG,
        f"-A {name}: importing it failed: {type(error).__name__}: {text}{place}.",
        cure="KERNEL_DEBUG=1 shows the traceback.",
    )


def _modules_here() -> list[str]:
    here = Path.cwd()
    files = [path.stem for path in here.glob("*.py")]
    packages = [path.parent.name for path in here.glob("*/__init__.py")]
    return files + packages


def import_from(workdir: Path) -> None:
    """Make the modules of `workdir` importable, before all others."""
    folder = str(workdir)
    if folder not in sys.path:
        sys.path.insert(0, folder)
