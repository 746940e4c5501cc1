"""``kernel shell``: a Python prompt with the app and its tasks at hand."""

import code
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from typing import Any

import click

import kernel
from kernel.app.builtin_tasks import BUILT_IN
from kernel.app.imports import import_task_modules
from kernel.cli.exits import CommandError, Exit
from kernel.cli.invocation import Invocation


@click.command("shell")
@click.option("--ipython", "kind", flag_value="ipython", help="Use IPython; an error when it is not installed.")
@click.option("--python", "kind", flag_value="python", help="Use the plain Python prompt.")
@click.pass_obj
def shell_command(invocation: Invocation, kind: str | None) -> None:
    """Start a Python prompt with `app`, its tasks by their last names, and what `kernel` exports.

    Without a choice IPython is used where it is installed.
    """
    ipython = importlib.util.find_spec("IPython") is not None
    if kind == "ipython" and not ipython:
        raise CommandError(Exit.UNAVAILABLE, "IPython is not installed.", cure="pip install ipython, or use --python.")
    with invocation.opened() as app:
        import_task_modules(app, app.config)
        names = {name: getattr(kernel, name) for name in kernel.__all__}
        tasks = {name.rpartition(".")[2]: task for name, task in app.tasks.items() if name not in BUILT_IN}
        space = {**names, **tasks, "app": app}
        banner = f"kernel shell: app is {app!r}; tasks: {', '.join(sorted(tasks)) or 'none'}"
        start = _ipython if ipython and kind != "python" else _python
        start(space, "" if invocation.quiet else banner)


def _python(space: Mapping[str, Any], banner: str) -> None:
    if sys.stdin.isatty() and importlib.util.find_spec("readline"):
        importlib.import_module("readline")  # gives the prompt history and editing
    code.interact(banner=banner, local=dict(space), exitmsg="")


def _ipython(space: Mapping[str, Any], banner: str) -> None:
    embed = importlib.import_module("IPython").embed
    embed(user_ns=dict(space), banner1=banner, colors="neutral")
