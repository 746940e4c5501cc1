"""The plugin ``serializer.msgpack``."""

from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from kernel.contracts.serializer import Serializer
from plugin_serializer_msgpack.serializer import MsgpackSerializer


class MsgpackPlugin:
    """Provides one serializer."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and kernel; it takes no options."""
        return Manifest("serializer.msgpack", contracts={"serializer": "1.0"}, kernel=">=2026.11")

    @hookimpl
    def kernel_serializers(self) -> list[Serializer]:
        """The one."""
        return [MsgpackSerializer()]


plugin = MsgpackPlugin()
