"""The ``kernel`` program: global options, then a command (features.md 1.28 and 2.14)."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from kernel.app.kernel import Kernel
from kernel.cli.exits import Exit, report
from kernel.cli.invocation import Invocation
from kernel.cli.lazy import Lazy, LazyGroup

COMMANDS: Final[Mapping[str, Lazy]] = {
    "worker": Lazy("kernel.cli.worker", "worker_command", "Start a worker node."),
    "beat": Lazy("kernel.cli.beat", "beat_command", "Send tasks when their schedules say so."),
    "call": Lazy("kernel.cli.call", "call_command", "Send a task by name."),
    "result": Lazy("kernel.cli.result", "result_command", "Show the result of a task."),
    "multi": Lazy("kernel.cli.multi", "multi_command", "Start and stop several worker nodes."),
    "events": Lazy("kernel.cli.events", "events_command", "Watch what workers and tasks do."),
    "graph": Lazy("kernel.cli.graph", "graph_command", "Draw a workflow."),
    "status": Lazy("kernel.cli.status", "status_command", "Show which workers are online."),
    "inspect": Lazy("kernel.cli.inspect", "inspect_command", "Ask workers something."),
    "control": Lazy("kernel.cli.control", "control_command", "Change something in workers."),
    "purge": Lazy("kernel.cli.purge", "purge_command", "Delete the waiting messages of queues."),
    "quarantine": Lazy("kernel.cli.quarantine", "quarantine_group", "Look at messages that were set aside."),
    "plugins": Lazy("kernel.cli.plugins", "plugins_group", "List, examine, disable and write plugins."),
    "config": Lazy("kernel.cli.config", "config_group", "Show the settings and where each came from."),
    "report": Lazy("kernel.cli.report", "report_command", "Show versions, platform, plugins and settings."),
    "shell": Lazy("kernel.cli.shell", "shell_command", "Start a Python prompt with the app and its tasks."),
    "conformance": Lazy(
        "kernel_conformance.cli",
        "conformance_group",
        "Judge plugins by their contracts.",
        dist="kernel-conformance",
    ),
}
"""Every command of the kernel. None is imported before it is used; ``dist`` says what has to be installed for one."""


def _commands_of_plugins(ctx: click.Context) -> Mapping[str, click.Command]:
    return _invocation(ctx).plugin_commands()


def _invocation(ctx: click.Context) -> Invocation:
    """What was said before the command, made once: click asks for commands before it calls the group."""
    if not isinstance(ctx.obj, Invocation):
        given_app = ctx.obj
        ctx.obj = Invocation.of(ctx.params, os.environ)
        ctx.obj.given_app = given_app
    return ctx.obj


@click.command(
    cls=LazyGroup,
    lazy=COMMANDS,
    extra=_commands_of_plugins,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("-A", "--app", "app_path", metavar="PATH", help="The app: module.path or module.path:attribute.")
@click.option("-b", "--broker", metavar="URL", help="Broker URL; stronger than every other source.")
@click.option("--result-backend", metavar="URL", help="Result backend URL.")
@click.option("--config", "config_source", metavar="SOURCE", help="A TOML file such as kernel.toml, or a module.")
@click.option(
    "--workdir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Change to this folder first.",
)
@click.option("-C", "--no-color", is_flag=True, help="No colours; the same as NO_COLOR=1.")
@click.option("-q", "--quiet", is_flag=True, help="No banner and no friendly chatter.")
@click.version_option(package_name="kernel", prog_name="kernel", message="%(prog)s %(version)s")
@click.pass_context
def program(ctx: click.Context, /, **_options: object) -> None:
    """Run workers, send tasks and look after queues."""
    invocation = _invocation(ctx)
    ctx.color = invocation.color
    invocation.enter_workdir()


def main(
    arguments: Sequence[str] | None = None,
    app: Kernel | None = None,
    group: click.Group = program,
    name: str = "kernel",
) -> int:
    """Run the program; every error ends as one line on the error stream and an exit code of sysexits(3).

    Args:
        arguments: without the program's name; None takes those of the process.
        app: the app in place of one named by ``-A``.
        group: the commands.
        name: the program's name, in what it says.
    """
    try:
        given = arguments if arguments is None else list(arguments)
        ended = group.main(args=given, prog_name=name, standalone_mode=False, obj=app)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return Exit.USAGE
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the reader went away; nothing more can be said
        return Exit.OK
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the last place: reported with its exit code, never swallowed
        return report(error, name)
    return ended if isinstance(ended, int) else Exit.OK  # what ctx.exit() was given; commands return nothing
