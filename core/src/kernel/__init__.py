"""``kernel``: a distributed task queue as a pluggable microkernel.

::

    from kernel import Kernel

    app = Kernel("proj")

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    add.delay(2, 2).get(timeout=10)

Importing this package starts no thread, opens nothing and reads no configuration; drivers and plugins are imported when
the first message is sent.
"""

from kernel import states
from kernel.app.blocking import allow_join_result
from kernel.app.canvas import chain, chord, group
from kernel.app.current import app_or_default, current_app, current_task
from kernel.app.eager import EagerResult
from kernel.app.group_result import GroupResult
from kernel.app.kernel import Kernel
from kernel.app.mapping import chunks, xmap, xstarmap
from kernel.app.queues import Binding, Exchange, Queue
from kernel.app.result import AsyncResult
from kernel.app.shared import shared_task
from kernel.app.signature import Signature, maybe_signature, signature
from kernel.app.stamping import StampingVisitor
from kernel.app.task import Task

__all__ = [
    "AsyncResult",
    "Binding",
    "EagerResult",
    "Exchange",
    "GroupResult",
    "Kernel",
    "Queue",
    "Signature",
    "StampingVisitor",
    "Task",
    "allow_join_result",
    "app_or_default",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "group",
    "maybe_signature",
    "shared_task",
    "signature",
    "states",
    "xmap",
    "xstarmap",
]
