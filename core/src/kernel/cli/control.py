"""``kernel control``: change something in workers (features.md 1.28)."""

import click

from kernel.cli.invocation import Invocation
from kernel.cli.remote import Answers, arguments_of, find_command, print_commands, remote_options
from kernel.runtime import remote as remote  # it brings the kernel's own commands


@click.command("control")
@click.argument("command", required=False)
@click.argument("arguments", nargs=-1)
@click.option("--list", "listing", is_flag=True, help="Show the commands there are.")
@remote_options
@click.pass_context
def control_command(  # noqa: PLR0913 - what may be said on the command line
    ctx: click.Context,
    command: str | None,
    arguments: tuple[str, ...],
    listing: bool,
    timeout: float | None,
    destination: list[str] | None,
    output: str,
) -> None:
    """Change something in workers: COMMAND with its ARGUMENTS, such as rate_limit tasks.add 10/m. See --list.

    Ends with 69 when nobody answers, and with 1 when a worker answers with an error.
    """
    invocation: Invocation = ctx.obj
    if listing or command is None:
        print_commands("control")
        return
    with invocation.opened() as app:
        chosen = find_command(app, "control", command)
        seconds = max(1.0, chosen.default_timeout) if timeout is None else timeout
        answers = Answers(output, quiet=invocation.quiet)
        replies = app.control.broadcast(
            chosen.name,
            arguments_of(chosen, arguments),
            reply=True,
            timeout=seconds,
            destination=destination,
            callback=answers.heard,
        )
        ctx.exit(answers.end(replies, len(replies or ()), seconds))
