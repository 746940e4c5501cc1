"""What the linter cannot see: the length of modules, the names of classes, and where imports stand."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for pattern in ("core/src", "plugins/*/src", "conformance/src")
    for folder in ROOT.glob(pattern)
    for path in folder.rglob("*.py")
)
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]

MAX_LINES = 300
LONG: dict[str, str] = {}
"""Modules that may be longer, each with its reason."""

BANNED_SUFFIXES = ("Mixin", "Manager", "Helper", "Helpers", "Util", "Utils")
FOREIGN = {"NamedExtensionManager", "PluginManager"}
"""Names of libraries that a class of ours may derive from; the rule is about our own names."""

LATE_IMPORTS: dict[str, str] = {
    "plugins/broker_sqs/src/plugin_broker_sqs/broker.py": "boto3 costs half a second to import, paid when it is opened",
    "core/src/kernel/runtime/plugins.py": "the entry-point loader: its machinery costs tens of milliseconds to import",
}
"""Modules with an import inside a function, each with its reason."""


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def late_imports(tree: ast.Module) -> list[int]:
    """The lines of imports inside functions."""
    inside = (node for function in functions(tree) for node in ast.walk(function))
    return sorted({node.lineno for node in inside if isinstance(node, ast.Import | ast.ImportFrom)})


def badly_named(tree: ast.Module) -> list[str]:
    classes = (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return [name for name in classes if name.endswith(BANNED_SUFFIXES) and name not in FOREIGN]


def type_only_blocks(tree: ast.Module) -> list[int]:
    """The lines that mention TYPE_CHECKING, as a name or as an attribute."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
    ]


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_module(path: Path) -> None:
    name, text = str(path.relative_to(ROOT)), path.read_text()
    tree = ast.parse(text)

    if name not in LONG:
        assert len(text.splitlines()) <= MAX_LINES, "one noun per file: split it, or explain it in LONG"
    assert badly_named(tree) == [], "say what the class is, not that it helps"
    assert type_only_blocks(tree) == [], "the import graph is what the types say, too: no TYPE_CHECKING"
    if name not in LATE_IMPORTS:
        assert late_imports(tree) == [], "import at the top, or explain it in LATE_IMPORTS"


def test_explained_exceptions_are_still_needed() -> None:
    for listed in LONG:
        assert len((ROOT / listed).read_text().splitlines()) > MAX_LINES, f"{listed} is short again: take it off LONG"
    for listed in LATE_IMPORTS:
        assert late_imports(ast.parse((ROOT / listed).read_text())), f"{listed}: take it off LATE_IMPORTS"


def test_the_rules_notice_a_breach() -> None:
    bad = ast.parse(
        "import typing\n"
        "if typing.TYPE_CHECKING:\n"
        "    import a\n"
        "class QueueMixin: ...\n"
        "def f():\n"
        "    from b import c\n"
        "    return c\n"
    )
    assert type_only_blocks(bad) == [2]
    assert badly_named(bad) == ["QueueMixin"]
    assert late_imports(bad) == [6]
