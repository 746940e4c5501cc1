"""The check of the committed tree passes, and notices each thing it forbids (spelled so that it is not found here)."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
CHECK = ROOT / ".ci/clean_tree.py"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clean_tree", CHECK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tree_is_clean() -> None:
    run = subprocess.run([sys.executable, CHECK], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        (("https://files.", "pythonhosted", ".org/packages/x"), "index"),
        (("https://pypi", ".org", "/simple/x"), "index"),
        (("https://registry.", "npmjs", ".org/x"), "index"),
        (("pip install --index", "-url https://example.org/"), "index"),
        (("pip install --find", "-links /opt", "/wheels"), "index"),
        (("cd /wo", "rk/main"), "machine"),
        (("see /ro", "ot/notes.txt"), "machine"),
        (('open("/ho', 'me/someone/x")'), "machine"),
        (("/tmp/w", "t-x/file"), "machine"),
    ],
)
def test_what_may_not_be_committed_is_found(
    check: ModuleType, tmp_path: Path, parts: tuple[str, ...], what: str
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"fine\n{''.join(parts)}\n")
    (found,) = [line for line in check.findings(page) if what in line]
    assert f"{page}:2:" in found


def test_a_lock_file_is_found(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "uv.lock").touch()
    assert len(list(check.findings(tmp_path / "uv.lock"))) == 1


def test_a_binary_is_found(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(b"what a program left" + bytes(3))
    (found,) = check.findings(tmp_path / "dump")
    assert "binary" in found


@pytest.mark.parametrize("line", ["make wheels; pip install --find-links dist kernel", "a path/work/x", "network/root"])
def test_ordinary_lines_are_left_alone(check: ModuleType, tmp_path: Path, line: str) -> None:
    (tmp_path / "page.md").write_text(line)
    assert list(check.findings(tmp_path / "page.md")) == []


def test_pins_are_names_versions_and_hashes_only() -> None:
    for name in ("constraints.txt", "requirements/bench.txt"):
        for line in (ROOT / name).read_text().splitlines():
            words = line.removesuffix("\\").split()
            assert len(words) == 1, line
            assert words[0].startswith("--hash=sha256:") or "==" in words[0], line
