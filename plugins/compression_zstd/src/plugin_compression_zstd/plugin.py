"""The plugin ``compression.zstd``."""

from kernel.contracts.compressor import Compressor
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest, Option
from plugin_compression_zstd.compressor import ZstdCompressor


class ZstdPlugin:
    """Provides one compressor."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its option stands in setting ``plugin_options``, under ``compression.zstd``."""
        paths = Option((list, tuple), (), "files of trained dictionaries; the first compresses, all are read")
        contracts = {"compressor": "1.1"}
        return Manifest("compression.zstd", contracts, kernel=">=2026.11", options={"dictionaries": paths})

    @hookimpl
    def kernel_compressors(self) -> list[Compressor]:
        """The one."""
        return [ZstdCompressor()]


plugin = ZstdPlugin()
