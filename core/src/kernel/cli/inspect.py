"""``kernel inspect``: ask workers something (features.md 1.28)."""

import click

from kernel.cli.invocation import Invocation
from kernel.cli.remote import Answers, arguments_of, find_command, print_commands, remote_options
from kernel.runtime import remote as remote  # it brings the kernel's own commands


@click.command("inspect")
@click.argument("command", required=False)
@click.argument("arguments", nargs=-1)
@click.option("--list", "listing", is_flag=True, help="Show the commands there are.")
@remote_options
@click.pass_context
def inspect_command(  # noqa: PLR0913 - what may be said on the command line
    ctx: click.Context,
    command: str | None,
    arguments: tuple[str, ...],
    listing: bool,
    timeout: float | None,
    destination: list[str] | None,
    output: str,
) -> None:
    """Ask workers something: COMMAND with its ARGUMENTS. See --list.

    Ends with 69 when nobody answers, and with 1 when a worker answers with an error.
    """
    invocation: Invocation = ctx.obj
    if listing or command is None:
        print_commands("inspect")
        return
    with invocation.opened() as app:
        chosen = find_command(app, "inspect", command)
        seconds = max(1.0, chosen.default_timeout) if timeout is None else timeout
        answers = Answers(output, quiet=invocation.quiet)
        asked = app.control.inspect(destination, timeout=seconds, callback=answers.heard)
        replies = asked.ask(chosen.name, **arguments_of(chosen, arguments))
        ctx.exit(answers.end(replies, len(replies or ()), seconds))
