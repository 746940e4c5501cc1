"""What this plugin wants of the SDK; :mod:`plugin_broker_sqs.sdk` has it."""

from typing import Any, Protocol

from kernel.contracts.deadline import Deadline


class Api(Protocol):
    """Requests to the server, from any thread."""

    def call(self, operation: str, deadline: Deadline, **parameters: Any) -> dict[str, Any]:
        """One request, named as in the SDK.

        Raises:
            DriverError: whatever became of it.
        """

    def ping(self, deadline: Deadline) -> None:
        """One round trip.

        Raises:
            DriverError: when there is none, or the credentials are refused.
        """

    def close(self) -> None:
        """Close the idle connections; a later call makes new ones."""
