"""Settings of the environment, which is read here and nowhere else.

``KERNEL_<NAME>`` gives a setting, ``KERNEL_<NAME>_FILE`` names a file that holds it (a mounted secret), and
``KERNEL_<NAME>__<KEY>`` gives one key of a mapping. ``CELERY_BROKER_URL`` and ``CELERY_RESULT_BACKEND`` are read for
those who migrate, and are weaker.
"""

import difflib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from kernel.app.celery_names import CELERY_ONLY
from kernel.app.config_layers import Given, Layer, given, merged
from kernel.app.setting_names import unknown_setting
from kernel.app.setting_table import SETTINGS
from kernel.app.setting_text import parse, parse_item
from kernel.app.setting_types import FrozenDict
from kernel.errors.setup import ImproperlyConfigured

PREFIX = "KERNEL_"
CONFIG_VARIABLE = "KERNEL_CONFIG"
_MISSPELT = 0.8  # likeness from which a variable is taken for a misspelt setting; KERNEL_NAME, say, is left alone
_NOT_SETTINGS = frozenset({"config", "app", "debug"})  # read by the command line
_ALIASES: Mapping[str, str] = {"CELERY_BROKER_URL": "broker_url", "CELERY_RESULT_BACKEND": "result_backend"}

logger = logging.getLogger("kernel")


def process_environment() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ


def read_environment(environ: Mapping[str, str]) -> Layer:
    """The settings the environment gives.

    A variable of our prefix that is no setting is an error when it looks like one that was misspelt. Others are
    left alone with a line in the log: the prefix is a common word, and may be somebody else's.
    """
    whole: Layer = {}
    keys: Layer = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        name, nested, key = variable.removeprefix(PREFIX).partition("__")
        if nested:
            _add_key(keys, variable, name.lower(), key, environ[variable])
        else:
            _add_whole(whole, variable, name.lower(), environ[variable])
    for variable, name in _ALIASES.items():
        if variable in environ and name not in whole:
            logger.warning("%s is read as %s%s; please rename it.", variable, PREFIX, name.upper())
            whole[name] = _from_text(name, environ[variable], f"environment {variable}")
    return {**whole, **{name: merged(part, whole.get(name)) for name, part in keys.items()}}


def _add_whole(layer: Layer, variable: str, name: str, text: str) -> None:
    origin = f"environment {variable}"
    if name in SETTINGS:
        found = _from_text(name, text, origin)
    elif name.endswith("_file") and name.removesuffix("_file") in SETTINGS:
        name = name.removesuffix("_file")
        found = _from_text(name, _read_secret(variable, text), origin)
    else:
        _refuse_or_leave(variable, name)
        return
    if name in layer:
        raise ImproperlyConfigured(
            f"{name} is given twice, by {layer[name].origin} and {origin}.", cure="Remove one of the two variables."
        )
    layer[name] = found


def _add_key(layer: Layer, variable: str, name: str, key: str, text: str) -> None:
    if name not in SETTINGS:
        _refuse_or_leave(variable, name)
        return
    if not key or not SETTINGS[name].is_mapping:
        raise ImproperlyConfigured(
            f"{variable} asks for a key of {name}, which is {SETTINGS[name].expected}.",
            cure=f"Set {PREFIX}{name.upper()}.",
        )
    path = [word.lower() if word.isupper() else word for word in key.split("__")]
    value = parse_item(text)
    for word in reversed(path[1:]):
        value = {word: value}
    old = layer.get(name)
    items = {**old.value, path[0]: value} if old is not None and isinstance(old.value, Mapping) else {path[0]: value}
    layer[name] = Given(FrozenDict(items), f"environment {variable}", partial=True)


def _from_text(name: str, text: str, origin: str) -> Given:
    return given(name, parse(SETTINGS[name], text, origin), origin)


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ImproperlyConfigured(
            f"{variable} names the file {path!r}, which cannot be read: {reason}.",
            cure="Mount it, or unset the variable.",
        ) from None


def _refuse_or_leave(variable: str, name: str) -> None:
    if name in _NOT_SETTINGS:
        return
    if name in CELERY_ONLY or difflib.get_close_matches(name, SETTINGS, n=1, cutoff=_MISSPELT):
        raise unknown_setting(name, "environment", prefix=PREFIX)
    logger.info("The variable %s is no setting; it is left alone.", variable)
