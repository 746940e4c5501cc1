"""Settings in files: table ``[kernel]`` of ``kernel.toml``, or ``[tool.kernel]`` of ``pyproject.toml``."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kernel.app.config_layers import Layer, given
from kernel.errors.near import did_you_mean
from kernel.errors.setup import ImproperlyConfigured

FILE = "kernel.toml"
PYPROJECT = "pyproject.toml"


class ConfigFile(NamedTuple):
    """A file to read; ``explicit`` when somebody named it, so that it has to be there and has to have the table."""

    path: Path
    shown: str
    explicit: bool


def find_file(cwd: Path, explicit: str | None, source: str) -> ConfigFile | None:
    """The file that counts: the named one, else ``kernel.toml``, else ``pyproject.toml``; None when there is none."""
    if explicit is not None:
        return ConfigFile(cwd / explicit, f"{explicit}, named by {source}", explicit=True)
    for name in (FILE, PYPROJECT):
        if (cwd / name).is_file():
            return ConfigFile(cwd / name, name, explicit=False)
    return None


def read_file(file: ConfigFile) -> Layer:
    """The settings of a file.

    Raises:
        ImproperlyConfigured: not there, not readable, no TOML, without the table, or with something beside it.
        UnknownSetting: an unknown key, with the file's name.
    """
    table = _table(file, _load(file))
    origin = f"{file.shown} [tool.kernel]" if file.path.name == PYPROJECT else file.shown
    return {name: given(name, value, origin) for name, value in table.items()}


def _load(file: ConfigFile) -> dict[str, Any]:
    try:
        with file.path.open("rb") as stream:
            content: dict[str, Any] = tomllib.load(stream)
            return content
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        problem = "is not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        problem = f"is no valid TOML: {error}"
    raise ImproperlyConfigured(f"The configuration file {file.shown} {problem}.", cure="Correct it, or its name.")


def _table(file: ConfigFile, content: Mapping[str, Any]) -> Mapping[str, Any]:
    in_pyproject = file.path.name == PYPROJECT
    where = content.get("tool", {}) if in_pyproject else content
    table = where.get("kernel") if isinstance(where, Mapping) else None
    header = "[tool.kernel]" if in_pyproject else "[kernel]"
    if not in_pyproject:
        _nothing_else(file, content)
    if table is None and not file.explicit:
        return {}
    if not isinstance(table, Mapping):
        raise ImproperlyConfigured(
            f"The configuration file {file.shown} has no table {header}.", cure=f"Write the settings below {header}."
        )
    return table


def _nothing_else(file: ConfigFile, content: Mapping[str, Any]) -> None:
    for key in content:
        if key != "kernel":
            raise ImproperlyConfigured(
                f"In the configuration file {file.shown}, {key!r} stands outside the table [kernel]."
                f" {did_you_mean(key, ['kernel'])}".rstrip(),
                cure="Write every setting below [kernel].",
            )
