"""``kernel graph``: a workflow as text, for Graphviz, or as SVG."""

import importlib
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import click

from kernel.app.diagram import Arrow, Diagram, draw
from kernel.app.signature import Signature
from kernel.cli.exits import CommandError, Exit
from kernel.cli.invocation import Invocation
from kernel.errors.near import did_you_mean
from kernel.model.nodes import Kind, as_list, kind_of

_STYLE: Mapping[Arrow, str] = {Arrow.NEXT: "", Arrow.CALLBACK: "dashed", Arrow.ERRBACK: "dotted"}
_CHAR, _BOX, _GAP, _ROW, _MARGIN = 7.5, 28, 56, 48, 16
"""Measures of the picture, in pixels: a character, the height of a box, between columns and rows, around."""
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
)
"""The head of an arrow."""


@click.command("graph")
@click.argument("place", metavar="MODULE:EXPRESSION")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "dot", "svg"]),
    default="text",
    show_default=True,
    help="A tree to read, the language of Graphviz, or a picture.",
)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it into this file.")
@click.pass_obj
def graph_command(_invocation: Invocation, /, place: str, form: str, out: Path | None) -> None:
    """Draw the workflow that MODULE:EXPRESSION names.

    It is the name of a signature in a module, or of a function without arguments that returns one. Nothing is sent.
    """
    text = FORMS[form](_find(place))
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


def _find(place: str) -> Signature[Any]:
    module, colon, name = place.partition(":")
    if not (module and colon and name):
        cure = "Write module:name, such as proj.flows:nightly."
        raise CommandError(Exit.USAGE, f"{place!r} names no workflow.", cure=cure)
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise CommandError(Exit.NO_INPUT, f"{place}: {error}.", cure="Check the spelling, or --workdir.") from error
    for part in name.split("."):
        if not hasattr(found, part):
            near = did_you_mean(part, vars(found) if hasattr(found, "__dict__") else ())
            raise CommandError(Exit.NO_INPUT, f"{place}: {module} has no {name!r}.", cure=near)
        found = getattr(found, part)
    if not isinstance(found, Signature) and callable(found):
        found = found()
    if not isinstance(found, Signature):
        raise CommandError(
            Exit.DATA,
            f"{place} is {type(found).__name__} {found!r:.60}, not a workflow.",
            cure="Name a signature, chain, group or chord, or a function without arguments that returns one.",
        )
    return found


def as_text(expression: Mapping[str, Any]) -> str:
    """A tree, read from the top."""
    return "\n".join(_lines(expression)) + "\n"


def _lines(node: Mapping[str, Any], mark: str = "") -> list[str]:
    parts = node["kwargs"]
    match kind_of(node):
        case Kind.CHAIN:
            lines = [f"{mark}chain", *_indented([_lines(step) for step in parts["tasks"]])]
        case Kind.GROUP:
            lines = [f"{mark}group", *_indented([_lines(member) for member in parts["tasks"]])]
        case Kind.CHORD:
            header = _indented([_lines(member) for member in parts["header"]["kwargs"]["tasks"]])
            body = [] if parts["body"] is None else [_lines(parts["body"], "then ")]
            lines = [f"{mark}chord", *_indented([["header", *header], *body])]
        case Kind.TASK:
            lines = [mark + draw({**node, "options": {}}).labels[0]]
    linked = [(option, each) for option in ("link", "link_error") for each in as_list(node["options"].get(option))]
    marks = {"link": "on success: ", "link_error": "on error: "}
    return [*lines, *(line for option, each in linked for line in _indented([_lines(each, marks[option])]))]


def _indented(blocks: list[list[str]]) -> list[str]:
    lines = []
    for place, block in enumerate(blocks):
        last = place == len(blocks) - 1
        lines.append(("└─ " if last else "├─ ") + block[0])
        lines += [("   " if last else "│  ") + line for line in block[1:]]
    return lines


def as_dot(expression: Mapping[str, Any]) -> str:
    """The language of Graphviz."""
    diagram = draw(expression)
    lines = ["digraph workflow {", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f"  t{number} [label={_quoted(label)}];" for number, label in enumerate(diagram.labels)]
    for source, target, why in diagram.arrows:
        style = f" [style={_STYLE[why]}, label={why.value}]" if _STYLE[why] else ""
        lines.append(f"  t{source} -> t{target}{style};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def as_svg(expression: Mapping[str, Any]) -> str:
    """A picture: columns from left to right, arrows between boxes."""
    diagram = draw(expression)
    boxes, width, height = _placed(diagram)
    size = f'width="{width:g}" height="{height:g}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="12">', _TIP]
    for source, target, why in diagram.arrows:
        (x, y, wide), (to_x, to_y, _) = boxes[source], boxes[target]
        dash = {"": "", "dashed": ' stroke-dasharray="6 3"', "dotted": ' stroke-dasharray="2 3"'}[_STYLE[why]]
        ends = f'x1="{x + wide:g}" y1="{y + _BOX / 2:g}" x2="{to_x:g}" y2="{to_y + _BOX / 2:g}"'
        lines.append(f'<line {ends} stroke="black"{dash} marker-end="url(#tip)"><title>{why.value}</title></line>')
    for (x, y, wide), label in zip(boxes, diagram.labels, strict=True):
        lines.append(f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{_BOX}" rx="4" fill="white" stroke="black"/>')
        lines.append(f'<text x="{x + 8:g}" y="{y + 18:g}">{escape(label)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _placed(diagram: Diagram) -> tuple[list[tuple[float, float, float]], float, float]:
    """Place and width of each box, and the size of the whole picture."""
    boxes = [(0.0, 0.0, 0.0)] * len(diagram.labels)
    x, rows = float(_MARGIN), 1
    for layer in diagram.layers():
        wide = max(len(diagram.labels[box]) for box in layer) * _CHAR + 16
        for row, box in enumerate(layer):
            boxes[box] = (x, float(_MARGIN + row * _ROW), wide)
        x, rows = x + wide + _GAP, max(rows, len(layer))
    return boxes, x - _GAP + _MARGIN, float(rows * _ROW + 2 * _MARGIN)


FORMS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"text": as_text, "dot": as_dot, "svg": as_svg}
