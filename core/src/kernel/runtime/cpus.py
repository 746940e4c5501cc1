"""How many CPUs this process may use: its affinity, and the quota of its control group (features.md 2.4)."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """Whole CPUs, at least 1.

    Args:
        cgroup: where the control group's files are.
    """
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return max(1, allowed if quota is None else min(allowed, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """CPUs that the control group grants; None for no bound."""
    limit, _, period = _read(cgroup / "cpu.max").partition(" ")
    if not limit:  # version 1
        limit = _read(cgroup / "cpu/cpu.cfs_quota_us")
        period = _read(cgroup / "cpu/cpu.cfs_period_us")
    try:
        granted = int(limit) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return granted if granted > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
