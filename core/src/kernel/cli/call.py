"""``kernel call``: send one task by name."""

import json
from datetime import datetime
from functools import partial
from typing import Any

import click

from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option
from kernel.cli.result import end_with, show


def read_json(_ctx: click.Context, _param: click.Parameter, value: str, *, kind: type[Any], example: str) -> Any:
    """The decoded value of an option; anything but JSON of that kind is a usage error that shows an example."""
    try:
        decoded = json.loads(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not JSON ({error}). Write for example {example}.") from None
    if not isinstance(decoded, kind):
        expected = "a list" if kind is list else "an object"
        raise click.BadParameter(f"{value!r} is not {expected}. Write for example {example}.")
    return decoded


def read_time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """An ISO 8601 date and time; without a zone it is in the time zone of the app."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time such as 2026-11-21T18:30:00+01:00.") from None


def read_expiry(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | float | None:
    """Seconds, or a time."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return read_time(ctx, param, value)


read_list = partial(read_json, kind=list, example="'[2, 3]'")
read_object = partial(read_json, kind=dict, example="'{\"x\": 2}'")


@click.command("call")
@click.argument("name", metavar="TASK")
@click.option(
    "-a", "--args", callback=read_list, metavar="JSON", default="[]", help="Positional arguments, a JSON list."
)
@click.option(
    "-k", "--kwargs", callback=read_object, metavar="JSON", default="{}", help="Keyword arguments, a JSON object."
)
@click.option("--eta", callback=read_time, metavar="TIME", help="Not before this time (ISO 8601).")
@click.option("--countdown", type=float, help="Not before so many seconds from now.")
@click.option(
    "--expires", callback=read_expiry, metavar="SECONDS|TIME", help="Not after so many seconds, or this time."
)
@click.option("--serializer", help="Serializer of the message.")
@click.option("--compression", help="Compressor of the message.")
@click.option("--queue", help="Queue to send it to.")
@click.option("--exchange", help="Exchange to send it to.")
@click.option("--routing-key", help="Routing key to send it with.")
@click.option("--wait", is_flag=True, help="Wait for the result, print it, and end with 1 if the task failed.")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait; without it, for ever.")
@output_option
@click.pass_obj
def call_command(
    invocation: Invocation, /, name: str, output: str, *, wait: bool, timeout: float | None, **options: Any
) -> None:
    """Send TASK by its name, and print the id of the call.

    The task need not be known here; where it is (-A), its own options are the defaults.
    """
    if timeout is not None and not wait:
        raise click.UsageError("--timeout is of use with --wait only.")
    with invocation.opened() as app:
        result = app.send_task(name, options.pop("args"), options.pop("kwargs"), **options)
        if not wait:
            show(result.id, {"id": result.id}, output)
            return
        result.get(timeout=timeout, propagate=False)
        end_with(result, output, with_traceback=False)
