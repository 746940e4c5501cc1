"""Harness factories are found by entry point, with the distribution they come from, and none is imported."""

import sys
from pathlib import Path

import pytest

from kernel_conformance import harnesses


def announce(site: Path, dist: str, entry: str) -> None:
    info = site / f"{dist.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
    plugin = "[kernel.plugins]\nbroker.other = no.such:thing\n"
    (info / "entry_points.txt").write_text(f"[kernel.conformance]\n{entry}\n{plugin}")


def test_announced_harnesses_are_listed_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path, "plugin-broker-zzz", "broker.zzz = no_such_module_zzz:harness")
    announce(tmp_path, "plugin-broker-aaa", "broker.aaa = no_such_module_aaa:harness")
    monkeypatch.syspath_prepend(str(tmp_path))

    mine = [found for found in harnesses() if found.dist in {"plugin-broker-zzz", "plugin-broker-aaa"}]

    assert [(found.name, found.dist, found.version) for found in mine] == [
        ("broker.aaa", "plugin-broker-aaa", "1.2"),
        ("broker.zzz", "plugin-broker-zzz", "1.2"),
    ]
    assert not any(name.startswith("no_such_module") for name in sys.modules)


def test_other_groups_are_not_harnesses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path, "plugin-broker-zzz", "broker.zzz = no_such_module_zzz:harness")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert "broker.other" not in {found.name for found in harnesses()}
