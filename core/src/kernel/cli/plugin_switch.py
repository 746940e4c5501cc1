"""Where ``kernel plugins disable`` writes: the setting ``disable_plugins`` in the file that configures this folder.

That is the file named by ``--config`` or ``KERNEL_CONFIG``, else ``kernel.toml``, else a ``pyproject.toml`` that has a
table ``[tool.kernel]``, else a new ``kernel.toml``. As everywhere, ``KERNEL_DISABLE_PLUGINS`` is stronger than a file.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel.app.config_environment import CONFIG_VARIABLE, process_environment
from kernel.app.config_files import FILE, PYPROJECT, find_file
from kernel.cli.toml_edit import write_list
from kernel.errors import ImproperlyConfigured
from kernel.runtime.plugin_entries import normalized
from kernel.runtime.plugin_selection import Item, parse_item

SETTING = "disable_plugins"


@dataclass(frozen=True, slots=True)
class Switch:
    """The list of disabled plugins in one file."""

    path: Path
    table: tuple[str, ...]
    words: tuple[str, ...]

    def with_disabled(self, items: list[Item]) -> "Switch":
        """The same with these plugins added."""
        words = dict.fromkeys([*self.words, *map(word_of, items)])
        return Switch(self.path, self.table, tuple(words))

    def with_enabled(self, items: list[Item]) -> "Switch":
        """The same without these plugins; a name without a distribution takes out that of every distribution."""
        words = [word for word in self.words if not any(_covers(item, parse_item(word)) for item in items)]
        return Switch(self.path, self.table, tuple(words))

    def write(self) -> None:
        """Change the file.

        Raises:
            ImproperlyConfigured: it cannot be changed safely, and was left alone.
        """
        write_list(self.path, self.table, SETTING, self.words)


def read_switch(config_source: str | None) -> Switch:
    """The list as the file of this folder has it; empty when there is no file.

    Args:
        config_source: what ``--config`` says.

    Raises:
        ImproperlyConfigured: the file cannot be read, or configuration is a Python module.
    """
    explicit = config_source or process_environment().get(CONFIG_VARIABLE)
    if explicit and not explicit.endswith(".toml"):
        cure = f"Add the plugin to {SETTING} in it by hand, or name a TOML file with --config."
        raise ImproperlyConfigured(f"Configuration is {explicit!r}, which is no TOML file.", cure=cure)
    found = find_file(Path.cwd(), explicit, "--config")
    path = found.path if found else Path(FILE)
    content = _load(path)
    if path.name == PYPROJECT:
        table = content.get("tool", {}).get("kernel")
        if table is not None or explicit:
            return Switch(path, ("tool", "kernel"), _words(path, table or {}))
        path = path.with_name(FILE)
        content = {}
    return Switch(path, ("kernel",), _words(path, content.get("kernel", {})))


def word_of(item: Item) -> str:
    """An item as it is written."""
    return f"{item.dist}:{item.name}" if item.dist else item.name


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode()) if path.exists() else {}
    except (OSError, ValueError) as error:  # not readable, not UTF-8, not TOML
        raise ImproperlyConfigured(f"{path.name} cannot be read: {error}.", cure="Correct it first.") from error


def _words(path: Path, table: Any) -> tuple[str, ...]:
    words = table.get(SETTING, []) if isinstance(table, dict) else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        cure = f"Write it as a list: {SETTING} = []"
        raise ImproperlyConfigured(f"{path.name}: {SETTING} is not a list of names, but {words!r}.", cure=cure)
    return tuple(words)


def _covers(item: Item, word: Item) -> bool:
    return item.name == word.name and (not item.dist or normalized(item.dist) == normalized(word.dist))
