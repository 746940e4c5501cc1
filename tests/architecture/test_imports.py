"""The import contracts of pyproject.toml hold, and each of them notices what it is there to notice."""

import os
import shutil
import subprocess
import sys
import tomllib
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
    for package in [*ROOT.glob("core/src/*"), *ROOT.glob("plugins/*/src/*"), *ROOT.glob("conformance/src/*")]:
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_contract_is_kept() -> None:
    run = lint(ROOT / "core/src")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


VIOLATIONS = {
    "layers": ("kernel/model/states.py", "import kernel.contracts.broker"),
    "builtins-protected": ("kernel/runtime/__init__.py", "import kernel.builtins"),
    "builtins-independent": ("kernel/builtins/sqlite/__init__.py", "import kernel.builtins.memory"),
    "plugins-independent": ("plugin_serializer_yaml/__init__.py", "import plugin_compression_brotli"),
    "plugins-protected": ("kernel/runtime/__init__.py", "import plugin_serializer_yaml"),
    "plugins-see": ("plugin_serializer_yaml/__init__.py", "import kernel.runtime.boot"),
    "compat": ("plugin_compat_celery/__init__.py", "import kernel.builtins.memory"),
    "facade": ("kernel/engine/__init__.py", "from kernel import Kernel"),
    "no-drivers": ("kernel/app/__init__.py", "import yaml"),
    "terminal": ("kernel/runtime/__init__.py", "import click"),
    "pure": ("kernel/engine/__init__.py", "import socket"),
    "acyclic": ("kernel/model/topology.py", "import kernel.model.options"),
    "conformance": ("kernel_conformance/harness.py", "import kernel.builtins.memory.broker"),
}


CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in CONFIG["contracts"]}


def test_every_contract_is_tried() -> None:
    assert set(CONTRACTS) == set(VIOLATIONS)


LIBRARIES = {"plugin_common_redis"}
"""No plugins: what several plugins of one client library share."""
ADAPTERS = {"plugin_compat_celery"}
"""No drivers behind a contract, but names for applications: they stand above the app and may see it."""


def test_every_plugin_and_builtin_is_under_contract() -> None:
    packages = {path.name for path in ROOT.glob("plugins/*/src/*") if (path / "__init__.py").exists()}
    plugins = packages - LIBRARIES
    assert packages <= set(CONFIG["root_packages"])
    assert plugins == set(CONTRACTS["plugins-independent"]["modules"])
    assert plugins == set(CONTRACTS["plugins-protected"]["protected_modules"])
    assert packages - ADAPTERS == set(CONTRACTS["plugins-see"]["source_modules"])
    assert set(CONTRACTS["compat"]["source_modules"]) == ADAPTERS
    builtins = {path.parent.name for path in ROOT.glob("core/src/kernel/builtins/*/__init__.py")}
    assert {f"kernel.builtins.{name}" for name in builtins} == set(CONTRACTS["builtins-independent"]["modules"])


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_violation_is_caught(contract: str, copy: Path) -> None:
    module, line = VIOLATIONS[contract]
    path = copy / module
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
