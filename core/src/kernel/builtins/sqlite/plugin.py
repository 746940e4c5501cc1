"""The plugins ``broker.sqlite`` and ``backend.sqlite``."""

from collections.abc import Callable, Mapping

from kernel.builtins.sqlite import backend, broker
from kernel.contracts.backend import ResultBackend
from kernel.contracts.broker import Broker
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.manifest import Manifest


class SqliteBrokerPlugin:
    """Provides ``sqlite://`` as a broker."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and options."""
        return Manifest("broker.sqlite", contracts={"broker": "1.0"}, options=dict(broker.OPTIONS), schemes=("sqlite",))

    @hookimpl
    def kernel_brokers(self) -> Mapping[str, Callable[..., Broker]]:
        """Its one scheme."""
        return {"sqlite": broker.SqliteBroker}


class SqliteBackendPlugin:
    """Provides ``sqlite://`` as a result backend."""

    @hookimpl
    def kernel_manifest(self) -> Manifest:
        """Its name, contract and options."""
        return Manifest(
            "backend.sqlite", contracts={"result_backend": "1.0"}, options=dict(backend.OPTIONS), schemes=("sqlite",)
        )

    @hookimpl
    def kernel_result_backends(self) -> Mapping[str, Callable[..., ResultBackend]]:
        """Its one scheme."""
        return {"sqlite": backend.SqliteBackend}


broker_plugin = SqliteBrokerPlugin()
backend_plugin = SqliteBackendPlugin()
