"""The plugin ``compression.zstd``."""

from kernel.contracts.compressor import Compressor
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from plugin_compression_zstd.compressor import ZstdCompressor


class ZstdPlugin:
    """Provides one compressor."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and kernel; it takes no options."""
        return Manifest("compression.zstd", contracts={"compressor": "1.0"}, kernel=">=2026.11")

    @hookimpl
    def kernel_compressors(self) -> list[Compressor]:
        """The one."""
        return [ZstdCompressor()]


plugin = ZstdPlugin()
