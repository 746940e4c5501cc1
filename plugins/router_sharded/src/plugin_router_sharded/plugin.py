"""The plugin ``router.sharded``."""

from collections.abc import Callable, Mapping

from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from kernel.contracts.router import Router
from plugin_router_sharded.router import ShardedRouter


class ShardedPlugin:
    """Provides one router."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and kernel; its rules stand in ``task_routes``."""
        return Manifest("router.sharded", contracts={"router": "1.0"}, kernel=">=2026.11")

    @hookimpl
    def kernel_routers(self) -> Mapping[str, Callable[[object], Router]]:
        """The one."""
        return {"sharded": ShardedRouter}


plugin = ShardedPlugin()
