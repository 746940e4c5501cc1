"""Requests of up to ten entries, of which each may fail for itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from plugin_broker_sqs.api import Api
from plugin_broker_sqs.failures import entry_failed, not_answered, not_tried

MOST: Final = 10
_BROKEN: Final = frozenset({Code.UNAVAILABLE, Code.TIMEOUT})
_ALL_THE_SAME: Final = _BROKEN | {Code.NOT_FOUND, Code.AUTH, Code.EXHAUSTED}
"""A whole batch that ended so does not end better entry by entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a batch.

    Attributes:
        what: which message it is about, for errors.
        fields: as the server wants them, without ``Id``.
        size: bytes that count against the largest request; 0 where that does not matter.
    """

    what: str
    fields: Mapping[str, Any]
    size: int = 0


class Batches:
    """Sends entries of one operation to one queue.

    Args:
        api: the client.
        operation: its name in the SDK, such as ``send_message_batch``.
        most_bytes: the largest request; 0 for no bound.
        harmless: codes of the server that mean of an entry that there is nothing left to do.
    """

    def __init__(self, api: Api, operation: str, most_bytes: int = 0, harmless: frozenset[str] = frozenset()) -> None:
        self._api = api
        self._operation = operation
        self._most_bytes = most_bytes
        self._harmless = harmless

    def send(self, url: str, entries: Sequence[Entry], deadline: Deadline) -> list[DriverError | None]:
        """Send them all; for each, in order, None or why not.

        What the server could not do for a reason of its own is sent once more, alone, and so is each entry of a batch
        that was refused as a whole: one that is wrong takes no other with it.
        """
        results: list[DriverError | None] = []
        lost: DriverError | None = None
        for chunk in self._chunks(entries):
            found = [lost] * len(chunk) if lost is not None else self._once(url, chunk, deadline)
            if lost is None:
                found = self._again(url, chunk, found, deadline)
                lost = connection_lost(found)
            results += found
        return results

    def _again(
        self, url: str, chunk: Sequence[Entry], found: Sequence[DriverError | None], deadline: Deadline
    ) -> list[DriverError | None]:
        """Those that failed for a passing reason, and were not simply never reached, one by one."""
        results = list(found)
        for index, error in enumerate(found):
            if error is not None and error.code is Code.UNAVAILABLE and _answered(error) and not deadline.passed:
                results[index] = self._once(url, [chunk[index]], deadline)[0]
        return results

    def _once(self, url: str, chunk: Sequence[Entry], deadline: Deadline) -> list[DriverError | None]:
        entries = [{"Id": str(index), **entry.fields} for index, entry in enumerate(chunk)]
        try:
            answer = self._api.call(self._operation, deadline, QueueUrl=url, Entries=entries)
        except DriverError as error:
            if len(chunk) == 1 or error.code in _ALL_THE_SAME:
                return [error] * len(chunk)
            return [self._once(url, [entry], deadline)[0] for entry in chunk]
        failed = {str(one.get("Id")): one for one in answer.get("Failed", [])}
        done = {str(one.get("Id")) for one in answer.get("Successful", [])}
        done |= {number for number, one in failed.items() if one.get("Code") in self._harmless}
        return [_fate(str(index), entry, failed, done) for index, entry in enumerate(chunk)]

    def _chunks(self, entries: Sequence[Entry]) -> Iterator[list[Entry]]:
        chunk: list[Entry] = []
        size = 0
        for entry in entries:
            full = len(chunk) == MOST or (self._most_bytes and size + entry.size > self._most_bytes)
            if chunk and full:
                yield chunk
                chunk, size = [], 0
            chunk.append(entry)
            size += entry.size
        if chunk:
            yield chunk


def connection_lost(found: Sequence[DriverError | None]) -> DriverError | None:
    """The error for requests behind these, when one of these found that there is no connection; else None."""
    for error in found:
        if error is not None and error.code in _BROKEN and not _answered(error):
            return not_tried(error)
    return None


def _fate(number: str, entry: Entry, failed: Mapping[str, Any], done: set[str]) -> DriverError | None:
    if number in done:
        return None
    return entry_failed(failed[number], entry.what) if number in failed else not_answered(entry.what)


def _answered(error: DriverError) -> bool:
    """Whether the server itself said so of the entry: there is no native error behind it."""
    return error.__cause__ is None
