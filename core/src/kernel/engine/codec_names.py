"""Names of serializers and compressors: one owner each, and a helpful word about the ones nobody owns."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from kernel.errors import ImproperlyConfigured, PluginError
from kernel.errors.near import did_you_mean

T = TypeVar("T")

_PLUGINS = {
    "pickle": ("serializer.pickle", ""),
    "application/x-python-serialize": ("serializer.pickle", ""),
    "yaml": ("serializer.yaml", "plugin-serializer-yaml"),
    "application/x-yaml": ("serializer.yaml", "plugin-serializer-yaml"),
    "brotli": ("compression.brotli", "plugin-compression-brotli"),
    "application/x-brotli": ("compression.brotli", "plugin-compression-brotli"),
    "msgpack": ("serializer.msgpack", "plugin-serializer-msgpack"),
    "application/x-msgpack": ("serializer.msgpack", "plugin-serializer-msgpack"),
    "signed": ("serializer.signed", "plugin-serializer-signed"),
    "application/x-kernel-signed": ("serializer.signed", "plugin-serializer-signed"),
    "auth": ("serializer.auth", "plugin-serializer-signed"),
    "zstd": ("compression.zstd", "plugin-compression-zstd"),
    "zstandard": ("compression.zstd", "plugin-compression-zstd"),
    "application/zstd": ("compression.zstd", "plugin-compression-zstd"),
}
"""First-party plugins that are loaded only when named: the plugin, and its distribution if it has its own."""


def by_name(kind: str, provided: Iterable[tuple[tuple[str, ...], T]]) -> dict[str, T]:
    """Every name and alias to its owner.

    Raises:
        PluginError: E105 when two claim one name.
    """
    found: dict[str, T] = {}
    for names, owner in provided:
        for name in names:
            if found.setdefault(name, owner) is not owner:
                raise PluginError(
                    "E105",
                    f"Two plugins provide the {kind} {name!r}: {_class_of(found[name])} and {_class_of(owner)}",
                    cure="Name only one of them in plugins.",
                )
    return found


def unknown_name(kind: str, name: str, known: Mapping[str, object]) -> ImproperlyConfigured:
    """The error for a name that no loaded plugin provides."""
    cure = did_you_mean(name, known) or install_hint(name) or f"Known are {', '.join(sorted(known)) or 'none'}."
    return ImproperlyConfigured(f"There is no {kind} {name!r}", cure=cure)


def install_hint(name: str) -> str:
    """What to do to get the first-party plugin that provides ``name``; empty for a stranger."""
    if name not in _PLUGINS:
        return ""
    plugin, distribution = _PLUGINS[name]
    first = f"Run 'pip install {distribution}' and add" if distribution else "Add"
    return f"{first} {plugin!r} to plugins."


def _class_of(owner: object) -> str:
    return f"{type(owner).__module__}.{type(owner).__qualname__}"
