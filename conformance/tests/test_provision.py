"""Programs and virtual environments on demand: found, made once under concurrency, refused with a cure."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kernel_conformance import provision
from kernel_conformance.outcome import NotRun

HOLDER = """
import signal
from kernel_conformance import provision
with provision._locked("apt"):
    print("held", flush=True)
    signal.pause()
"""
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    """One tiny package, as constraints.txt pins it."""
    blocks = CONSTRAINTS.read_text().replace("\\\n", " ").splitlines()
    file = tmp_path / "tiny.txt"
    file.write_text(next(line for line in blocks if line.startswith("vine==")) + "\n")
    return file


def test_a_program_that_is_there_is_found() -> None:
    assert provision.program("sh", "dash").name == "sh"


def test_programs_of_the_system_folders_are_found_without_them_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert os.access(provision.program("sh", "dash"), os.X_OK)


def test_an_unknown_package_is_not_run_with_a_cure() -> None:
    with pytest.raises(NotRun, match=r"no-such-program-of-kernel.*apt-get install no-such-package-of-kernel"):
        provision.program("no-such-program-of-kernel", "no-such-package-of-kernel")


class FakeApt:
    """A machine where `apt-get install X` makes a program: what is asked of it, and whether services may start."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = folder / "calls"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self._write("apt-get", f'echo "$RUNLEVEL $*" >>{self.log}\nsleep 0.1\n{self._install("fakeserver")}')
        self._write("dpkg", "exit 0")
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        monkeypatch.setattr(provision, "_as_root", list)
        monkeypatch.setattr(provision, "INSTALL", provision.INSTALL.replace("/usr/sbin/", f"{folder}/"))

    def _write(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def _install(self, name: str) -> str:
        policy = f"cat {self.log.parent}/policy-rc.d >>{self.log}"
        make = f'printf "#!/bin/sh\\n" >{self.bin}/{name}; chmod 755 {self.bin}/{name}'
        return f'case "$*" in *install*) {policy}; {make};; esac'

    def calls(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if "install" in line]


def in_threads(count: int, what: Callable[[], Path]) -> list[Path]:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(what())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_a_missing_program_is_installed_once_and_its_service_is_forbidden_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    apt = FakeApt(tmp_path, monkeypatch)

    found = in_threads(4, lambda: provision.program("fakeserver", "fake-package"))

    assert found == [apt.bin / "fakeserver"] * 4
    (call,) = apt.calls()
    assert call.startswith("1 ")
    assert call.endswith("--no-install-recommends fake-package")
    assert "exit 101" in apt.log.read_text().splitlines()
    assert not (tmp_path / "policy-rc.d").exists()
    assert capsys.readouterr().err.splitlines() == [
        "provision: installing the package fake-package, because the program fakeserver is missing"
    ]


def test_what_is_installed_is_said_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    FakeApt(tmp_path, monkeypatch)
    with (tmp_path / "notes").open("w") as notes:
        monkeypatch.setenv(provision.NOTES, str(notes.fileno()))
        provision.program("fakeserver", "fake-package")

    assert (tmp_path / "notes").read_text().startswith("provision: installing the package fake-package")
    assert not capsys.readouterr().err


def test_without_root_or_sudo_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision, "_as_root", lambda: None)
    with pytest.raises(NotRun, match=r"neither root nor `sudo -n`.*sudo apt-get install rabbit"):
        provision.program("no-such-program-of-kernel", "rabbit")


def test_a_virtual_environment_is_made_once_and_has_exactly_the_pinned_packages(
    pinned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = in_threads(2, lambda: provision.venv("tiny", pinned))

    assert first == second
    python = first / "python"
    version = subprocess.run(
        [python, "-c", "import sys, vine; print(vine.__version__, sys.prefix != sys.base_prefix)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert version == ["5.1.0", "True"]
    assert subprocess.run([python, "-c", "import kernel"], check=False, capture_output=True).returncode
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_half_made_virtual_environment_is_made_anew(pinned: Path) -> None:
    made = provision.venv("tiny", pinned).parent
    (made / ".ready").unlink()
    (made / "bin" / "python").unlink()

    assert (provision.venv("tiny", pinned) / "python").exists()


def test_another_pin_is_another_environment(pinned: Path) -> None:
    before = provision.venv("tiny", pinned)
    pinned.write_text(pinned.read_text() + "# changed\n")

    assert provision.venv("tiny", pinned) != before


def test_a_file_without_hashes_is_not_run_and_leaves_nothing_ready(tmp_path: Path) -> None:
    loose = tmp_path / "loose.txt"
    loose.write_text("vine==5.1.0\n")

    for _ in range(2):
        with pytest.raises(NotRun, match=r"loose\.txt cannot be installed.*hash"):
            provision.venv("loose", loose)


def test_a_file_with_options_is_refused(tmp_path: Path) -> None:
    optioned = tmp_path / "optioned.txt"
    optioned.write_text("--pre\nvine==5.1.0\n")

    with pytest.raises(NotRun, match=r"has the option --pre: .*\.ci/pin"):
        provision.venv("optioned", optioned)


def test_the_lock_is_free_again_after_the_process_that_held_it_died(pinned: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
        holder.wait(10)

    with provision._locked("apt"):
        pass
