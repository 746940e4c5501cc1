"""The router contract, version 1: which queue a call goes to."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from kernel.model.topology import Route, TaskRef, Topology

CompiledRouter = Callable[[TaskRef], Route | None]
"""Answers per call. One that looks at nothing but ``TaskRef.name`` may have an attribute ``by_name`` that is true; its
answers are then kept per task name."""


class Router(ABC):
    """Decides routes (contract ``router/1``). Pure: no I/O, no clock, no randomness, no environment."""

    @abstractmethod
    def compile(self, topology: Topology) -> CompiledRouter:
        """Prepare the decision once; the result answers per call, None meaning "not mine".

        Raises:
            QueueNotFound: when it names a queue that does not exist and may not be created.
            ImproperlyConfigured: for a rule that cannot work.
        """
