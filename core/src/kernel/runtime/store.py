"""Writes records to the result backend, and does not give up early."""

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from kernel.contracts.backend import Record, StoreMode, StoreResult
from kernel.contracts.deadline import Deadline
from kernel.errors import DriverError
from kernel.model.config import Config

logger = logging.getLogger("kernel.worker")

STORE_TIMEOUT_S = 10.0
"""Deadline of one write."""


class Writes(Protocol):
    """Takes records; a result backend."""

    def store(self, records: Sequence[Record], mode: StoreMode, deadline: Deadline) -> list[StoreResult]:
        """See :meth:`kernel.contracts.backend.ResultBackend.store`."""


class Storing(Protocol):
    """What a store needs around it; :class:`kernel.runtime.boot.Services` has it."""

    @property
    def config(self) -> Config:
        """The effective settings."""

    @property
    def backend(self) -> Writes | None:
        """The open result backend, None when nothing is stored."""


class Store:
    """Writes records with the retry settings of features.md 2.9.

    Args:
        services: the result backend, opened when first needed, and ``result_backend_always_retry`` with its intervals.
            Without a backend nothing is stored.
        patient: False tries once, for those who try again by themselves.
    """

    def __init__(self, services: Storing, *, patient: bool = True) -> None:
        self._services = services
        config = services.config
        self._retries = config.result_backend_max_retries if patient and config.result_backend_always_retry else 0
        self._pause_s = config.result_backend_base_sleep_between_retries_ms / 1000
        self._longest_s = config.result_backend_max_sleep_between_retries_ms / 1000

    def once(self, records: Sequence[Record], mode: StoreMode) -> None:
        """One try.

        Raises:
            DriverError: when it failed.
        """
        backend = self._services.backend
        if backend is None:
            return
        for result in backend.store(records, mode, Deadline.after(STORE_TIMEOUT_S)):
            if result.error is not None:
                raise result.error

    def all(self, records: Sequence[Record], mode: StoreMode) -> list[DriverError | None]:
        """Write all, retrying what may be retried; per record the error that remains."""
        errors = self._try(records, mode)
        tries, pause = 0, self._pause_s
        while tries < self._retries and any(e is not None and e.retryable for e in errors):
            time.sleep(pause)
            pause = min(pause * 2, self._longest_s)
            tries += 1
            again = [i for i, error in enumerate(errors) if error is not None and error.retryable]
            for i, error in zip(again, self._try([records[i] for i in again], mode), strict=True):
                errors[i] = error
        return errors

    def _try(self, records: Sequence[Record], mode: StoreMode) -> list[DriverError | None]:
        try:
            backend = self._services.backend
            if backend is None:
                return [None] * len(records)
            results = backend.store(records, mode, Deadline.after(STORE_TIMEOUT_S))
        except DriverError as error:
            logger.warning("Storing %d results failed: %s", len(records), error)
            return [error] * len(records)
        return [result.error for result in results]
