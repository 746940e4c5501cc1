"""Builds drivers from plugins: the URL chooses, options are checked, and nothing is opened yet."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from kernel.contracts.backend import ResultBackend
from kernel.contracts.broker import Broker
from kernel.contracts.capabilities import Limits
from kernel.contracts.driver import Driver, PluginContext
from kernel.contracts.formats import Formats
from kernel.engine.broker_options import broker_options
from kernel.errors import ImproperlyConfigured
from kernel.model.config import Config
from kernel.runtime.plugins import PluginSet, Provided, check_options

D = TypeVar("D", bound=Driver)


class DriverFactory:
    """The drivers of one process.

    Args:
        config: options.
        plugins: what was loaded.
        node: name of this process.
        formats: serializers and compressors of results.
    """

    def __init__(self, config: Config, plugins: PluginSet, node: str, formats: Formats) -> None:
        self._config = config
        self._plugins = plugins
        self._node = node
        self._formats = formats

    def broker(self, url: str, setting: str) -> Broker:
        """A broker; ``setting`` names its options.

        Raises:
            PluginError: when no plugin provides the URL's scheme, or an option is invalid.
            DriverError: INVALID for a URL or option it cannot take.
        """
        provided = self._plugins.broker(scheme_of(url))
        options: Mapping[str, Any] = getattr(self._config, setting)
        if setting == "broker_transport_options":
            options = broker_options(provided.plugin, provided.options, self._config)
        return self._build(provided, url, options, setting)

    def backend(self, url: str) -> ResultBackend:
        """A result backend; raises as :meth:`broker`."""
        options = self._config.result_backend_transport_options
        return self._build(self._plugins.backend(scheme_of(url)), url, options, "result_backend_transport_options")

    def broker_plugin(self, url: str) -> str:
        """The name of the plugin behind a broker URL."""
        return self._plugins.broker(scheme_of(url)).plugin

    def backend_limits(self, url: str) -> tuple[str, Limits]:
        """Plugin and limits of a result backend."""
        plugin = self._plugins.backend(scheme_of(url)).plugin
        return plugin, self.backend(url).capabilities().limits

    def _build(self, provided: Provided[D], url: str, options: Mapping[str, Any], setting: str) -> D:
        checked = check_options(provided.plugin, provided.options, options, setting=setting)
        context = PluginContext(
            namespace=self._config.namespace,
            node=self._node,
            clock=time.time,
            settings=MappingProxyType({"result_expires": self._config.result_expires}),
            formats=self._formats,
        )
        return provided.factory(url, checked, context)


def scheme_of(url: str) -> str:
    """What chooses the plugin."""
    return url.partition(":")[0].lower()


def check_reply_url(url: str | None, options: Mapping[str, Any]) -> None:
    """Refuse what ``rpc://`` would have to ignore: it uses the broker as it is.

    Raises:
        ImproperlyConfigured: naming it.
    """
    if url not in {"rpc://", "rpc:"}:
        raise ImproperlyConfigured(
            "result_backend 'rpc://…' names a server", cure="Write 'rpc://': results go over the broker of broker_url."
        )
    if options:
        raise ImproperlyConfigured(
            f"result_backend_transport_options has {', '.join(sorted(options))}, and rpc:// has no options",
            cure="Remove them; options of the connection stand in broker_transport_options.",
        )
