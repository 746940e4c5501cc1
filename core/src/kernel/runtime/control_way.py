"""The way to the broker that carries events and remote control."""

from typing import Protocol

from kernel.contracts.broker import Broker
from kernel.contracts.deadline import Deadline
from kernel.errors import KernelError

_TIMEOUT_S = 1.0


class Controlling(Protocol):
    """Has that broker; :class:`kernel.runtime.boot.Services`."""

    def open_control(self, deadline: Deadline) -> Broker:
        """The broker, connected by the deadline."""


class ControlWay:
    """What :class:`kernel.runtime.events.EventDispatcher` publishes through, where no link watches the connection.

    Args:
        services: the broker.
    """

    up = True

    def __init__(self, services: Controlling) -> None:
        self._services = services

    @property
    def broker(self) -> Broker | None:
        """The broker, None when it cannot be reached within a second."""
        try:
            return self._services.open_control(Deadline.after(_TIMEOUT_S))
        except KernelError:
            return None
