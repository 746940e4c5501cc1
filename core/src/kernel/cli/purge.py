"""``kernel purge``: delete the messages that wait in queues."""

from collections.abc import Sequence

import click

from kernel.cli.exits import CommandError, Exit
from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option, print_json, print_table
from kernel.cli.prompt import confirm
from kernel.contracts.broker import Broker
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.errors.near import did_you_mean

PURGE_SECONDS = 60.0


@click.command("purge")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("-Q", "--queues", metavar="NAMES", help="Only these queues, separated by commas.")
@click.option("-X", "--exclude-queues", metavar="NAMES", help="All configured queues but these.")
@output_option
@click.pass_obj
def purge_command(
    invocation: Invocation, force: bool, queues: str | None, exclude_queues: str | None, output: str
) -> None:
    """Delete every message that waits in the app's queues. There is no way back."""
    with invocation.opened() as app:
        services = app.client.services
        only = _names(queues)
        names = _chosen(list(services.topology.queues), only, _names(exclude_queues))
        if not force:
            confirm(f"Delete all messages that wait in {', '.join(names)}?")
        purged = {name: _purge(services.broker, name, must_exist=name in only) for name in names}
    if output == "json":
        print_json(purged)
    else:
        print_table(["QUEUE", "DELETED"], [(name, "?" if count is None else count) for name, count in purged.items()])


def _purge(broker: Broker, name: str, *, must_exist: bool) -> int | None:
    """How many messages were deleted; a configured queue that nobody has used yet has none."""
    try:
        return broker.purge([name], Deadline.after(PURGE_SECONDS))[name]
    except DriverError as error:
        if error.code is not Code.NOT_FOUND or must_exist:
            raise
        return 0


def _chosen(configured: Sequence[str], only: Sequence[str], without: Sequence[str]) -> list[str]:
    unknown = [name for name in without if name not in configured]
    if unknown:
        raise CommandError(
            Exit.USAGE,
            f"-X {unknown[0]}: no such queue; configured are {', '.join(configured)}.",
            cure=did_you_mean(unknown[0], configured),
        )
    names = [name for name in (only or configured) if name not in without]
    if not names:
        raise CommandError(Exit.USAGE, "No queue is left to purge.", cure="Name queues with -Q, or fewer with -X.")
    return names


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
