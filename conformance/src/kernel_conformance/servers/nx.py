"""nx-27017: the wire protocol of MongoDB on SQLite. It is not MongoDB, and a report says so.

Good for: durable writes, restarts, TTL indexes (within two seconds), unique keys, guarded upserts, change streams. Not
for: credentials, replica sets and what only they do. Wrong in it, so that a driver which must pass here does without:
a date given to ``$set`` is stored as text; ``$or`` beside a comparison with null matches other documents; an upsert of
find_one_and_update that meets another document returns nothing instead of an error; a change stream does not wait. One
defect is mended before it starts, because no driver could do without: see ``nx_mended``.
"""

import contextlib
from pathlib import Path

from kernel_conformance.provision import venv
from kernel_conformance.server import Server

REQUIREMENTS = Path(__file__).with_name("nx.txt")
_FILES = "--data-dir {{dir}}/data --log-file {{dir}}/nx.log --pid-file {{dir}}/nx.pid"
_COMMAND = f"{{bin}}/python {{main}} --host {{{{host}}}} -p {{{{port}}}} {_FILES}"


class NxServer(Server):
    """A server with databases of its own, which survive its being killed."""

    version = "nx-27017 0.8.1"

    def __init__(self) -> None:
        super().__init__("", before_start=_forget_pid)

    def start(self) -> None:
        """Install it if need be, and start it.

        Raises:
            NotRun: it cannot be installed or started.
        """
        self._command = _COMMAND.format(bin=venv("nx", REQUIREMENTS), main=REQUIREMENTS.with_name("nx_mended.py"))
        super().start()


def _forget_pid(folder: Path) -> None:
    """A server that was killed leaves the file, and would not start beside it."""
    with contextlib.suppress(FileNotFoundError):
        (folder / "nx.pid").unlink()
