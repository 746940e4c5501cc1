"""The plugin ``broker.sqs``."""

from collections.abc import Mapping

from kernel.contracts.broker import Broker
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest
from plugin_broker_sqs.broker import SqsBroker
from plugin_broker_sqs.options import OPTIONS, SCHEME


class SqsPlugin:
    """Provides one broker."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract, options and scheme."""
        return Manifest(
            "broker.sqs", contracts={"broker": "1.0"}, kernel=">=2026.11", options=OPTIONS, schemes=(SCHEME,)
        )

    @hookimpl
    def kernel_brokers(self) -> Mapping[str, type[Broker]]:
        """The one."""
        return {SCHEME: SqsBroker}


plugin = SqsPlugin()
