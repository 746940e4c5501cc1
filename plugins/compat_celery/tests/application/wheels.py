"""An environment into which the wheels of this tree were installed as users do it; there is no Celery in it."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[4]
PLUGINS = (
    "common_redis", "broker_redis", "backend_redis", "serializer_yaml", "serializer_msgpack", "compression_brotli",
    "compression_zstd", "compat_celery",
)  # fmt: skip
PACKAGES = [ROOT / "core", *(ROOT / "plugins" / name for name in PLUGINS)]
WANTED = ["kernel", *("plugin-" + name.replace("_", "-") for name in PLUGINS), "kombu"]
"""The application imports queues from kombu itself."""


def environment(folder: Path) -> Path:
    """Its interpreter."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    _run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", *PACKAGES, cwd=folder)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    _run(python, "-m", "pip", "install", "-q", "--find-links", "dist", *WANTED, cwd=folder)
    return python


def installed(python: Path, folder: Path) -> list[str]:
    """Names and versions of what is there."""
    return _run(python, "-m", "pip", "list", "--format=freeze", cwd=folder).split()


def _run(*command: object, cwd: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERNEL_", "PYTHON", "PYTEST_"))}
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
