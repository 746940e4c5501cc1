"""The node's connection to its broker: one consumer, and the way back after a loss (pains P01)."""

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from kernel.contracts.broker import Broker, Consumer, Delivery, Settle, SettleResult
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.engine.backoff import FIRST_S, reconnect_delay
from kernel.errors import Applied, Code, DriverError
from kernel.model.config import Config
from kernel.model.topology import QueueSpec

logger = logging.getLogger("kernel.worker")

_NOTHING = BrokerCaps()
_HOPELESS = frozenset({Code.AUTH, Code.CONFLICT, Code.INVALID, Code.UNSUPPORTED})
"""Errors of the first connection that waiting does not cure: they end the worker at start."""


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """How to connect. ``max_retries`` None or 0 is for ever; times are seconds."""

    timeout_s: float = 4.0
    retry: bool = True
    retry_at_start: bool = True
    max_retries: int | None = None

    @classmethod
    def of(cls, config: Config) -> Self:
        """As the settings ``broker_connection_*`` say."""
        at_start = config.broker_connection_retry_on_startup
        return cls(
            timeout_s=config.broker_connection_timeout,
            retry=config.broker_connection_retry,
            retry_at_start=config.broker_connection_retry if at_start is None else at_start,
            max_retries=config.broker_connection_max_retries,
        )


class Opening(Protocol):
    """Has the broker; :class:`kernel.runtime.boot.Services`."""

    @property
    def broker(self) -> Broker:
        """Built, and opened, when first asked for."""


