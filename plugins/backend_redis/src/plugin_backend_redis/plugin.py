"""The plugin ``backend.redis``."""

from collections.abc import Callable, Mapping
from typing import Any

from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from plugin_backend_redis.backend import OPTIONS, RedisBackend
from plugin_common_redis import SCHEMES


class RedisBackendPlugin:
    """Provides one result backend under several schemes."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract, options and schemes."""
        return Manifest(
            "backend.redis", contracts={"result_backend": "1.0"}, kernel=">=2026.11", options=OPTIONS, schemes=SCHEMES
        )

    @hookimpl
    def kernel_result_backends(self) -> Mapping[str, Callable[..., Any]]:
        """By scheme."""
        return dict.fromkeys(SCHEMES, RedisBackend)


plugin = RedisBackendPlugin()
