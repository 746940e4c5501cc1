"""The plugin ``router.config``."""

from collections.abc import Callable, Mapping

from kernel.builtins.router.config_router import ConfigRouter
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from kernel.contracts.router import Router


class ConfigRouterPlugin:
    """Provides the router of ``task_routes``."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name and contract; it takes no options."""
        return Manifest("router.config", contracts={"router": "1.0"})

    @hookimpl
    def kernel_routers(self) -> Mapping[str, Callable[[object], Router]]:
        """The one."""
        return {"config": ConfigRouter}


plugin = ConfigRouterPlugin()
