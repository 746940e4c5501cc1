"""What the serializers' tests have at hand."""

import pickle
from typing import Any

from kernel.contracts import DecodeLimits, Serializer
from kernel.errors import DecodeError, EncodeError
from kernel_conformance.formats import SerializerHarness
from kernel_conformance.sameness import difference
from kernel_conformance.suite import Suite

LIMITS = DecodeLimits()
KINDS = frozenset(
    {
        "bytes", "datetime", "date", "time", "decimal", "uuid", "set", "tuple", "bigint", "nan", "nonstr_keys", "any",
    }
)  # fmt: skip
"""Every kind that ``Serializer.types`` may name."""


class SerializerSuite(Suite):
    """Base of the serializers' suites; ``subject`` is the serializer."""

    subject: Serializer
    harness: SerializerHarness

    def trip(self, value: object) -> object:
        """``value`` after dumps and loads."""
        return self.subject.loads(self.subject.dumps(value), LIMITS)

    def keeps(self, value: object) -> None:
        """``value`` must come back as it was."""
        changed = difference(value, self.trip(value))
        assert not changed, f"not kept: {changed}"

    def keeps_or_refuses(self, value: object) -> bool:
        """``value`` must come back as it was, or be an EncodeError; whether it came back."""
        try:
            data = self.subject.dumps(value)
        except EncodeError:
            return False
        except Exception as error:
            raise AssertionError(f"dumps({value!r:.80}) let a {type(error).__name__} escape: {error}") from error
        changed = difference(value, self.subject.loads(data, LIMITS))
        assert not changed, f"neither kept nor refused: {changed}"
        return True

    def refuses(self, value: object) -> EncodeError:
        """``value`` must be an EncodeError."""
        try:
            data = self.subject.dumps(value)
        except EncodeError as error:
            return error
        except Exception as error:
            raise AssertionError(f"dumps({value!r:.80}) let a {type(error).__name__} escape: {error}") from error
        raise AssertionError(f"dumps({value!r:.80}) was not refused but gave {data!r:.80}")

    def rejects(self, data: bytes, limits: DecodeLimits = LIMITS) -> None:
        """``data`` must be a DecodeError."""
        found = self.reads_or_rejects(data, limits)
        assert isinstance(found, DecodeError), f"loads({data!r:.80}) was not refused but gave {found!r:.80}"

    def reads_or_rejects(self, data: bytes, limits: DecodeLimits = LIMITS) -> Any:
        """The value of ``data``, or the DecodeError; any other exception fails the test."""
        try:
            return self.subject.loads(data, limits)
        except DecodeError as error:
            return error
        except Exception as error:
            raise AssertionError(f"loads({data!r:.80}) let a {type(error).__name__} escape: {error}") from error

    def portable(self) -> bytes:
        """The serializer as other processes can load it."""
        try:
            return pickle.dumps(self.subject)
        except Exception as error:  # noqa: BLE001 - a class may raise anything here
            self.not_run(f"the serializer object cannot be pickled into another process: {error}")
