"""What commands print: text for people, JSON for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def output_option(command: F) -> F:
    """``--output text|json``, for commands whose output a program may read."""
    choice = click.Choice(["text", "json"])
    return click.option("--output", type=choice, default="text", show_default=True, help="Who is to read it.")(command)


def print_json(value: object) -> None:
    """`value` as JSON; what JSON lacks becomes its repr, so that an odd result can always be shown."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def plain(value: object) -> object:
    """`value` with nothing in it that JSON lacks."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value - value == 0 else repr(value)  # infinities and NaN are no JSON
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return repr(value)


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns of text below underlined titles."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [*cells, list(head)]) for column in range(len(head))]
    titles = "  ".join(title.ljust(width) for title, width in zip(head, widths, strict=True))
    click.echo(click.style(titles.rstrip(), bold=True))
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
