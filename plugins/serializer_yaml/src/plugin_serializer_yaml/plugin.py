"""The plugin ``serializer.yaml``."""

from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from kernel.contracts.serializer import Serializer
from plugin_serializer_yaml.serializer import YamlSerializer


class YamlPlugin:
    """Provides one serializer."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and kernel; it takes no options."""
        return Manifest("serializer.yaml", contracts={"serializer": "1.0"}, kernel=">=2026.11")

    @hookimpl
    def kernel_serializers(self) -> list[Serializer]:
        """The one."""
        return [YamlSerializer()]


plugin = YamlPlugin()
