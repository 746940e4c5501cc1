"""The plugin ``broker.redis``."""

from collections.abc import Callable, Mapping
from typing import Any

from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from plugin_broker_redis.broker import OPTIONS, RedisBroker
from plugin_common_redis import SCHEMES


class RedisBrokerPlugin:
    """Provides one broker under several schemes."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract, options and schemes."""
        return Manifest(
            "broker.redis", contracts={"broker": "1.0"}, kernel=">=2026.11", options=OPTIONS, schemes=SCHEMES
        )

    @hookimpl
    def kernel_brokers(self) -> Mapping[str, Callable[..., Any]]:
        """By scheme."""
        return dict.fromkeys(SCHEMES, RedisBroker)


plugin = RedisBrokerPlugin()
