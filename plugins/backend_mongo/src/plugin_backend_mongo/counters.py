"""Counters: each a document with a value and a version, replaced as a whole when nobody else was faster."""

from typing import Any

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from plugin_backend_mongo.layout import lifetime, until
from plugin_backend_mongo.names import check_text
from plugin_backend_mongo.session import Document, Session

WHAT = "counting"
_INT64 = 1 << 63


def add(session: Session, key: str, delta: int, ttl_s: float | None, deadline: Deadline) -> int:
    """Add to a counter and renew its time to live; its new value.

    Raises:
        DriverError: INVALID when it would leave the range of 64 bits, which changes nothing.
    """
    check_text(key)
    while True:
        now_ms = session.now_ms(deadline)
        with session.call(WHAT, deadline) as database:
            collection = database[session.collection("counter")]
            old = collection.find_one({"_id": key})
            value = delta + (old["value"] if old is not None and old["until"] > now_ms else 0)
            if not -_INT64 <= value < _INT64:
                raise DriverError(
                    Code.INVALID, f"Counter {key!r:.200} would leave the range of 64 bits", cure="Use another counter."
                )
            document = {"_id": key, "value": value, **lifetime(until(ttl_s, now_ms))}
            if replaced(collection, document, old):
                return value


def replaced(collection: Collection[Document], document: dict[str, Any], old: Document | None) -> bool:
    """Write a document with the next version; False when it is no longer ``old`` that is there."""
    if old is not None:
        fresh = {**document, "version": old["version"] + 1}
        return collection.replace_one({"_id": old["_id"], "version": old["version"]}, fresh).matched_count == 1
    try:
        collection.insert_one({**document, "version": 1})
    except DuplicateKeyError:
        return False
    return True
