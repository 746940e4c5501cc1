"""The plugins ``serializer.json`` and ``serializer.pickle``."""

from kernel.builtins.serializers.json import JsonSerializer
from kernel.builtins.serializers.pickle import PickleSerializer
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from kernel.contracts.serializer import Serializer


class SerializerPlugin:
    """Provides one serializer."""

    def __init__(self, serializer: Serializer) -> None:
        self._serializer = serializer

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name and contract; it takes no options."""
        return Manifest(f"serializer.{self._serializer.name}", contracts={"serializer": "1.0"})

    @hookimpl
    def kernel_serializers(self) -> list[Serializer]:
        """The one."""
        return [self._serializer]


json_plugin = SerializerPlugin(JsonSerializer())
pickle_plugin = SerializerPlugin(PickleSerializer())
