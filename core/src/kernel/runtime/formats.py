"""The serializers and compressors of one application: those of its plugins, with the options it gives them."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from kernel.contracts.compressor import Compressor
from kernel.contracts.serializer import FormatContext, Serializer
from kernel.errors import KernelError, PluginError
from kernel.errors.near import did_you_mean
from kernel.model.config import Config
from kernel.runtime.plugin_options import check_options
from kernel.runtime.plugin_set import LoadedPlugin, PluginSet

SETTING = "plugin_options"

F = TypeVar("F", Serializer, Compressor)


class Formats:
    """Configures every serializer and compressor once.

    Attributes:
        serializers: in the order loaded.
        compressors: in the order loaded.

    Raises:
        PluginError: E106 for options of a plugin that is not loaded or takes none, and for what a plugin refuses.
        ImproperlyConfigured: raised by a plugin for options that cannot work.
    """

    def __init__(self, config: Config, plugins: PluginSet) -> None:
        self._given: Mapping[str, Any] = config.plugin_options
        self._settings = MappingProxyType(
            {name: getattr(config, name) for name in config.__slots__ if name.startswith("security_")}
        )
        self._simple = MappingProxyType(_simple(plugins.serializers))
        self._needed = named_serializers(config) | named_compressors(config)
        self._owners = plugins.owners
        self._check_names({owner.name for (noun, _), owner in plugins.owners.items() if noun in _NOUNS})
        self.serializers = [self._configured("serializer", each) for each in plugins.serializers]
        self.compressors = [self._configured("compressor", each) for each in plugins.compressors]

    def _configured(self, noun: str, each: F) -> F:
        owner = self._owners.get((noun, each.name))
        if owner is None:  # not of a plugin
            return each
        given = self._given.get(owner.name, {})
        if not isinstance(given, Mapping):
            message = f"{SETTING}.{owner.name} is of type {type(given).__name__}."
            raise PluginError("E106", message, cure="Give a mapping of options.", plugin=owner.name)
        options = check_options(owner.name, owner.options, given, setting=f"{SETTING}.{owner.name}")
        names = {each.name, each.content_type} if isinstance(each, Serializer) else {each.name, *each.aliases}
        context = FormatContext(
            MappingProxyType(options), self._settings, self._simple, time.time, needed=bool(names & self._needed)
        )
        return _guarded(owner, each.configured, context)

    def _check_names(self, formats: set[str]) -> None:
        for name in self._given:
            if name not in formats:
                cure = did_you_mean(name, formats) or (
                    f"Name {name!r} in plugins. Brokers and result backends have options of their own: "
                    f"broker_transport_options, result_backend_transport_options."
                )
                message = f"{SETTING}.{name}: no plugin of that name with a serializer or compressor is loaded."
                raise PluginError("E106", message, cure=cure, plugin=name)


_NOUNS = frozenset({"serializer", "compressor"})


def named_serializers(config: Config) -> set[str]:
    """The names and content types of serializers that settings name."""
    chosen = {config.task_serializer, config.result_serializer, config.event_serializer}
    return chosen.union(config.accept_content, config.result_accept_content or ())


def named_compressors(config: Config) -> set[str]:
    """The names of compressors that settings name."""
    return {name for name in (config.task_compression, config.result_compression) if name}


def _simple(serializers: tuple[Serializer, ...]) -> dict[str, Serializer]:
    """Those that are complete without a context, by name and content type; a name counts more than a type."""
    plain = [each for each in serializers if type(each).configured is Serializer.configured]
    return {each.content_type: each for each in plain} | {each.name: each for each in plain}


def _guarded(owner: LoadedPlugin, configure: Callable[[FormatContext], F], context: FormatContext) -> F:
    try:
        return configure(context)
    except KernelError:
        raise
    except Exception as error:
        # Without its text: it may quote an option that is a secret.
        message = f"plugin {owner.origin} failed to take its options: {type(error).__name__}."
        raise PluginError("E106", message, cure=f"Check {SETTING}.{owner.name}.", plugin=owner.name) from error
