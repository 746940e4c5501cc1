"""The plugins ``broker.memory`` and ``backend.memory``."""

from collections.abc import Callable, Mapping

from kernel.builtins.memory import backend, broker
from kernel.contracts.backend import ResultBackend
from kernel.contracts.broker import Broker
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest


class MemoryBrokerPlugin:
    """Provides ``memory://`` as a broker."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and options."""
        return Manifest("broker.memory", contracts={"broker": "1.0"}, options=dict(broker.OPTIONS), schemes=("memory",))

    @hookimpl
    def kernel_brokers(self) -> Mapping[str, Callable[..., Broker]]:
        """Its one scheme."""
        return {"memory": broker.MemoryBroker}


class MemoryBackendPlugin:
    """Provides ``memory://`` as a result backend."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and options."""
        return Manifest(
            "backend.memory", contracts={"result_backend": "1.0"}, options=dict(backend.OPTIONS), schemes=("memory",)
        )

    @hookimpl
    def kernel_result_backends(self) -> Mapping[str, Callable[..., ResultBackend]]:
        """Its one scheme."""
        return {"memory": backend.MemoryBackend}


broker_plugin = MemoryBrokerPlugin()
backend_plugin = MemoryBackendPlugin()
