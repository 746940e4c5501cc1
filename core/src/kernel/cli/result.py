"""``kernel result``: the state and result of one task."""

from typing import Any

import click

from kernel.app.result import AsyncResult
from kernel.cli.exits import Exit
from kernel.cli.invocation import Invocation
from kernel.cli.output import output_option, print_json
from kernel.cli.result_tree import lines_of, tree_of
from kernel.model import states

FAILED = 1
"""Exit code when the task itself failed: the command did its work."""


@click.command("result")
@click.argument("task_id")
@click.option(
    "-t", "--task", "task_name", metavar="NAME", help="The task it belongs to, when that has its own backend."
)
@click.option("--traceback", "with_traceback", is_flag=True, help="Show the traceback of a failed task instead.")
@click.option("--wait", is_flag=True, help="Wait until it is ready.")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait; without it, for ever.")
@click.option("--tree", "with_tree", is_flag=True, help="Show what it started as well, and how far each part got.")
@output_option
@click.pass_obj
def result_command(invocation: Invocation, /, task_id: str, task_name: str | None, output: str, **options: Any) -> None:
    """Print the result of the task with TASK_ID.

    Ends with 0 when it succeeded, 1 when it failed, 75 when there is no result yet; with --tree always with 0.
    """
    if options["timeout"] is not None and not options["wait"]:
        raise click.UsageError("--timeout is of use with --wait only.")
    with invocation.opened() as app:
        result = app.tasks[task_name].AsyncResult(task_id) if task_name else app.AsyncResult(task_id)
        if options["wait"]:
            result.get(timeout=options["timeout"], propagate=False)
        if options["with_tree"]:
            tree = tree_of(result)
            show("\n".join(lines_of(tree)), tree, output)
        else:
            end_with(result, output, with_traceback=options["with_traceback"])


def end_with(result: AsyncResult[Any], output: str, *, with_traceback: bool) -> None:
    """Print a result, and end the program with the exit code that tells how the task ended."""
    state, value, traceback = result.state, result.result, result.traceback
    text = traceback if with_traceback and traceback else _text(state, value)
    show(
        text,
        {
            "id": result.id,
            "state": state,
            "result": _text(state, value) if isinstance(value, BaseException) else value,
            "traceback": traceback,
            "date_done": result.date_done,
        },
        output,
    )
    code = 0 if state == states.SUCCESS else FAILED if state in states.READY_STATES else Exit.TEMPORARY
    click.get_current_context().exit(code)


def show(text: str, fields: dict[str, Any], output: str) -> None:
    """Text for people, or fields for programs."""
    if output == "json":
        print_json(fields)
    else:
        click.echo(text)


def _text(state: str, value: object) -> str:
    if state == states.SUCCESS:
        return str(value)
    if isinstance(value, BaseException):
        return f"{state}: {type(value).__name__}: {value}"
    if state == states.PENDING:
        return "PENDING: waiting, or unknown: no result is stored under this id"
    return state if value is None else f"{state}: {value!r}"
