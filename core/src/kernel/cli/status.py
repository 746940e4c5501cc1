"""``kernel status``: which workers answer (features.md 1.28)."""

import click

from kernel.cli.invocation import Invocation
from kernel.cli.remote import Answers, remote_options


@click.command("status")
@remote_options
@click.pass_context
def status_command(ctx: click.Context, timeout: float | None, destination: list[str] | None, output: str) -> None:
    """Show which workers are online. Ends with 69 when none answers."""
    invocation: Invocation = ctx.obj
    seconds = 1.0 if timeout is None else timeout
    with invocation.opened() as app:
        answers = Answers(output, quiet=invocation.quiet, bare=True)
        replies = app.control.inspect(destination, timeout=seconds, callback=answers.heard).ping()
        ctx.exit(answers.end(replies, len(replies or ()), seconds))
