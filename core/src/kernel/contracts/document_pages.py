"""A result document while it is written: its members in Celery's order, in JSON text or in another format."""

import base64
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from kernel.contracts.backend import Record
from kernel.contracts.document_fields import ABSENT, BESIDE, EXTENDED, JSON, STAMPS, TAKEN, UTF8, dumps
from kernel.contracts.formats import Formats
from kernel.contracts.json_members import is_value, value_of


class Page(ABC):
    """Members of one document, in ``parts``; ``beside`` is what only the kernel reads.

    A store whose documents are no bytes makes a page of its own.

    Attributes:
        TAKEN: names that no stamp can have as a member.

    Args:
        record: what it is of.
    """

    TAKEN: ClassVar[frozenset[str]] = TAKEN

    def __init__(self, record: Record) -> None:
        self.record = record
        self.parts: dict[str, Any] = {}
        self.beside: dict[str, object] = {}

    def fill(self) -> None:
        """Lay the record out."""
        record, parts = self.record, self.parts
        parts["status"] = self.plain(record.status)
        parts["result"] = self.result()
        parts["traceback"] = self.plain(record.traceback)
        parts["children"] = self.plain([]) if record.children is None else self._embedded("children")
        parts["date_done"] = self.date_done()
        for name in ("group_id", "parent_id"):
            self._optional(name)
        if any(getattr(record, name) is not None for name in EXTENDED):
            for name in EXTENDED:
                value = getattr(record, name)
                parts[name] = self._embedded(name) if name in {"args", "kwargs"} else self.plain(value)
        if record.stamps is not None:
            self._stamp(record.stamps)
        parts["task_id"] = self.plain(record.id)
        if record.content_encoding != UTF8:
            self.beside["content_encoding"] = record.content_encoding

    @abstractmethod
    def result(self) -> Any:
        """The result's part."""

    def date_done(self) -> Any:
        """The part of the time when it became ready."""
        return self.plain(self.record.date_done)

    @abstractmethod
    def plain(self, value: object) -> Any:
        """The part of a plain value."""

    @abstractmethod
    def embedded(self, text: str) -> tuple[Any, bool]:
        """The part of a value given as JSON text, and whether it is read back as that text."""

    def _embedded(self, name: str) -> Any:
        text = getattr(self.record, name)
        if text is None:
            return self.plain(None)
        part, exact = self.embedded(text)
        if not exact or text in ABSENT[name]:
            self.beside[name] = text
        return part

    def _optional(self, name: str) -> None:
        """Celery leaves out what is empty."""
        value = getattr(self.record, name)
        if value:
            self.parts[name] = self.plain(value)
        elif value is not None:
            self.beside[name] = value

    def _stamp(self, text: str) -> None:
        """The names of the stamps, and each of them as a member of its own."""
        try:
            stamps = value_of(text)
        except ValueError:
            stamps = None
        if isinstance(stamps, dict) and not self.TAKEN.intersection(stamps):
            self.parts[STAMPS] = self.plain(list(stamps))
            self.parts |= {name: self.plain(value) for name, value in stamps.items()}
            if dumps(stamps) == text:
                return
        self.beside["stamps"] = text


class JsonPage(Page):
    """A document that is JSON: its parts are texts, the result's the one that the serializer wrote."""

    def result(self) -> str:
        """The result as it is; null when it is no JSON."""
        record = self.record
        if record.content_type != JSON:
            self.beside["content_type"] = record.content_type
        elif (text := _text(record.result)) is not None and is_value(text):
            return text
        self.beside["result"] = as_text(record.result)
        return "null"

    def plain(self, value: object) -> str:
        """See :meth:`Page.plain`."""
        return dumps(value)

    def embedded(self, text: str) -> tuple[str, bool]:
        """See :meth:`Page.embedded`."""
        return (text, True) if is_value(text) else ("null", False)

    def whole(self) -> bytes:
        """The document: filled, with what is beside."""
        self.fill()
        if self.beside:
            self.parts[BESIDE] = dumps(self.beside)
        return ("{" + ", ".join([f"{dumps(key)}: {text}" for key, text in self.parts.items()]) + "}").encode()


class ValuePage(Page):
    """A document in another format: its parts are values.

    Args:
        record: what it is of.
        formats: of the application.
    """

    def __init__(self, record: Record, formats: Formats) -> None:
        super().__init__(record)
        self._formats = formats

    def result(self) -> object:
        """The result decoded; see :class:`~kernel.contracts.formats.Formats` for what is raised."""
        record = self.record
        if record.result is None:
            self.beside["result"] = None
            return None
        value = self._formats.loads(record.result, record.content_type)
        if self._formats.dumps(value, record.content_type) != record.result:
            self.beside["result"] = as_text(record.result)
        return value

    def plain(self, value: object) -> object:
        """See :meth:`Page.plain`."""
        return value

    def embedded(self, text: str) -> tuple[object, bool]:
        """See :meth:`Page.embedded`."""
        try:
            value = value_of(text)
        except ValueError:
            return None, False
        return value, dumps(value) == text

    def whole(self) -> bytes:
        """The document: filled, with what is beside."""
        self.fill()
        if self.beside:
            self.parts[BESIDE] = self.beside
        return self._formats.dumps(self.parts, self.record.content_type)


def as_text(payload: bytes | None) -> str | None:
    """Bytes as JSON carries them."""
    return None if payload is None else base64.b64encode(payload).decode()


def _text(payload: bytes | None) -> str | None:
    if payload is None:
        return None
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