class Link:
    """Receives, settles, and connects again. ``receive`` and ``connect`` belong to one thread, a node's main loop.

    Args:
        services: builds the driver, and opens it when first asked.
        specs: what to declare at every connection.
        queues: what to consume.
        policy: retries and timeouts.
        prefetch: unsettled deliveries at a time; 0 is no bound.
        log: told of losses and of the way back.
    """

    def __init__(
        self,
        services: Opening,
        specs: Sequence[QueueSpec],
        queues: Sequence[str],
        policy: LinkPolicy,
        *,
        prefetch: int = 0,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger] = logger,
    ) -> None:
        self.broker: Broker | None = None
        self._services = services
        self._specs = specs
        self._queues = queues
        self._policy = policy
        self._prefetch = prefetch
        self._log = log
        self._consumer: Consumer | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._proven = False
        self._started = False
        self.up = False
        self.losses = 0

    @property
    def queues(self) -> list[QueueSpec]:
        """What is consumed. From any thread."""
        names = self._queues  # first: what stands in it is among the specs by then, and stays there
        known = {spec.name: spec for spec in self._specs}
        return [known[name] for name in names]

    @property
    def may_change(self) -> bool:
        """Whether :meth:`change` can work with this broker. From any thread."""
        consumer = self._consumer
        return consumer is not None and type(consumer).change is not Consumer.change

    def change(self, add: Sequence[QueueSpec] = (), remove: Sequence[str] = ()) -> None:
        """Consume more queues, or fewer, from now on; those to add have been declared."""
        new = {spec.name: spec for spec in add}
        self._specs = [*(spec for spec in self._specs if spec.name not in new), *new.values()]
        self._queues = [name for name in dict.fromkeys([*self._queues, *new]) if name not in remove]
        if self._consumer is None:
            return
        try:
            self._consumer.change(self._queues, self._deadline())
        except DriverError as error:
            self.lose(error)

    @property
    def capabilities(self) -> BrokerCaps:
        """What the broker can do; nothing before the first connection."""
        return _NOTHING if self.broker is None else self.broker.capabilities()

    def connect(self) -> bool:
        """Try to connect, unless it is too early for the next attempt.

        Returns:
            Whether the link is up.

        Raises:
            DriverError: when the policy says not to try again, or, at start, waiting cannot help.
        """
        began = time.monotonic()
        if not self.up and began >= self._retry_at:
            try:
                self._connect()
            except DriverError as error:
                self._failed(error, began)
        return self.up

    def retry_in(self) -> float:
        """Seconds until :meth:`connect` tries again; 0.0 when it would now, or when the link is up."""
        return 0.0 if self.up else max(0.0, self._retry_at - time.monotonic())

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        """Like :meth:`Consumer.receive`; a loss is noted, and then nothing is received."""
        if self._consumer is None:
            return []
        try:
            deliveries = self._consumer.receive(max_n, wait_s)
        except DriverError as error:
            self.lose(error)
            return []
        except Exception as error:  # noqa: BLE001 - a defect of a driver must not end the node
            self.lose(_defect(error))
            return []
        self._proven = True
        self._failures = 0
        return deliveries

    def settle(self, actions: Sequence[Settle]) -> list[SettleResult]:
        """Like :meth:`Consumer.settle`, from any thread, within the connection timeout.

        Raises:
            DriverError: when the whole call failed, or there is no connection.
        """
        consumer = self._consumer
        if consumer is None:
            raise DriverError(Code.UNAVAILABLE, "The worker is not connected to its broker.")
        try:
            return consumer.settle(actions, self._deadline())
        except DriverError:
            raise
        except Exception as error:
            raise _defect(error) from error

    def wake(self) -> None:
        """Make a blocked :meth:`receive` return. Callable from any thread and from a signal handler."""
        consumer = self._consumer
        if consumer is not None:
            consumer.wake()

    def lose(self, error: DriverError) -> None:
        """Note that the connection is gone: the next :meth:`connect` waits a little and declares everything again."""
        if self.up:
            self.up = False
            self.losses += 1
            self._log.error("Connection to the broker lost: %s", error.one_line())
        if not self._proven or error.code in {Code.CLOSED, Code.NOT_FOUND, Code.INTERNAL}:
            self._drop_consumer()  # it never worked since the last connection, or it says that it never will
        self._failures += 1
        self._retry_at = time.monotonic() + reconnect_delay(self._failures, random.uniform)

    def close(self, release: bool) -> None:
        """Stop consuming; with ``release`` everything unsettled goes back at once. Never raises."""
        consumer, self._consumer, self.up = self._consumer, None, False
        if consumer is None:
            return
        try:
            consumer.close(release, self._deadline())
        except DriverError as error:
            self._log.warning("The consumer did not close in order: %s", error.one_line())

    def _connect(self) -> None:
        deadline = self._deadline()
        try:
            broker = self.broker = self._services.broker
            broker.open(deadline)
            broker.declare(self._specs, deadline)
            if self._consumer is None:
                self._consumer = broker.consumer(self._queues, self._prefetch)
        except DriverError:
            raise
        except Exception as error:
            raise _defect(error) from error
        if self._started:
            self._log.info("Connected to the broker again.")
        self.up, self._started, self._proven = True, True, False

    def _failed(self, error: DriverError, began: float) -> None:
        retry = self._policy.retry if self._started else self._policy.retry_at_start
        hopeless = error.code in _HOPELESS and not self._started
        self._failures += 1
        if hopeless or not retry or self._failures > (self._policy.max_retries or self._failures):
            raise error
        # Counted from the beginning of the attempt: one that took its whole time-out has waited long enough.
        now, pause = time.monotonic(), reconnect_delay(self._failures, random.uniform)
        delay = error.retry_after or max(FIRST_S, pause - (now - began))
        self._retry_at = now + delay
        self._log.error("Cannot connect to the broker: %s Trying again in %.1f s.", error.one_line(), delay)

    def _drop_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        try:
            consumer.close(False, Deadline.after(1.0))
        except DriverError:
            self._log.debug("An unusable consumer did not close in order", exc_info=True)

    def _deadline(self) -> Deadline:
        return Deadline.after(self._policy.timeout_s)


def _defect(error: Exception) -> DriverError:
    """What a driver must never raise, as the error it should have been."""
    found = DriverError(
        Code.INTERNAL,
        f"The broker plugin raised {type(error).__name__}: {error}.",
        retryable=True,
        outcome=Applied.UNKNOWN,
        cure="This is a defect of the plugin; run its conformance suite.",
    )
    found.__cause__ = error
    return found
