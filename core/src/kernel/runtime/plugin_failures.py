"""Saying in one line why a plugin cannot be used, and where it went wrong."""

import traceback
from collections.abc import Iterator

from kernel.errors import PluginError
from kernel.runtime.plugin_set import LoadedPlugin

_MACHINERY = ("importlib", "_frozen_importlib", "stevedore", "pluggy", "kernel.runtime.plugin")
"""Modules in whose frames an author need not look."""


def import_error(plugin: LoadedPlugin, value: str, error: BaseException) -> PluginError:
    """E108 or E102 for what importing ``value`` (``module:attribute``) raised."""
    if isinstance(error, SystemExit):
        return exit_error(plugin, "while being imported", error)
    missing = _first_missing(error)
    update = f"pip install --upgrade {plugin.dist}"
    if missing and _is_own(missing, value.partition(":")[0]):
        what = f"its module {missing!r} does not exist"
        cure = f"Install it again: pip install --force-reinstall {plugin.dist}"
    elif missing:
        what = f"module {missing!r} is missing"
        cure = f"Install what provides {missing!r}, or the plugin again with its requirements: {update}"
    else:
        what = describe(error)
        cure = f"Update it ({update}), or leave it out: kernel plugins disable {plugin.name}"
    message = f"plugin {plugin.origin} cannot be imported: {what}{_place_of(error)}."
    return PluginError("E102", message, cure=cure, plugin=plugin.name)


def hook_error(plugin: LoadedPlugin, hook: str, error: BaseException) -> PluginError:
    """E108 or E103 for what a hook raised; a PluginError of the plugin's own is kept."""
    if isinstance(error, PluginError):
        return error
    if isinstance(error, SystemExit):
        return exit_error(plugin, f"in {hook}()", error)
    return bad_hook(plugin, f"{hook}() failed: {describe(error)}{_place_of(error)}")


def exit_error(plugin: LoadedPlugin, when: str, error: SystemExit) -> PluginError:
    """E108: a plugin that would end the program."""
    message = f"plugin {plugin.origin} called sys.exit({error.code!r}) {when}{_place_of(error)}."
    return PluginError("E108", message, cure=_leave_out(plugin), plugin=plugin.name)


def bad_hook(plugin: LoadedPlugin, what: str, cure: str = "") -> PluginError:
    """E103: something is wrong with a hook."""
    return PluginError("E103", f"plugin {plugin.origin}: {what}.", cure=cure or _leave_out(plugin), plugin=plugin.name)


def describe(error: BaseException) -> str:
    """Type and message of an exception on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"


def _leave_out(plugin: LoadedPlugin) -> str:
    return f"Update it (pip install --upgrade {plugin.dist}), or leave it out: kernel plugins disable {plugin.name}"


def _place_of(error: BaseException) -> str:
    """`` at file:line`` of the innermost statement outside the machinery; empty when there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}:{error.lineno}"
    places = [
        f" at {frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not str(frame.f_globals.get("__name__", "")).startswith(_MACHINERY)
    ]
    return places[-1] if places else ""


def _first_missing(error: BaseException) -> str:
    """The module whose absence began it, following what was raised because of what; empty when none is missing."""
    missing = [step.name for step in _chain(error) if isinstance(step, ModuleNotFoundError) and step.name]
    return missing[-1] if missing and isinstance(error, ImportError) else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        yield step
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)


def _is_own(missing: str, module: str) -> bool:
    """Whether the missing module is one that the plugin itself should have brought."""
    return f"{module}.".startswith(f"{missing}.") or missing.startswith(f"{module.partition('.')[0]}.")
