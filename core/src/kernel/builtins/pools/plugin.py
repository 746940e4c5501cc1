"""The plugin objects of the built-in pools."""

from collections.abc import Mapping

from kernel.builtins.pools.async_ import AsyncPool
from kernel.builtins.pools.prefork import PreforkPool
from kernel.builtins.pools.solo import SoloPool
from kernel.builtins.pools.threads import ThreadsPool
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import CONTRACTS, Manifest
from kernel.contracts.pool import Pool


class _PoolPlugin:
    """Provides one pool under its name."""

    def __init__(self, pool: type[Pool]) -> None:
        self._pool = pool

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """The declaration."""
        return Manifest(name=f"pool.{self._pool.name}", contracts={"pool": CONTRACTS["pool"]})

    @hookimpl
    def kernel_pools(self) -> Mapping[str, type[Pool]]:
        """Name → class."""
        return {self._pool.name: self._pool}


solo_plugin = _PoolPlugin(SoloPool)
threads_plugin = _PoolPlugin(ThreadsPool)
prefork_plugin = _PoolPlugin(PreforkPool)
async_plugin = _PoolPlugin(AsyncPool)
