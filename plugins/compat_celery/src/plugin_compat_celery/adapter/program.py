"""Celery's commands, run by the command line of the kernel."""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import click

from kernel.app.kernel import Kernel
from kernel.cli.exits import report
from kernel.cli.lazy import Lazy, LazyGroup
from kernel.cli.main import COMMANDS, program
from kernel.cli.main import main as run
from kernel.errors import KernelError
from plugin_compat_celery.adapter.arguments import translate
from plugin_compat_celery.adapter.user_options import UserGroup
from plugin_compat_celery.adapter.version import VERSION_BANNER

NAME: Final = "celery"

_OWN: Final[Mapping[str, Lazy]] = {
    "config": Lazy(
        "plugin_compat_celery.adapter.configuration.report",
        "config_command",
        "Show what becomes of each setting of a Celery configuration.",
    ),
}


_VARIABLES: Final[Mapping[str, str]] = {
    "APP": "--app",
    "BROKER_URL": "--broker",
    "RESULT_BACKEND": "--result-backend",
    "LOADER": "--loader",
    "CONFIG_MODULE": "--config",
}
"""Variables of the environment that stand for a global option. Others are ``CELERY_<COMMAND>_<OPTION>``."""


def main(arguments: Sequence[str], app: Kernel | None = None) -> int:
    """Run a command as ``celery`` does; every error is one line, with an exit code of sysexits(3).

    Args:
        arguments: without the program's name.
        app: the application in place of one named by ``-A``; None is one of configuration alone.
    """
    given = [f"{option}={os.environ[name]}" for name, option in _VARIABLES.items() if os.environ.get(name)]
    try:
        translation = translate([*given, *arguments])
    except KernelError as error:
        return report(error, NAME)
    for note in translation.notes:
        click.echo(f"{NAME}: {note}", err=True)
    os.environ.update(translation.environment)
    if list(arguments[:1]) == ["--version"]:
        click.echo(VERSION_BANNER)
        return 0
    return run(translation.arguments, app or _without_tasks(), _group(), NAME)


def _without_tasks() -> Kernel:
    celery: Callable[..., Any] = import_module("plugin_compat_celery.app.base").Celery  # it imports this module
    made: Kernel = celery("default", loader="default", fixups=(), set_as_current=False)
    return made


def _group() -> LazyGroup:
    """The kernel's program with what Celery's has besides."""
    return UserGroup(
        name=NAME,
        lazy={**COMMANDS, **_OWN},
        extra=program.commands_of_plugins,
        params=program.params,
        callback=program.callback,
        help=program.help,
        context_settings={**program.context_settings, "auto_envvar_prefix": "CELERY"},
    )
