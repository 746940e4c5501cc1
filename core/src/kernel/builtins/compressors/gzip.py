"""The name gzip for what is a zlib stream on this wire (wire.md 14.2)."""

from typing import ClassVar

from kernel.builtins.compressors.zlib import ZlibCompressor


class GzipCompressor(ZlibCompressor):
    """``compression="gzip"``: the same bytes and the same header value as zlib; not a gzip file.

    One encoding under two names, each a plugin of its own, so that either may be asked for.
    """

    name: ClassVar[str] = "gzip"
