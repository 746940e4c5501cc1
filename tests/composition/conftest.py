"""What all combinations share: wheels in an empty environment, one server of each kind, and certificates."""

import importlib.metadata
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kernel.runtime.plugins import discover
from kernel_conformance import provision
from kernel_conformance.harness import DriverHarness
from kernel_conformance.targets import harness_of

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
DISTS = ["kernel", *("plugin-" + path.name.replace("_", "-") for path in PLUGINS)]
EMBEDDED = frozenset({"memory", "sqlite"})
EXAMPLES = frozenset({"fs", "celery-backend"})
"""Drivers that documents are written around, and the adapter of classes written for Celery: tested where they are."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass
class Place:
    """Where a broker or result backend is.

    Attributes:
        url: empty for one that each combination has for itself.
        options: transport options.
        can: what it claims.
    """

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)
    can: frozenset[str] = frozenset()


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that holds our wheels and what they say they need, and nothing else."""
    folder = tmp_path_factory.mktemp("composition")
    needed = folder / "needed.txt"
    needed.write_text(pinned(third_party(DISTS)))
    with ThreadPoolExecutor() as threads:
        cached = threads.submit(provision.venv, "composition", needed)
        wheels = threads.submit(build_wheels, folder / "dist")
    venv.create(folder / "venv", with_pip=False)
    found = folder / "venv/bin/python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site, others = (Path(run(each, "-c", where).strip()) for each in (found, cached.result() / "python"))
    (site / "needed.pth").write_text(f"{others}\n")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python", found, "install"]
    run(*pip, "--no-deps", "--no-index", *wheels.result())
    return found


def build_wheels(folder: Path) -> list[Path]:
    """Every distribution of this tree but the suite."""
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "wheel"]
    run(*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT / "core", *PLUGINS)
    return sorted(folder.glob("*.whl"))


def third_party(names: list[str]) -> set[str]:
    """What these distributions need, and what that needs, as their metadata say; without these and without extras."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        for line in importlib.metadata.requires(waiting.pop()) or ():
            name = canonical(_NAME.match(line)[0])  # type: ignore[index] # a requirement begins with a name
            if "extra ==" not in line and name not in found and name not in names and is_installed(name):
                found.add(name)
                waiting.append(name)
    return found


def is_installed(name: str) -> bool:
    """Whether it is needed here: what is meant for other systems or versions of Python is not installed."""
    try:
        return bool(importlib.metadata.distribution(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def pinned(names: set[str]) -> str:
    """The lines of constraints.txt about these, with their hashes."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / "constraints.txt").read_text())
    chosen = {canonical(block.partition("==")[0]): block for block in blocks if "==" in block}
    return "".join(f"{chosen[name].rstrip()}\n" for name in sorted(names))


def canonical(name: str) -> str:
    """The name as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).strip().lower()


def run(*command: object) -> str:
    """Run a program to its end; what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def places() -> Iterator[dict[str, Place]]:
    """Every broker and result backend with a server, by the name of its plugin; all are started at once."""
    names = [entry.name for entry in discover() if entry.kind in {"broker", "backend"}]
    harnesses = {name: harness_of(name) for name in names if name.partition(".")[2] not in EMBEDDED | EXAMPLES}
    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda harness: harness.start(), harnesses.values()))
        yield {name: _place(harness) for name, harness in harnesses.items() if isinstance(harness, DriverHarness)}
    finally:
        for harness in harnesses.values():
            harness.stop()


def _place(harness: DriverHarness) -> Place:
    return Place(harness.current_url(), dict(harness.options), harness.claims())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of an identity that trusts itself."""
    folder = tmp_path_factory.mktemp("certificate")
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "composition")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "node.key").write_bytes(private)
    (folder / "node.crt").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(encoding))
    path = partial(os.path.join, folder)
    files = {"security_key": "node.key", "security_certificate": "node.crt", "security_cert_store": "*.crt"}
    return {setting: path(name) for setting, name in files.items()}
