"""The import contracts of pyproject.toml hold, and each of them notices what it is there to notice."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(ROOT / "pyproject.toml"), "--no-cache"]


def lint(source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the import contracts over the packages found below `source` first."""
    return subprocess.run(
        [*LINT, "--no-logo", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "core/src/kernel", tmp_path / "kernel", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_contract_is_kept() -> None:
    run = lint(ROOT / "core/src")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


VIOLATIONS = {
    "layers": ("model/states.py", "import kernel.contracts.broker"),
    "builtins-protected": ("runtime/__init__.py", "import kernel.builtins"),
    "facade": ("engine/__init__.py", "from kernel import Kernel"),
    "no-drivers": ("app/__init__.py", "import yaml"),
    "terminal": ("runtime/__init__.py", "import click"),
    "pure": ("engine/__init__.py", "import socket"),
    "acyclic": ("model/topology.py", "import kernel.model.options"),
}


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_violation_is_caught(contract: str, copy: Path) -> None:
    module, line = VIOLATIONS[contract]
    path = copy / "kernel" / module
    path.write_text(f"{line}\n{path.read_text()}")
    if contract == "acyclic":  # a cycle takes two
        other = copy / "kernel/model/options.py"
        other.write_text(f"import kernel.model.topology\n{other.read_text()}")

    run = lint(copy, "--contract", contract)

    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 broken" in run.stdout


def test_a_type_only_import_counts(copy: Path) -> None:
    path = copy / "kernel/model/states.py"
    blind = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import kernel.contracts.broker\n"
    path.write_text(path.read_text() + blind)

    assert lint(copy, "--contract", "layers").returncode == 1


def test_a_new_package_must_find_its_layer(copy: Path) -> None:
    (copy / "kernel/stray").mkdir()
    (copy / "kernel/stray/__init__.py").touch()

    assert lint(copy, "--contract", "layers").returncode == 1
