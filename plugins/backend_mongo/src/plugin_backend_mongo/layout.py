"""Records and groups as documents of MongoDB, in Celery's layout (wire.md 10.5).

``result`` is the encoded result, text or binary as its serializer writes it; everything else is native. Beside Celery's
fields stand ``until``, the end of the record's time in milliseconds, by which every decision is made; ``expires``, the
same as a date, for the server's TTL index alone; and ``kernel``, a JSON text with what the others cannot carry exactly.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from kernel.contracts.backend import Record
from kernel.contracts.compressed import split
from kernel.contracts.document import record_of
from kernel.contracts.document_fields import BESIDE, JSON, TAKEN, TEXTS, UTF8, dumps
from kernel.contracts.document_pages import Page
from kernel.contracts.formats import Formats
from kernel.contracts.json_members import Member, value_of
from kernel.errors import Code, DriverError, KernelError

FORGOTTEN = "KERNEL-FORGOTTEN"
"""The status of what stands for a record that nobody wants any more."""
FOREVER_MS = (1 << 53) - 1
_INT64 = range(-(1 << 63), 1 << 63)
_DEEPEST = 40
"""Levels of nesting stored natively; the server takes 100 in all."""


class MongoPage(Page):
    """A record's document while it is written.

    Args:
        record: what it is of.
    """

    TAKEN: ClassVar[frozenset[str]] = TAKEN | {"_id", "until", "expires"}

    def document(self) -> dict[str, Any]:
        """The whole document, without its time to live."""
        self.fill()
        for name in TEXTS:
            value = self.parts.get(name)
            if isinstance(value, str) and not is_text(value):
                self.beside[name] = value
                self.parts[name] = value.encode("utf-8", "backslashreplace").decode()
        if self.beside:
            self.parts[BESIDE] = dumps(self.beside)
        del self.parts["task_id"]
        return {"_id": self.record.id, **self.parts}

    def result(self) -> str | bytes | None:
        """The encoded result: a text, or binary."""
        record = self.record
        if record.content_type != JSON:
            self.beside["content_type"] = record.content_type
        if record.result is None:
            self.beside["result"] = None
            return None
        try:
            return record.result.decode() if record.content_encoding == UTF8 else record.result
        except UnicodeDecodeError:
            return record.result

    def date_done(self) -> datetime | None:
        """A date, which has milliseconds; the exact text is kept beside it."""
        text = self.record.date_done
        if text is None:
            return None
        self.beside["date_done"] = text
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    def plain(self, value: object) -> object:
        """Native."""
        return value

    def embedded(self, text: str) -> tuple[object, bool]:
        """Native where the server carries it; else nothing, and the text stands beside."""
        try:
            value = value_of(text)
        except ValueError:
            return None, False
        return (value, dumps(value) == text) if is_storable(value) else (None, False)

    def _stamp(self, text: str) -> None:
        try:
            storable = is_storable(value_of(text))
        except ValueError:
            storable = False
        if storable:
            super()._stamp(text)
        else:
            self.beside["stamps"] = text


class Layout:
    """Lays records and groups out, and reads them.

    Args:
        formats: the application's, or None.
    """

    def __init__(self, formats: Formats | None) -> None:
        self._formats = formats

    @property
    def _assumed(self) -> str:
        return JSON if self._formats is None else self._formats.content_type

    def document(self, record: Record, until_ms: int) -> dict[str, Any]:
        """The document of a record.

        Raises:
            DriverError: INVALID for an id or a status that is no Unicode.
        """
        if not is_text(record.id) or not is_text(record.status):
            raise DriverError(
                Code.INVALID, f"The record {record.id!r} ({record.status!r}) is no Unicode text", cure="Use another id."
            )
        return {**MongoPage(record).document(), **lifetime(until_ms)}

    def tombstone(self, record_id: str, until_ms: int) -> dict[str, Any]:
        """What stands for a record that was forgotten: for Celery, a task that has not begun."""
        nothing: dict[str, Any] = {"result": None, "traceback": None, "children": [], "date_done": None}
        return {"_id": record_id, "status": FORGOTTEN, **nothing, **lifetime(until_ms)}

    def record(self, document: Mapping[str, Any]) -> Record:
        """The record of a document.

        Raises:
            DriverError: CORRUPT for a document that is none.
        """
        record_id = document["_id"]
        try:
            found = {name: _member(value) for name, value in document.items() if name not in {"_id", "result"}}
            if BESIDE in document:
                found[BESIDE] = Member(json.loads(document[BESIDE]), "")
            result = document.get("result")
            # The kernel says so when a result is not JSON; Celery leaves that to its readers' configuration.
            native = not isinstance(result, (str, bytes)) or isinstance(document.get("until"), int)
            return record_of(record_id, found, _encoded(result), JSON if native else self._assumed)
        except (ValueError, TypeError) as error:
            raise DriverError(
                Code.CORRUPT,
                f"What is stored for task {record_id!r:.200} is no result: {error}",
                cure="Remove the document, or see who wrote it.",
            ) from error

    def group(self, group_id: str, structure: bytes, until_ms: int) -> dict[str, Any]:
        """The document of a saved group: a list of ids for Celery, the structure for the kernel."""
        return {
            "_id": group_id,
            "result": self._listed(_ids_of(structure)),
            "date_done": datetime.now(UTC),
            BESIDE: structure.decode(),
            **lifetime(until_ms),
        }

    def structure(self, document: Mapping[str, Any]) -> bytes:
        """The structure of a saved group; what Celery saved is a list of ids.

        Raises:
            DriverError: CORRUPT for a document that is none.
        """
        if isinstance(document.get(BESIDE), str):
            return str(document[BESIDE]).encode()
        try:
            ids = self._ids(_encoded(document["result"]))
            return dumps([[document["_id"], None], [[[one, None], None] for one in ids]]).encode()
        except (KernelError, ValueError, TypeError, KeyError) as error:
            raise DriverError(
                Code.CORRUPT,
                f"What is stored for group {document['_id']!r:.200} is no group: {error}",
                cure="See whether its writer has the same result_serializer as this reader.",
            ) from error

    def _ids(self, encoded: bytes) -> list[object]:
        body, encoding = split(encoded)
        if self._formats is None:
            ids = json.loads(body)
        else:
            plain = body if encoding is None else self._formats.decompress(body, encoding)
            ids = self._formats.loads(plain, self._assumed)
        if not isinstance(ids, list):
            raise TypeError(f"it is {type(ids).__name__}")
        return ids

    def _listed(self, ids: list[str]) -> str | bytes:
        if self._formats is None or self._assumed == JSON:
            return dumps(ids)
        encoded = self._formats.dumps(ids, self._assumed)
        try:
            return encoded.decode()
        except UnicodeDecodeError:
            return encoded


def lifetime(until_ms: int) -> dict[str, Any]:
    """The fields that say how long a document is kept."""
    if until_ms >= FOREVER_MS:
        return {"until": FOREVER_MS}
    return {"until": until_ms, "expires": datetime.fromtimestamp(until_ms / 1000, UTC)}


def until(ttl_s: float | None, now_ms: int) -> int:
    """The end of a time to live."""
    if ttl_s is None or not math.isfinite(ttl_s):
        return FOREVER_MS
    return min(now_ms + math.ceil(ttl_s * 1000), _LATEST_MS)


_LATEST_MS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000)


def is_text(text: str) -> bool:
    """Whether it is Unicode; a lone surrogate is not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_storable(value: object, depth: int = 0) -> bool:
    """Whether the server carries a value of JSON as it is: no operator among its keys, no number too large."""
    if isinstance(value, dict):
        return depth < _DEEPEST and all(_is_key(key) and is_storable(part, depth + 1) for key, part in value.items())
    if isinstance(value, list):
        return depth < _DEEPEST and all(is_storable(part, depth + 1) for part in value)
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or value in _INT64


def _is_key(key: object) -> bool:
    if not isinstance(key, str) or key.startswith(("$", "__")):
        return False
    return "." not in key and "\x00" not in key and is_text(key)


def _member(value: object) -> Member:
    if isinstance(value, datetime):
        return Member(value.isoformat(), "")
    return Member(value, json.dumps(value, default=repr))


def _encoded(result: object) -> bytes:
    """The encoded result. A value is one that Celery left to MongoDB to encode (``result_serializer="bson"``)."""
    if isinstance(result, str):
        return result.encode()
    return result if isinstance(result, bytes) else json.dumps(result, default=str).encode()


def _ids_of(structure: bytes) -> list[str]:
    """The ids of a group's results: each is a tuple ``[[id, parent], children]``."""
    try:
        return [str(entry[0][0]) for entry in json.loads(structure)[1] or ()]
    except (ValueError, TypeError, LookupError):
        return []
