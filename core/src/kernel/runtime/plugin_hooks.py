"""Calling start-up hooks so that a failing plugin is named."""

import traceback

from kernel.runtime.plugin_failures import hook_error
from kernel.runtime.plugin_set import LoadedPlugin, PluginSet


def call_hook(plugins: PluginSet, hook: str, **arguments: object) -> None:
    """Call ``hook`` of every plugin that has it, the last loaded first. Never per message.

    Raises:
        PluginError: E103 for a plugin that fails, E108 for one that exits; those after it are not called.
    """
    try:
        getattr(plugins.hooks, hook)(**arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        culprit = _culprit(plugins, hook, error)
        if culprit is None:
            raise
        raise hook_error(culprit, hook, error) from error


def _culprit(plugins: PluginSet, hook: str, error: BaseException) -> LoadedPlugin | None:
    """The plugin whose implementation is on the way to where the error was raised."""
    codes = {frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)}
    for implementation in getattr(plugins.hooks, hook).get_hookimpls():
        if getattr(implementation.function, "__code__", None) in codes:
            return next((p for p in plugins.loaded if p.name == implementation.plugin_name), None)
    return None
