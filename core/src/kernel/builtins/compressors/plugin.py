"""The plugins ``compression.zlib``, ``compression.gzip``, ``compression.bzip2`` and ``compression.lzma``."""

from kernel.builtins.compressors.gzip import GzipCompressor
from kernel.builtins.compressors.zlib import ZlibCompressor
from kernel.contracts.compressor import Compressor
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest

# A Python may be built without bz2 or lzma; it then has no such compressor, and everything else works.
try:
    from kernel.builtins.compressors.bzip2 import Bzip2Compressor

    _BZIP2: list[Compressor] = [Bzip2Compressor()]
except ImportError:
    _BZIP2 = []
try:
    from kernel.builtins.compressors.lzma import LzmaCompressor

    _LZMA: list[Compressor] = [LzmaCompressor()]
except ImportError:
    _LZMA = []


class CompressorPlugin:
    """Provides one compressor, or none where the Python build lacks its library."""

    def __init__(self, name: str, compressors: list[Compressor]) -> None:
        self._name = name
        self._compressors = compressors

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name and contract; it takes no options."""
        return Manifest(f"compression.{self._name}", contracts={"compressor": "1.0"})

    @hookimpl
    def kernel_compressors(self) -> list[Compressor]:
        """What there is."""
        return list(self._compressors)


zlib_plugin = CompressorPlugin("zlib", [ZlibCompressor()])
gzip_plugin = CompressorPlugin("gzip", [GzipCompressor()])
bzip2_plugin = CompressorPlugin("bzip2", _BZIP2)
lzma_plugin = CompressorPlugin("lzma", _LZMA)
