"""Settings with a name of their own that are options of the broker's plugin (features.md part 3)."""

from collections.abc import Container, Mapping
from typing import Any

from kernel.errors import PluginError
from kernel.model.config import Config

OPTION_OF: Mapping[str, str] = {
    "broker_heartbeat": "heartbeat",
    "broker_login_method": "login_method",
    "broker_native_delayed_delivery_queue_type": "delay_queue_type",
    "task_default_queue_type": "queue_type",
}
"""Setting → option, the same in every plugin that has it."""


def broker_options(plugin: str, declared: Container[str], config: Config) -> dict[str, Any]:
    """``broker_transport_options``, completed by the settings that name an option.

    Args:
        plugin: the broker's, for messages.
        declared: the options it takes.
        config: the settings; those left at None say nothing.

    Raises:
        PluginError: E107 for a setting that the plugin has no option for, E106 for one that is contradicted.
    """
    found = dict(config.broker_transport_options)
    for setting, option in OPTION_OF.items():
        value = getattr(config, setting)
        if value is None:
            continue
        if option not in declared:
            message = f"{setting} = {value!r} needs option {option!r}, which plugin {plugin!r} does not have."
            raise PluginError("E107", message, cure=f"Use a broker that has it, or unset {setting}.", plugin=plugin)
        if found.setdefault(option, value) != value:
            message = f"broker_transport_options.{option} = {found[option]!r}, and {setting} = {value!r}."
            raise PluginError("E106", message, cure="Say it once.", plugin=plugin)
    return found
