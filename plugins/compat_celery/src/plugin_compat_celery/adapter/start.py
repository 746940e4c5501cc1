"""The program: the name ``celery`` for this package, then a command, a module or a file (features.md 1.28)."""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from kernel.cli.exits import report
from kernel.errors import KernelError
from plugin_compat_celery.adapter.alias import install
from plugin_compat_celery.adapter.program import NAME
from plugin_compat_celery.adapter.program import main as run_command

NOTE = "celery: the Celery that is installed here is not used: 'celery' means plugin_compat_celery in this process."


def main(arguments: Sequence[str] | None = None) -> int:
    """Let ``celery`` mean this package, then run what is asked for.

    Args:
        arguments: a command of Celery with its options; or ``-m`` and a module, or a file that ends in ``.py``, each
            with its own arguments, to run any Python program in the same way. None takes those of the process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if install():
            click.echo(NOTE, err=True)
    except KernelError as error:
        return report(error, NAME)
    if given[:1] == ["-m"] and len(given) > 1:
        _prepare(given[1:], str(Path.cwd()))
        runpy.run_module(given[1], run_name="__main__", alter_sys=True)
        return 0
    if given and given[0].endswith(".py"):
        _prepare(given, str(Path(given[0]).resolve().parent))
        runpy.run_path(given[0], run_name="__main__")
        return 0
    return run_command(given)


def _prepare(arguments: list[str], folder: str) -> None:
    """The arguments and the first folder of imports, as the program would find them without us."""
    sys.argv[:] = arguments
    sys.path.insert(0, folder)
