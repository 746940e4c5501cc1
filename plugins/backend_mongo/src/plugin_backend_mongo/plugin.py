"""The plugin ``backend.mongo``."""

from collections.abc import Callable, Mapping

from kernel.contracts.backend import ResultBackend
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from plugin_backend_mongo.address import OPTIONS, SCHEMES
from plugin_backend_mongo.backend import MongoBackend


class MongoPlugin:
    """Provides MongoDB as a result backend."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract, options and schemes."""
        return Manifest(
            "backend.mongo",
            contracts={"result_backend": "1.0"},
            kernel=">=2026.11",
            options=dict(OPTIONS),
            schemes=SCHEMES,
        )

    @hookimpl
    def kernel_result_backends(self) -> Mapping[str, Callable[..., ResultBackend]]:
        """Its schemes."""
        return dict.fromkeys(SCHEMES, MongoBackend)


plugin = MongoPlugin()
