"""Records as the common document of wire.md 10.1: what a Celery client of the same namespace reads and writes.

One document holds the whole record, with the result inside as a value: ``{"status": ..., "result": ..., ...}``. It is
in the format that the result is in, JSON as a rule, and compressed as a whole when the result was.

Whatever the document cannot carry exactly stands under one further key, ``kernel``, which Celery does not read: a
result that is no value of its format, an empty text where the document has none, a stamp named like a field. So every
record comes back as it was; only a compressed result may come back uncompressed.
"""

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kernel.contracts.backend import Record
from kernel.contracts.compressed import marked, split
from kernel.contracts.document_fields import ABSENT, BESIDE, JSON, STAMPS, TEXTS, VALUES, dumps
from kernel.contracts.document_pages import JsonPage, ValuePage
from kernel.contracts.formats import Formats
from kernel.contracts.json_members import Member, members
from kernel.errors import Code, DriverError, KernelError

_OVERRIDES = frozenset({"content_type", "content_encoding", "stamps", *TEXTS, *VALUES})


class Documents:
    """Writes and reads the documents of one application.

    Args:
        formats: the application's serializers and compressors, as the context has them. Without, only JSON that is
            not compressed is laid out as Celery does; everything else comes back all the same.
    """

    def __init__(self, formats: Formats | None) -> None:
        self._formats = formats

    def write(self, record: Record) -> bytes:
        """The document of a record. ``ttl_s`` is not in it: that is the store's to keep."""
        if self._formats is not None:
            try:
                return self._written(record, self._formats)
            except KernelError:  # the result is not what it is said to be: it is kept byte for byte
                return JsonPage(record).whole()
        return JsonPage(record).whole()

    def read(self, record_id: str, data: bytes) -> Record:
        """The record that a document holds; ``record_id`` is the id it was asked for by.

        Raises:
            DriverError: CORRUPT for what is no such document.
        """
        try:
            return self._read(record_id, data)
        except (KernelError, ValueError, TypeError) as error:
            raise _corrupt(f"task {record_id!r:.200}", "result document", error) from error

    def write_group(self, structure: bytes) -> bytes:
        """The document of a saved group (wire.md 11.1); ``structure`` is the JSON of its result tuple."""
        if self._formats is not None and self._formats.content_type != JSON:
            with contextlib.suppress(KernelError):
                return self._formats.dumps({"result": json.loads(structure)}, self._formats.content_type)
        return b'{"result": ' + structure + b"}"

    def read_group(self, group_id: str, data: bytes) -> bytes:
        """The structure that such a document holds.

        Raises:
            DriverError: CORRUPT for what is no such document.
        """
        try:
            found, _ = self._members(data)
            return found["result"].text.encode()
        except (KernelError, ValueError, TypeError, KeyError) as error:
            raise _corrupt(f"group {group_id!r:.200}", "saved group", error) from error

    def _written(self, record: Record, formats: Formats) -> bytes:
        body, encoding = split(record.result or b"")
        if encoding is not None:
            whole = self._written(replace(record, result=formats.decompress(body, encoding)), formats)
            return marked(encoding, formats.compress(whole, encoding))
        page = JsonPage(record) if record.content_type == JSON else ValuePage(record, formats)
        return page.whole()

    def _read(self, record_id: str, data: bytes) -> Record:
        found, content_type = self._members(data)
        result = found.get("result", Member(None, "null"))
        if content_type == JSON or self._formats is None:
            return record_of(record_id, found, result.text.encode(), JSON)
        return record_of(record_id, found, self._formats.dumps(result.value, content_type), content_type)

    def _members(self, data: bytes) -> tuple[Mapping[str, Member], str]:
        """The members of a document, and the content type of its format."""
        body, encoding = split(data)
        formats = self._formats
        if encoding is not None:
            if formats is None:
                raise ValueError(f"it is compressed as {encoding}")
            body = formats.decompress(body, encoding)
        try:
            return members(body.decode()), JSON
        except ValueError:
            if formats is None or formats.content_type == JSON:
                raise
        value = formats.loads(body, formats.content_type)
        if not isinstance(value, dict):
            raise TypeError(f"it is {type(value).__name__}")
        return {name: _as_member(part) for name, part in value.items() if isinstance(name, str)}, formats.content_type


def _as_member(value: object) -> Member:
    """A value of another format; its text is for the fields that a record has as JSON."""
    return Member(value, json.dumps(value, default=repr))


def _corrupt(what: str, kind: str, error: Exception) -> DriverError:
    return DriverError(
        Code.CORRUPT,
        f"What is stored for {what} is no {kind}: {error}",
        cure="See whether its writer has the same result_serializer as this reader.",
    )


def record_of(record_id: str, found: Mapping[str, Member], result: bytes | None, content_type: str) -> Record:
    """The record of a document's members.

    Args:
        record_id: what it was asked for by.
        found: the members; of those that a record has as JSON the text counts.
        result: encoded.
        content_type: of the result, unless the document says another.

    Raises:
        TypeError: for members of other types.
        ValueError: for a result beside them that is damaged.
    """
    status = found["status"].value if "status" in found else None
    if not isinstance(status, str):
        raise TypeError("it has no status")
    retries = found["retries"].value if "retries" in found else None
    fields: dict[str, Any] = {name: _text(found.get(name)) for name in TEXTS}
    fields |= {name: found[name].text for name in VALUES if name in found and found[name].text not in ABSENT[name]}
    fields |= {"result": result, "content_type": content_type, "stamps": _stamps(found)}
    if BESIDE in found:
        fields |= _overrides(found[BESIDE].value)
    return Record(record_id, status, retries=retries if isinstance(retries, int) else None, **fields)


def _text(member: Member | None) -> str | None:
    """A text; another value as it was written."""
    if member is None or member.value is None:
        return None
    return member.value if isinstance(member.value, str) else member.text


def _stamps(found: Mapping[str, Member]) -> str | None:
    names = found[STAMPS].value if STAMPS in found else None
    if not isinstance(names, list):
        return None
    stamps = [(dumps(name), found[name].text) for name in names if isinstance(name, str) and name in found]
    return "{" + ", ".join([f"{name}: {text}" for name, text in stamps]) + "}"


def _overrides(beside: object) -> dict[str, Any]:
    if not isinstance(beside, dict):
        raise TypeError(f"{BESIDE!r} in it is no object")
    fields: dict[str, Any] = {
        name: value for name, value in beside.items() if name in _OVERRIDES and isinstance(value, str)
    }
    if "result" in beside:
        result = beside["result"]
        fields["result"] = None if result is None else base64.b64decode(result, validate=True)
    return fields
