"""The zoo: distributions written on the fly, each with a plugin that is broken in its own way."""

import importlib
import itertools
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

_numbers = itertools.count()

HEAD = """
import sys
from kernel.contracts import Broker, Compressor, Pool, ResultBackend, Router, Serializer
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest, Option
"""


class Zoo:
    """A folder on ``sys.path`` that distributions are written into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def module(self, text: str) -> str:
        """Write a module of a name that no other test uses; its name."""
        name = f"zoo_{os.getpid()}_{next(_numbers)}"
        (self.folder / f"{name}.py").write_text(textwrap.dedent(text))
        return name

    def dist(self, name: str, points: dict[str, str], version: str = "1.0", group: str = "kernel.plugins") -> Path:
        """Write the metadata of a distribution with these entry points; the folder of the metadata."""
        folder = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{key} = {value}" for key, value in points.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        (folder / "RECORD").write_text(f"{folder.name}/METADATA,,\n{folder.name}/entry_points.txt,,\n")
        importlib.invalidate_caches()
        return folder

    def plugin(
        self,
        name: str,
        hooks: str = "",
        *,
        dist: str = "",
        version: str = "1.0",
        manifest: str = "contracts={'broker': '1.0', 'hooks': '1.0'}",
        top: str = "",
    ) -> str:
        """Write a distribution with one plugin; `hooks` are its methods, `top` stands before. The module's name."""
        lines = [HEAD, textwrap.dedent(top), "class Plugin:"]
        if manifest:
            lines += ["    @hookimpl", f"    def kernel_manifest(self): return Manifest({name!r}, {manifest})"]
        lines += [textwrap.indent(textwrap.dedent(hooks), "    "), "    pass", "plugin = Plugin()", ""]
        module = self.module("\n".join(lines))
        self.dist(dist or f"plugin-{name.replace('.', '-')}", {name: f"{module}:plugin"}, version)
        return module

    def broker(self, name: str, scheme: str, **options: str) -> str:
        """Write a working distribution with a broker of that scheme; the module's name."""
        return self.plugin(name, f"@hookimpl\ndef kernel_brokers(self): return {{{scheme!r}: object}}", **options)


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zoo]:
    made = Zoo(tmp_path / "zoo")
    monkeypatch.syspath_prepend(str(made.folder))
    yield made
    for module in [name for name in sys.modules if name.startswith(f"zoo_{os.getpid()}_")]:
        del sys.modules[module]
