"""Dictionaries: what the messages of an application have in common, trained once and known to all its programs."""

from collections.abc import Sequence
from pathlib import Path

import zstandard

from kernel.errors import ImproperlyConfigured

_TRAIN = "Make one of many messages: zstd --train samples/* -o kernel.dict"


class Dictionaries:
    """The dictionaries of option ``dictionaries``.

    Args:
        paths: files; the first compresses, and all are known to readers, so that a new one can be introduced first.
        level: the level that it is prepared for.

    Raises:
        ImproperlyConfigured: for a file that cannot be read or is no trained dictionary, and for two of one number.
    """

    def __init__(self, paths: Sequence[str], level: int) -> None:
        self._by_number: dict[int, zstandard.ZstdCompressionDict] = {}
        self._level = level
        for path in paths:
            made = _read(path, level)
            if self._by_number.setdefault(made.dict_id(), made) is not made:
                raise ImproperlyConfigured(f"Two dictionaries have the number {made.dict_id()}, {path!r} among them")
        self._writer = next(iter(self._by_number.values()), None)

    def writer(self, level: int) -> zstandard.ZstdCompressionDict | None:
        """The dictionary to compress with at that level; None without any."""
        if self._writer is None or level == self._level:
            return self._writer
        return zstandard.ZstdCompressionDict(self._writer.as_bytes(), zstandard.DICT_TYPE_FULLDICT)

    def find(self, number: int) -> zstandard.ZstdCompressionDict | None:
        """The dictionary that a frame names; None for number 0 and for an unknown one."""
        return self._by_number.get(number)


def _read(path: str, level: int) -> zstandard.ZstdCompressionDict:
    try:
        data = Path(path).read_bytes()
    except OSError as exc:
        raise ImproperlyConfigured(f"The dictionary {path!r} cannot be read: {exc.strerror}") from exc
    try:
        made = zstandard.ZstdCompressionDict(data, zstandard.DICT_TYPE_FULLDICT)
        made.precompute_compress(level)  # reads it whole: a damaged one is found here
    except zstandard.ZstdError as exc:
        raise ImproperlyConfigured(f"{path!r} is no trained Zstandard dictionary", cure=_TRAIN) from exc
    return made
