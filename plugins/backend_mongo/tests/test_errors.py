"""What the client library raises: which code each has, and that none is taken for a defect of the plugin."""

import contextlib
import inspect
import ssl

import bson.errors
import dns.resolver
import pytest
from pymongo import errors
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    OperationFailure,
    ServerSelectionTimeoutError,
    _OperationCancelled,
)

from kernel.contracts import Deadline, Record, StoreMode
from kernel.errors import Applied, Code, DriverError
from plugin_backend_mongo.errors import DUPLICATE, Translation, code_of, code_of_write
from plugin_backend_mongo.layout import Layout
from plugin_backend_mongo.storing import Storing

OURS = {
    errors.PyMongoError,  # the root
    errors.OperationFailure,  # of these the codes of the server decide
    errors.WriteError,
    errors.BulkWriteError,
    errors.ClientBulkWriteException,  # of calls that the plugin does not make
    errors.InvalidOperation,
    errors.EncryptionError,
    errors.EncryptedCollectionError,
}
"""Classes that say nothing by themselves, or that would be the plugin's defect."""
LISTED = sorted(
    (kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", [kind for kind in LISTED if kind not in OURS and kind.__module__ == errors.__name__])
def test_no_class_of_the_library_falls_through(kind):
    assert code_of(kind("x")) is not Code.INTERNAL


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (_OperationCancelled("operation cancelled"), Code.UNAVAILABLE),
        (errors.AutoReconnect("connection closed"), Code.UNAVAILABLE),
        (errors.NotPrimaryError("not primary"), Code.UNAVAILABLE),
        (errors.ProtocolError("unknown opcode"), Code.UNAVAILABLE),
        (errors.WaitQueueTimeoutError("busy"), Code.TIMEOUT),
        (errors.NetworkTimeout("late"), Code.TIMEOUT),
        (ServerSelectionTimeoutError("nobody"), Code.UNAVAILABLE),
        (ServerSelectionTimeoutError("x: CERTIFICATE_VERIFY_FAILED"), Code.AUTH),
        (OperationFailure("shutting down", 91), Code.UNAVAILABLE),
        (OperationFailure("conflict", 112), Code.UNAVAILABLE),
        (OperationFailure("time", 50), Code.TIMEOUT),
        (OperationFailure("new", 4711, {"errorLabels": ["RetryableWriteError"]}), Code.UNAVAILABLE),
        (OperationFailure("new", 4711), Code.INTERNAL),
        (errors.CursorNotFound("gone", 43), Code.UNAVAILABLE),
        (errors.WTimeoutError("late", 64, {"errInfo": {"wtimeout": True}}), Code.TIMEOUT),
        (errors.WTimeoutError("late"), Code.TIMEOUT),
        (ConfigurationError("no such option"), Code.INVALID),
        (bson.errors.InvalidBSON("cut"), Code.CORRUPT),
        (bson.errors.InvalidDocument("what"), Code.INVALID),
        (errors.DocumentTooLarge("big"), Code.TOO_LARGE),
        (ssl.SSLError("x"), Code.INTERNAL),  # the library gives its own instead
    ],
)
def test_codes(error, code):
    assert code_of(error) is code


def test_names_that_cannot_be_asked_for_are_not_a_mistake_in_the_settings():
    error = ConfigurationError("The resolution lifetime expired")
    error.__cause__ = dns.resolver.LifetimeTimeout(timeout=1, errors=[])
    assert code_of(error) is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"writeConcernErrors": [{"code": 64, "errmsg": "x", "errInfo": {"wtimeout": True}}]}, Code.TIMEOUT),
        ({"writeConcernErrors": [{"code": 91, "errmsg": "x"}]}, Code.UNAVAILABLE),
        ({"writeConcernErrors": [{"code": 100, "errmsg": "x"}]}, Code.INVALID),
        ({"writeErrors": [{"code": 112, "errmsg": "x"}]}, Code.UNAVAILABLE),
        ({"writeErrors": [{"code": 50, "errmsg": "x"}]}, Code.TIMEOUT),
    ],
)
def test_a_batch_fails_by_what_it_says(details, code):
    assert code_of(BulkWriteError({"writeErrors": [], "writeConcernErrors": [], **details})) is code


@pytest.mark.parametrize("code", [91, 112, 189, 10107, 11600, 262, 50])
def test_a_record_refused_for_a_passing_reason_may_be_tried_again(code):
    assert code_of_write(code) in {Code.UNAVAILABLE, Code.TIMEOUT}


def test_what_was_in_flight_when_the_pool_was_emptied_is_in_doubt_and_may_be_repeated():
    found = Translation("mongodb://h", ())(_OperationCancelled("operation cancelled"), "storing results")
    assert (found.code, found.outcome, found.retryable) == (Code.UNAVAILABLE, Applied.UNKNOWN, True)


class Unsafe:
    """Stands for a session, a database and a collection; every batch is written without a majority's confirmation."""

    def __init__(self):
        self.failed = {"writeErrors": [{"index": 0, "code": DUPLICATE, "errmsg": "x"}], "writeConcernErrors": []}

    def now_ms(self, deadline):
        return 0

    def collection(self, kind):
        return kind

    @contextlib.contextmanager
    def call(self, what, deadline):
        try:
            yield {"taskmeta": self}
        except errors.PyMongoError as error:
            raise Translation("mongodb://h", ())(error, what) from error

    def bulk_write(self, writes, ordered):
        raise BulkWriteError(self.failed)

    def find(self, wanted, fields):
        return [{"_id": "a", "status": "SUCCESS"}]


def test_a_batch_that_no_majority_has_is_not_stored_although_one_of_it_is_a_duplicate():
    session, records = Unsafe(), [Record("a", "STARTED"), Record("b", "STARTED")]
    store = Storing(session, Layout(None), StoreMode.IF_NOT_FINAL, 1000, Deadline.after(5))
    assert [result.stored for result in store.run(records)] == [False, True]
    session.failed["writeConcernErrors"] = [{"code": 91, "errmsg": "x"}]
    with pytest.raises(DriverError) as caught:
        store.run(records)
    assert caught.value.code is Code.UNAVAILABLE
