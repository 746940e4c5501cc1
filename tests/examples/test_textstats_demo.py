"""The demonstration, end to end on a small folder; and its proof, which must notice what is wrong."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/textstats"
MODULES = ("counting", "files", "fleet", "run", "screen", "tasks")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve text files, one binary, one empty, one with a name to stumble over."""
    for number in range(12):
        (tmp_path / f"{number}.txt").write_text(f"file {number}\n" * (number + 1))
    (tmp_path / "picture.bin").write_bytes(bytes(range(256)))
    (tmp_path / "empty").touch()
    (tmp_path / "ein Name mit Ü.txt").write_text("drei kleine Wörter")
    return tmp_path


@pytest.mark.slow
def test_the_demonstration_ends_with_a_proof(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "run.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        env={**os.environ, "KERNEL_BROKER_URL": "nonsense://", "TMPDIR": str(folder.parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed executor" in done.stdout
    assert "Proven: every file was counted exactly once" in done.stdout
    assert "skipped: binary" in done.stdout
    assert [path.name for path in folder.parent.glob("textstats-*")] == []


def test_a_folder_that_does_not_exist_is_said_plainly() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "run.py"), "/no/such/folder"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 66
    assert done.stderr.count("\n") == 1
    assert "/no/such/folder" in done.stderr


@pytest.fixture
def proof(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A finished run, as it is when all went well; a test spoils it and asks for the differences."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    run: ModuleType = __import__("run")
    files, counting = __import__("files"), __import__("counting")
    listed = list(files.list_files(folder))
    made = run.Run(listed, folder.parent / "journal", folder.parent / "hold", killed=1)
    lines = [f"{2 + index % 4}\t{file.path}" for index, file in enumerate(listed)]
    made.journal.write_text("\n".join([*lines, f"1\t{made.victim.path}"]))
    for file in listed:
        try:
            made.results[file.path] = counting.count_file(Path(file.path))
        except counting.Skipped as reason:
            made.results[file.path] = {"skipped": str(reason)}
    yield made, lambda: list(run.differences(made))
    made.journal.unlink()


def test_the_proof_of_a_good_run(proof: Any) -> None:
    _, differences = proof
    assert differences() == []


def test_the_proof_notices_wrong_numbers(proof: Any) -> None:
    run, differences = proof
    run.results[run.files[0].path]["words"] += 1
    run.results[run.files[1].path]["bytes"] -= 1
    assert [found.split(": ")[1].split()[1] for found in differences()] == ["words", "bytes"]


def test_the_proof_notices_a_result_without_an_execution(proof: Any) -> None:
    run, differences = proof
    run.journal.write_text(run.journal.read_text().replace(run.files[0].path, "/somewhere/else"))
    assert any("never executed" in found for found in differences())
    assert any("nobody asked for" in found for found in differences())


def test_the_proof_notices_that_nobody_was_killed(proof: Any) -> None:
    run, differences = proof
    run.killed = None
    assert any("no process was killed" in found for found in differences())


def test_the_proof_notices_that_nobody_took_over(proof: Any) -> None:
    run, differences = proof
    lines = [line for line in run.journal.read_text().splitlines() if not line.endswith(run.victim.path)]
    run.journal.write_text("\n".join([*lines, f"1\t{run.victim.path}"]))
    assert any("no process was killed" in found for found in differences())
