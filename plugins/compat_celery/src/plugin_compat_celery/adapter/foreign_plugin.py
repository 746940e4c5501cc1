"""The plugin ``backend.celery-backend``: result backends that are classes written for Celery."""

from collections.abc import Callable, Mapping

from kernel.contracts.backend import ResultBackend
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from plugin_compat_celery.adapter.configuration.backend_address import FOREIGN
from plugin_compat_celery.adapter.foreign_backend import ForeignBackend


class ForeignBackendPlugin:
    """Provides one scheme."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and scheme."""
        return Manifest(
            f"backend.{FOREIGN}",
            contracts={"result_backend": "1.0"},
            kernel=">=2026.11",
            schemes=(FOREIGN,),
            bridge=True,
        )

    @hookimpl
    def kernel_result_backends(self) -> Mapping[str, Callable[..., ResultBackend]]:
        """By scheme."""
        return {FOREIGN: ForeignBackend}


plugin = ForeignBackendPlugin()
