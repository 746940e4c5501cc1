"""Commands that plugins add: found when the plugin is named, never in the way of the kernel's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
import click
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest

@click.command(help="Says hello.")
def hello():
    click.echo("hello from a plugin")

@click.command(help="Never seen.")
def worker():
    click.echo("a plugin's worker")

class Plugin:
    @hookimpl
    def kernel_manifest(self):
        return Manifest(name="{name}", contracts={{"hooks": "1.0"}})

    @hookimpl
    def kernel_commands(self, group):
        group.add_command(hello)
        group.add_command(worker)

plugin = Plugin()
"""
BROKEN = "raise RuntimeError('no luck today')\n"


class Site:
    """A folder of installed distributions, each with one plugin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, source: str) -> None:
        module = name.replace(".", "_")
        (self.folder / f"{module}.py").write_text(source.format(name=name))
        info = self.folder / f"plugin_{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[kernel.plugins]\n{name} = {module}:plugin\n")

    def run(self, *arguments: str, plugins: str = "") -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KERNEL_")}
        return subprocess.run(
            [sys.executable, "-m", "kernel", *arguments],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(self.folder), **({"KERNEL_PLUGINS": plugins} if plugins else {})},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.install("command.hello", PLUGIN)
    made.install("command.broken", BROKEN)
    return made


def test_a_named_plugin_adds_its_command(site: Site) -> None:
    run = site.run("hello", plugins="command.hello")
    assert (run.returncode, run.stdout) == (0, "hello from a plugin\n"), run.stderr
    page = site.run("--help", plugins="command.hello").stdout
    assert "Commands of plugins:" in page
    assert "Says hello." in page


def test_an_unnamed_plugin_adds_nothing(site: Site) -> None:
    assert "plugins:" not in site.run("--help").stdout
    assert site.run("hello").returncode == 64


def test_a_plugin_takes_no_command_of_the_kernel(site: Site) -> None:
    assert "Start a worker node" in site.run("worker", "--help", plugins="command.hello").stdout.replace("\n", " ")
    assert "Never seen." not in site.run("--help", plugins="command.hello").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["report"], ["plugins", "list"], ["config", "show"]])
def test_a_broken_plugin_keeps_no_command_from_working(site: Site, arguments: list[str]) -> None:
    run = site.run(*arguments, plugins="command.broken")
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr


def test_a_broken_plugin_keeps_no_other_plugins_command_from_working(site: Site) -> None:
    run = site.run("hello", plugins="command.broken,command.hello")
    assert (run.returncode, run.stdout) == (0, "hello from a plugin\n"), run.stderr


def test_the_reason_why_a_command_is_missing_is_told_once(site: Site) -> None:
    run = site.run("hallo", plugins="command.hello,command.broken")
    assert run.returncode == 64
    assert run.stderr.count("E102") == 1
    assert "no luck today" in run.stderr
    assert "Did you mean 'hello'" in run.stderr
