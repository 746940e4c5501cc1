"""``kernel plugins new``: a complete distribution of a plugin in which nothing works yet, and which says so."""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

import click

from kernel.cli.exits import CommandError, Exit
from kernel.contracts.manifest import CONTRACTS, Manifest
from kernel.errors.near import did_you_mean
from kernel.runtime.plugins import discover


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of plugin: its contract, its class in the conformance suite, and a case to explain in the README."""

    contract: str
    suite: str
    case: str


KINDS: Final[Mapping[str, Kind]] = {
    "broker": Kind("broker", "BrokerSuite", "BRK-028"),
    "backend": Kind("result_backend", "BackendSuite", "BKD-002"),
    "serializer": Kind("serializer", "SerializerSuite", "SER-003"),
    "compression": Kind("compressor", "CompressionSuite", "CMP-002"),
    "router": Kind("router", "RouterSuite", "RTR-001"),
}

FILES: Final[Mapping[str, str]] = {
    "common/pyproject.toml": "pyproject.toml",
    "common/README.md": "README.md",
    "common/LICENSE": "LICENSE",
    "common/conformance.toml": "conformance.toml",
    "common/gitignore": ".gitignore",
    "common/ci.yml": ".github/workflows/conformance.yml",
    "common/test_conformance.py": "tests/test_conformance.py",
    "common/__init__.py": "src/$package/__init__.py",
    "common/py.typed": "src/$package/py.typed",
    "$kind/plugin.py": "src/$package/plugin.py",
    "$kind/harness.py": "src/$package/harness.py",
}
"""Template, without its suffix → file of the distribution."""


@click.command("new")
@click.argument("kind", metavar="KIND")
@click.argument("name", metavar="NAME")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Where; plugin_KIND_NAME when not given.")
def new_command(kind: str, name: str, folder: Path | None) -> None:
    """Write a new plugin's distribution: KIND is broker, backend, serializer, compression or router.

    It can be installed at once, and 'kernel conformance run KIND.NAME' tells what is to be written. Nothing that
    exists is overwritten.
    """
    words = _words(kind, name)
    target = folder if folder is not None else Path(words["package"])
    texts = {Template(path).substitute(words): _text(template, words) for template, path in FILES.items()}
    _write(target, texts)
    click.echo(f"{target}: {len(texts)} files. Next:")
    click.echo(f"  pip install -e '{target}[test]'")
    click.echo(f"  kernel conformance run {words['entry']} --level core")


def _words(kind: str, name: str) -> dict[str, str]:
    """What the templates are filled with."""
    if kind not in KINDS:
        cure = did_you_mean(kind, KINDS) or f"Use one of: {', '.join(KINDS)}."
        raise CommandError(Exit.USAGE, f"There is no kind of plugin {kind!r}.", cure=cure)
    if not re.fullmatch(r"[a-z][a-z0-9]*", name) or keyword.iskeyword(name):
        raise CommandError(
            Exit.USAGE,
            f"{name!r} cannot be a plugin's name.",
            cure="Use small letters and digits, beginning with a letter, as in a URL's scheme, and no word of Python.",
        )
    entry = f"{kind}.{name}"
    for installed in discover():
        if installed.name == entry:
            cure = "Choose another name: two plugins of one name cannot be used (E105)."
            raise CommandError(Exit.USAGE, f"{entry} exists: {installed.dist} is installed.", cure=cure)
    facts = KINDS[kind]
    return {
        "kind": kind,
        "name": name,
        "entry": entry,
        "title": name.capitalize(),
        "package": f"plugin_{kind}_{name}",
        "dist": f"plugin-{kind}-{name}",
        "contract": CONTRACTS[facts.contract],
        "suite": facts.suite,
        "case": facts.case,
        "versions": Manifest(entry, {}).kernel,
    }


def _text(template: str, words: Mapping[str, str]) -> str:
    path = files("kernel.cli") / "templates" / f"{Template(template).substitute(words)}.tmpl"
    return Template(path.read_text(encoding="utf-8")).substitute(words)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files into a folder that is new or empty."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            cure = "Name another folder with --dir; nothing was written."
            raise CommandError(Exit.USAGE, f"{str(folder)!r} exists and is no empty folder.", cure=cure)
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        message = f"{str(folder)!r} cannot be written: {error.strerror}."
        raise CommandError(Exit.USAGE, message, cure="Name another folder with --dir.") from error
