"""The router contract, version 1: which queue a call goes to."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from kernel.model.topology import Route, TaskRef, Topology

CompiledRouter = Callable[[TaskRef], Route | None]


class Router(ABC):
    """Decides routes (contract ``router/1``). Pure: no I/O, no clock, no randomness, no environment."""

    @abstractmethod
    def compile(self, topology: Topology) -> CompiledRouter:
        """Prepare the decision once; the result answers per call, None meaning "not mine".

        Raises:
            QueueNotFound: when it names a queue that does not exist and may not be created.
            ImproperlyConfigured: for a rule that cannot work.
        """
