"""What no committed file may contain: addresses of package indexes, paths of one machine, lock files, binaries.

Run by `make check`; prints each finding as `file:line: what` and exits 1 when there is one.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK_FILES = {"uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "package-lock.json", "yarn.lock"}
# The patterns are written so that this file does not contain what it looks for.
ADDRESSES = re.compile(
    r"files\.[a-z]+hosted\.org|\b[a-z]+\.org/simple\b|registry\.[a-z]+js\.org|\bdeb\.[a-z]+\.org"
    r"|--(?:extra-)?index-url[ =]|--find-links[ =]\S*(?:://|/opt/)"
)
MACHINE_PATHS = re.compile(
    r"(?<![\w./-])/(?:work|farm|root|tmp/wt-|home/[a-z]+|Users/[A-Za-z]+|opt/(?:pypi|wheels))(?:/|\b)"
)
MAX_BYTES = 1_000_000


def committed_files() -> list[Path]:
    """Every file git tracks or would add; without git (an exported tree), every file outside generated folders."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is found on PATH
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return [path for path in ROOT.rglob("*") if path.is_file() and not _generated(path.relative_to(ROOT))]
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


GENERATED = {".venv", ".git", "dist", "build", "__pycache__"}


def _generated(path: Path) -> bool:
    return any(part in GENERATED or part.endswith("_cache") for part in path.parts)


def findings(path: Path) -> Iterator[str]:
    """Each thing in `path` that may not be committed, as one line."""
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    if path.name in LOCK_FILES:
        yield f"{name}: a lock file records download addresses; constraints.txt is the pin"
        return
    data = path.read_bytes()
    if b"\0" in data:
        yield f"{name}: a binary file; what a program left behind is no source"
        return
    if len(data) > MAX_BYTES:
        yield f"{name}: {len(data)} bytes is too large for the repository"
        return
    for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1):
        if ADDRESSES.search(line):
            yield f"{name}:{number}: an address of a package index"
        if MACHINE_PATHS.search(line):
            yield f"{name}:{number}: a path of one machine"


def main() -> int:
    """Check every committed file and say what was found."""
    files = committed_files()
    found = [finding for path in files for finding in findings(path)]
    for finding in found:
        print(finding)
    if not found:
        print(f"clean tree: {len(files)} files, no index address, machine path, lock file or binary")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
