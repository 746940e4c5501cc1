"""moto's server: SQS in memory.

Good for: real long polling, exact counters, visibility, FIFO rules, dead letters, the purge cool-down. Not for:
backlogs (every call takes time in proportion to the queue's depth; keep to a hundred messages), anything that must
survive a restart, partial failures of a batch, the order of a FIFO batch that comes back when its lease ends.
"""

import shlex
from typing import Final

from kernel_conformance.servers.sqs import SqsServer

# What the program moto_server serves, by a server that keeps connections open as AWS does; each poll takes a thread.
# moto marks a message as received some lines after it saw that nobody has it, and takes no lock. Threads that are not
# interrupted meanwhile cannot get the same message.
_MAIN: Final = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from waitress import serve
sys.setswitchinterval(1.0)
serve(DomainDispatcherApplication(create_backend_app), host=sys.argv[1], port=int(sys.argv[2]), threads=64)
"""


class MotoServer(SqsServer):
    """The server of the pinned version, which takes only a second to start."""

    version = "5.2.5"

    def __init__(self) -> None:
        super().__init__("moto", f"{{bin}}/python -c {shlex.quote(_MAIN)} {{host}} {{port}}")
