"""What a test server needs and this machine may lack: programs of the distribution, virtual environments of their own.

Everything is found or made on first use, once, however many processes ask at the same time: each thing has a file lock
in the user's cache folder. A packaged service that comes with a program is not started; a harness runs its own server.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv as standard_venv
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from kernel_conformance.outcome import NotRun

NOTES = "KERNEL_CONFORMANCE_NOTES"
"""Environment variable: the descriptor to say what is being installed on, when it is not stderr."""
INSTALL_S = 600.0
"""How long installing one thing may take, in seconds."""

# Run by root. A policy that forbids starting services stands while the package is installed, unless the machine has
# its own; RUNLEVEL=1 says the same to older scripts. The lists of packages are fetched only when they are needed.
INSTALL = """\
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\\nexit 101\\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
get() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"; }
get install -y --no-install-recommends "$1" || { get update || true; get install -y --no-install-recommends "$1"; }
if [ -d /run/systemd/system ]; then
    for unit in $(dpkg -L "$1" | sed -n 's#.*/systemd/system/\\([^/@]*\\.\\(service\\|socket\\|timer\\)\\)$#\\1#p'); do
        systemctl --quiet disable "$unit" || true
    done
fi
"""
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


def program(name: str, package: str) -> Path:
    """Find a program, or install the Debian package that has it.

    Args:
        name: the program, for example ``rabbitmq-server``; looked for on PATH and in the system's folders.
        package: the Debian package to install when it is missing; the packaged service is not started.

    Raises:
        NotRun: it is missing and cannot be installed; the message says how to get it.
    """
    found = _find(name)
    if found is not None:
        return found
    with _locked("apt"):
        return _find(name) or _install(name, package)


def venv(name: str, requirements: Path) -> Path:
    """Make a virtual environment from a pinned requirements file, or find the one made from the same file before.

    Args:
        name: what it is for; names the folder together with the hash of the file and the version of Python.
        requirements: every package with its version and hashes, dependencies included, and nothing else.

    Returns:
        The folder with its programs, ``python`` among them.

    Raises:
        NotRun: it cannot be made; the message says why and what to do.
    """
    pinned = requirements.read_bytes()
    _refuse_options(requirements, pinned.decode())
    key = hashlib.sha256(pinned + sys.version.encode() + sys.base_prefix.encode()).hexdigest()[:16]
    folder = cache_folder() / "venvs" / f"{name}-{key}"
    ready = folder / ".ready"
    if not ready.exists():
        with _locked(folder.name):
            if not ready.exists():
                _make_venv(folder, requirements)
                ready.touch()
    return folder / "bin"


def cache_folder() -> Path:
    """Where things made once are kept: ``kernel-conformance`` in the user's cache folder (XDG_CACHE_HOME)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "kernel-conformance"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _find(name: str) -> Path | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS])
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def _install(name: str, package: str) -> Path:
    cure = (
        f"install it yourself, for example `sudo apt-get install {package}`, or name a real server in the environment"
    )
    if shutil.which("apt-get") is None:
        raise NotRun(f"the program {name} is missing and this is no Debian or Ubuntu: {cure}")
    root = _as_root()
    if root is None:
        raise NotRun(f"the program {name} is missing, and neither root nor `sudo -n` is at hand to install it: {cure}")
    _say(f"installing the package {package}, because the program {name} is missing")
    _run(
        [*root, "sh", "-c", INSTALL, "sh", package],
        f"the program {name} is missing and its package cannot be installed",
        cure,
    )
    found = _find(name)
    if found is None:
        raise NotRun(f"the package {package} is installed but has no program {name}: {cure}")
    return found


def _as_root() -> list[str] | None:
    """The words before a command that root must run; None when there is no way."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None or subprocess.run([sudo, "-n", "true"], check=False, capture_output=True).returncode:
        return None
    return [sudo, "-n"]


def _refuse_options(requirements: Path, pinned: str) -> None:
    for line in pinned.splitlines():
        word = line.strip()
        if word.startswith("-") and not word.startswith("--hash="):
            raise NotRun(
                f"{requirements.name} has the option {word.split()[0].partition('=')[0]}: "
                "a pinned file has names, versions and hashes only; pin it anew with .ci/pin"
            )


def _make_venv(folder: Path, requirements: Path) -> None:
    _say(f"making the virtual environment {folder.name} from {requirements.name}")
    shutil.rmtree(folder, ignore_errors=True)
    own_pip = find_spec("pip") is not None  # then the new environment needs none, which takes seconds to make
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if own_pip else [str(python), "-m", "pip"]
    try:
        standard_venv.create(folder, with_pip=not own_pip, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise NotRun(f"no virtual environment can be made ({error}): `sudo apt-get install python3-venv`") from error
    _run(
        [
            *(*pip, "-qq", "--disable-pip-version-check", "--no-input"),
            *("install", "--require-hashes", "--no-deps", "-r", str(requirements)),
        ],
        f"the packages of {requirements.name} cannot be installed",
        "is a package index reachable? Without one, make its files available to pip (pip config) and try again",
    )


def _run(words: Sequence[str], failure: str, cure: str) -> None:
    """Run a command that installs something; its output is shown only when it fails.

    It has a session of its own: whoever kills this process does not leave a half-installed package.
    """
    try:
        done = subprocess.run(
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise NotRun(f"{failure} within {INSTALL_S:g} s: {cure}") from error
    if done.returncode:
        tail = " ".join((done.stderr + done.stdout).split())[-300:]
        raise NotRun(f"{failure} ({tail or f'exit code {done.returncode}'}): {cure}")


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Be the only process that makes `name`; freed by the system when the process ends in whatever way."""
    folder = cache_folder() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(what: str) -> None:
    """One line for the person who waits, also from a process whose output is kept for the report."""
    line = f"provision: {what}\n"
    notes = os.environ.get(NOTES)
    if notes is None:
        sys.stderr.write(line)
        sys.stderr.flush()
        return
    with contextlib.suppress(OSError, ValueError):
        os.write(int(notes), line.encode())
