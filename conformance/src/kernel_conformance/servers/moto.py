"""moto's server: SQS in memory.

Good for: real long polling, exact counters, visibility, FIFO rules, dead letters, the purge cool-down. Not for:
backlogs (every call takes time in proportion to the queue's depth; keep to a hundred messages), anything that must
survive a restart, partial failures of a batch, the order of a FIFO batch that comes back when its lease ends.
"""

from kernel_conformance.servers.sqs import SqsServer


class MotoServer(SqsServer):
    """``moto_server`` of the pinned version."""

    version = "5.2.5"

    def __init__(self) -> None:
        super().__init__("moto", "{bin}/moto_server -H {host} -p {port}")
