"""``kernel quarantine``: messages that were set aside because they could not be run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from kernel.cli.exits import CommandError, Exit
from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option, print_json, print_table
from kernel.cli.prompt import confirm
from kernel.runtime.quarantine import Quarantine

REASON_WIDTH = 80


@click.group("quarantine")
def quarantine_group() -> None:
    """Look at messages that were set aside: poisonous, undecodable, rejected."""


@contextmanager
def _opened(invocation: Invocation) -> Iterator[Quarantine]:
    with invocation.opened() as app:
        yield Quarantine(app.client.services)


@quarantine_group.command("list")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@output_option
@click.pass_obj
def list_command(invocation: Invocation, limit: int, output: str) -> None:
    """List the oldest messages and why each is here. They stay."""
    with _opened(invocation) as quarantine:
        kept = quarantine.list(limit)
        where = quarantine.queue
    if output == "json":
        print_json([{"id": each.id, "task": each.task, "queue": each.queue, "reason": each.reason} for each in kept])
    elif not kept:
        click.echo(f"Nothing is in quarantine ({where}).", err=True)
    else:
        rows = [(each.id, each.task or "?", each.queue or "?", _short(each.reason)) for each in kept]
        print_table(("ID", "TASK", "QUEUE", "REASON"), rows)


@quarantine_group.command("show")
@click.argument("task_id")
@output_option
@click.pass_obj
def show_command(invocation: Invocation, task_id: str, output: str) -> None:
    """Show everything about one message; its arguments as far as they may be decoded."""
    with _opened(invocation) as quarantine:
        found = quarantine.show(task_id)
        if found is None:
            raise _missing([task_id], quarantine)
    if output == "json":
        print_json(found)
        return
    for name, value in found.items():
        click.echo(f"{name}: {value if isinstance(value, str) else repr(value)}")


@quarantine_group.command("replay")
@click.argument("task_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All messages.")
@click.option("--queue", help="Send them here; without it, to where each came from.")
@output_option
@click.pass_obj
def replay_command(
    invocation: Invocation, task_ids: tuple[str, ...], everything: bool, queue: str | None, output: str
) -> None:
    """Send messages again, as if they had never been delivered.

    Ends with 1 when a message could not be sent; that one stays in quarantine.
    """
    chosen = _chosen(task_ids, everything)
    with _opened(invocation) as quarantine:
        done = quarantine.replay(chosen, queue)
        if done.missing:
            raise _missing(done.missing, quarantine, done=f" Sent again: {len(done.sent)}.")
    if output == "json":
        print_json({"sent": done.sent, "refused": done.refused})
    else:
        click.echo(f"sent again: {len(done.sent)}")
        for task_id, why in done.refused.items():
            click.echo(f"{task_id} stays: {why}", err=True)
    click.get_current_context().exit(1 if done.refused else 0)


@quarantine_group.command("purge")
@click.argument("task_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All messages.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@output_option
@click.pass_obj
def purge_command(
    invocation: Invocation, task_ids: tuple[str, ...], everything: bool, force: bool, output: str
) -> None:
    """Delete messages from quarantine. There is no way back."""
    chosen = _chosen(task_ids, everything)
    if not force:
        confirm(f"Delete {'everything' if chosen is None else f'{len(chosen)} messages'} in quarantine?")
    with _opened(invocation) as quarantine:
        deleted = quarantine.purge(chosen)
        asked = len(set(chosen)) if chosen is not None else 0
        if deleted < asked:
            raise CommandError(
                Exit.NO_INPUT,
                f"{asked - deleted} of {asked} messages are not in quarantine; {deleted} deleted.",
                cure="'kernel quarantine list' shows what is there.",
            )
    if output == "json":
        print_json({"deleted": deleted})
    else:
        click.echo(f"deleted: {deleted}")


def _chosen(task_ids: Sequence[str], everything: bool) -> Sequence[str] | None:
    """The ids, or None for all; naming nothing must not mean all."""
    if bool(task_ids) == everything:
        raise click.UsageError("Give the ids of messages, or --all.")
    return None if everything else task_ids


def _missing(task_ids: Sequence[str], quarantine: Quarantine, *, done: str = "") -> CommandError:
    return CommandError(
        Exit.NO_INPUT,
        f"Not in quarantine ({quarantine.queue}): {', '.join(task_ids)}.{done}",
        cure="'kernel quarantine list' shows what is there.",
    )


def _short(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= REASON_WIDTH else f"{line[: REASON_WIDTH - 1]}…"
