"""The plugin ``compression.brotli``."""

from kernel.contracts.compressor import Compressor
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from plugin_compression_brotli.compressor import BrotliCompressor


class BrotliPlugin:
    """Provides one compressor."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and kernel; it takes no options."""
        return Manifest("compression.brotli", contracts={"compressor": "1.0"}, kernel=">=2026.11")

    @hookimpl
    def kernel_compressors(self) -> list[Compressor]:
        """The one."""
        return [BrotliCompressor()]


plugin = BrotliPlugin()
