"""What a process calls itself that is no worker."""

import os


def client_name(pid: int | None = None) -> str:
    """``gen<PID>@<hostname>``, of this process unless another one is named (wire.md 1.1, ``origin``)."""
    return f"gen{os.getpid() if pid is None else pid}@{os.uname().nodename}"
