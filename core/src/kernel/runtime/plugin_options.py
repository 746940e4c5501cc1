"""Options given to a driver, against the options its plugin declares (E106)."""

from collections.abc import Mapping

from kernel.contracts.manifest import Option
from kernel.errors import PluginError
from kernel.errors.near import did_you_mean


def check_options(
    plugin: str, declared: Mapping[str, Option], given: Mapping[str, object], *, setting: str = "options"
) -> dict[str, object]:
    """What the driver gets: the given options, and the defaults of the others.

    An integer is accepted where a float is declared; a boolean is no integer. None is accepted where it is the
    default.

    Args:
        plugin: name of the plugin, for messages.
        declared: the options of its manifest.
        given: the options of configuration.
        setting: the setting they come from, such as ``broker_transport_options``; messages say ``setting.option``.

    Raises:
        PluginError: E106 for the first option that is unknown or has a value of another type.
    """
    for name, value in given.items():
        path = f"{setting}.{name}"
        if name not in declared:
            advice = did_you_mean(str(name), declared) or _list_of(plugin, declared)
            raise PluginError("E106", f"{path}: plugin {plugin!r} has no such option.", cure=advice, plugin=plugin)
        option = declared[name]
        if not _accepts(option, value):
            shown = "a secret value" if option.secret else repr(value)
            message = f"{path}: plugin {plugin!r} takes {type_names(option)}, not {shown} ({type(value).__name__})."
            raise PluginError("E106", message, cure=f"{option.doc[:1].upper()}{option.doc[1:]}", plugin=plugin)
    return {name: option.default for name, option in declared.items()} | dict(given)


def type_names(option: Option) -> str:
    """The accepted types in words, such as ``int or str``."""
    return " or ".join(accepted.__name__ for accepted in _types(option))


def _types(option: Option) -> tuple[type, ...]:
    return option.type if isinstance(option.type, tuple) else (option.type,)


def _accepts(option: Option, value: object) -> bool:
    if value is None and option.default is None:
        return True
    types = _types(option)
    if isinstance(value, bool):
        return bool in types or object in types
    if isinstance(value, int) and float in types:
        return True
    return isinstance(value, types)


def _list_of(plugin: str, declared: Mapping[str, Option]) -> str:
    if not declared:
        return f"Plugin {plugin!r} takes no options."
    return f"It takes: {', '.join(sorted(declared))}."
