"""The plugin ``broker.amqp``."""

from collections.abc import Callable, Mapping

from kernel.contracts import Broker, Manifest
from kernel.contracts.hookspecs import hookimpl
from plugin_broker_amqp.address import SCHEMES
from plugin_broker_amqp.broker import AmqpBroker
from plugin_broker_amqp.options import OPTIONS


class AmqpPlugin:
    """Provides the AMQP broker."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract, options and schemes."""
        return Manifest("broker.amqp", contracts={"broker": "1.0"}, options=dict(OPTIONS), schemes=SCHEMES)

    @hookimpl
    def kernel_brokers(self) -> Mapping[str, Callable[..., Broker]]:
        """URL scheme to factory."""
        return dict.fromkeys(SCHEMES, AmqpBroker)


plugin = AmqpPlugin()
