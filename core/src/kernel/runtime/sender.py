"""Hands messages to the broker: queues, retries, deadlines, and one clear error (features.md 1.8, 1.9)."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Any, NamedTuple

from kernel.contracts.broker import Broker, Outgoing
from kernel.contracts.deadline import Deadline
from kernel.engine.publish_policy import PublishPolicy
from kernel.errors import Code, DriverError, KernelError, OperationalError
from kernel.model.config import Config
from kernel.model.topology import QueueSpec, Topology
from kernel.model.urls import masked_url

_NAMED = 5
"""Ids that an error names; the rest are counted."""
MOST = 1000
"""Messages in one call of the broker, with a deadline of their own: a large group is not too much for a slow server."""


Specs = tuple[QueueSpec, ...]


class Parcel(NamedTuple):
    """A message, the queues that must exist for it to arrive, and the headers of protocol 2, whatever it is sent in."""

    item: Outgoing
    specs: Specs
    headers: Mapping[str, Any]


Failure = tuple[Parcel, DriverError]


class Sender:
    """Publishes prepared messages. Safe in any thread.

    It never blocks longer than ``broker_connection_timeout`` plus the pauses of the retry policy (pains P08), for each
    thousand messages; only a policy with ``max_retries`` None goes on for ever, one bounded try after the other.

    Args:
        broker: gives the open broker of this process, by a deadline.
        config: timeouts.
        url: the broker's URL, for messages.
    """

    def __init__(self, broker: Callable[[Deadline], Broker], config: Config, url: str) -> None:
        self._broker = broker
        self._timeout_s = config.broker_connection_timeout
        self._url = url
        self._declared: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def send(self, parcels: Sequence[Parcel], policy: PublishPolicy, also: Specs = ()) -> None:
        """Send all; what the broker refused for a passing reason is sent again, the rest is reported.

        A broker that takes no messages at present is not asked again for every further thousand.

        Args:
            parcels: what is to be sent.
            policy: how patiently.
            also: queues that must exist for the answers.

        Raises:
            OperationalError: ``failed`` maps the id of each message that was not taken to its error.
        """
        failures: list[Failure] = []
        for start in range(0, len(parcels), MOST):
            found = self._send(parcels[start : start + MOST] if len(parcels) > MOST else parcels, policy, also)
            failures += found
            stop = next((error for _, error in found if error.retryable), None)
            if stop is not None:
                failures += [(parcel, _not_tried(stop)) for parcel in parcels[start + MOST :]]
                break
        if failures:
            raise self._refused(failures, len(parcels))

    def _send(self, parcels: Sequence[Parcel], policy: PublishPolicy, also: Specs) -> list[Failure]:
        """Send at most a thousand, with patience; those that were not taken."""
        pauses = policy.total_s
        limit = None if pauses is None else Deadline.after(self._timeout_s + pauses)
        waiting, retry = parcels, 0
        given_up: list[Failure] = []
        while True:
            failures = self._try(waiting, limit, also)
            if not failures:
                return given_up
            allowed = [policy.allows(retry, error) for _, error in failures]
            again = list(compress(failures, allowed))
            given_up += [failure for failure, may in zip(failures, allowed, strict=True) if not may]
            pause = _pause(policy, retry, [error for _, error in again])
            if not again or (limit is not None and pause >= limit.left()):
                return [*given_up, *again]
            time.sleep(pause)
            waiting, retry = [parcel for parcel, _ in again], retry + 1

    def _try(self, parcels: Sequence[Parcel], limit: Deadline | None, also: Specs) -> list[Failure]:
        deadline = limit or Deadline.after(self._timeout_s)
        try:
            failures = self._publish(parcels, deadline, also)
            gone = [parcel for parcel, error in failures if error.code is Code.NOT_FOUND]
            if gone:  # somebody deleted the queue after it was declared
                self._forget(gone, also)
                failures = [failure for failure in failures if failure[1].code is not Code.NOT_FOUND]
                failures += self._publish(gone, deadline, also)
        except DriverError as error:
            return [(parcel, error) for parcel in parcels]
        return failures

    def _publish(self, parcels: Sequence[Parcel], deadline: Deadline, also: Specs) -> list[Failure]:
        broker = self._broker(deadline)
        try:
            self._declare(broker, parcels, also, deadline)
            results = broker.publish([parcel.item for parcel in parcels], deadline)
        except KernelError:
            raise
        except Exception as error:
            raise DriverError(
                Code.INTERNAL,
                f"{type(broker).__module__} failed with {type(error).__name__}: {error}",
                cure="This is a defect of the broker plugin: report it to its author.",
            ) from error
        return [(parcel, r.error) for parcel, r in zip(parcels, results, strict=True) if r.error is not None]

    def _declare(self, broker: Broker, parcels: Sequence[Parcel], also: Specs, deadline: Deadline) -> None:
        """Make sure that the queues exist; asked of the broker once per process and queue."""
        missing = {spec.name: spec for spec in also if spec.name not in self._declared}
        seen: Specs = ()
        for parcel in parcels:
            if parcel.specs is not seen:  # messages of one task share them
                seen = parcel.specs
                missing.update({spec.name: spec for spec in seen if spec.name not in self._declared})
        if not missing:
            return
        broker.declare(list(missing.values()), deadline)
        with self._lock:
            self._declared |= missing.keys()

    def forget(self, spec: QueueSpec) -> None:
        """Declare this queue again with the next message that needs it."""
        with self._lock:
            self._declared -= {spec.name}

    def _forget(self, parcels: Sequence[Parcel], also: Specs) -> None:
        with self._lock:
            self._declared -= {spec.name for parcel in parcels for spec in parcel.specs}
            self._declared -= {spec.name for spec in also}

    def _refused(self, failures: Sequence[Failure], sent: int) -> OperationalError:
        first = failures[0][1]
        ids = [f"{parcel.headers.get('task')}[{parcel.item.id}]" for parcel, _ in failures[:_NAMED]]
        more = f" and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
        count = "Not sent: " if sent == 1 else f"{len(failures)} of {sent} messages were not sent: "
        url = masked_url(self._url)
        error = OperationalError(
            f"{count}{', '.join(ids)}{more}: {first} (broker {url})",
            cure=first.cure or f"Check that the broker at {url} is running and can be reached from here.",
            code=Code(first.code),
        )
        error.failed = {parcel.item.id: reason for parcel, reason in failures}
        error.__cause__ = first
        return error


def bound_queues(topology: Topology, exchange: str) -> tuple[QueueSpec, ...]:
    """The configured queues that hang on an exchange, whatever their key."""
    return tuple(
        spec
        for spec in topology.queues.values()
        if exchange in {spec.exchange.name, *(binding.exchange.name for binding in spec.bindings)}
    )


def _not_tried(earlier: DriverError) -> DriverError:
    """For a message that was not sent because those before it could not be."""
    return DriverError(
        Code(earlier.code),
        f"Not sent, because messages before it could not be: {earlier}",
        retryable=earlier.retryable,
        cure=earlier.cure,
    )


def _pause(policy: PublishPolicy, retry: int, errors: Sequence[DriverError]) -> float:
    """The policy's pause, or longer where the server said when to come back."""
    return max([policy.pause(retry), *(error.retry_after or 0.0 for error in errors)])
