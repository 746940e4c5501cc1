"""Every hook of the kernel, on one page.

A plugin is one object with methods of these names marked ``@hookimpl``, published as an entry point of group
``kernel.plugins``. All hooks are called at start-up or at the edges of a process's life and never per message; what
happens per message is a method of an object given by ``kernel_middleware``, compiled at boot into tuples of bound
methods.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pluggy

from kernel.contracts.backend import ResultBackend
from kernel.contracts.broker import Broker
from kernel.contracts.compressor import Compressor
from kernel.contracts.manifest import Manifest
from kernel.contracts.pool import Pool
from kernel.contracts.router import Router
from kernel.contracts.serializer import Serializer

hookspec = pluggy.HookspecMarker("kernel")
hookimpl = pluggy.HookimplMarker("kernel")


class HookSpecs:
    """The specifications pluggy checks implementations against; an unknown hook or argument is E103."""

    @hookspec
    def kernel_manifest(self) -> Manifest:  # type: ignore[empty-body] # a specification has no body
        """Required. Called first, before anything of the plugin is used."""

    @hookspec
    def kernel_configure(self, config: Mapping[str, object]) -> None:
        """The effective settings, read-only, before drivers are built."""

    @hookspec
    def kernel_brokers(self) -> Mapping[str, Callable[..., Broker]]:  # type: ignore[empty-body]
        """URL scheme → broker factory. Two plugins with one scheme are E105."""

    @hookspec
    def kernel_result_backends(self) -> Mapping[str, Callable[..., ResultBackend]]:  # type: ignore[empty-body]
        """URL scheme → result backend factory."""

    @hookspec
    def kernel_serializers(self) -> list[Serializer]:  # type: ignore[empty-body]
        """Serializers, chosen by name when sending and by content type when receiving."""

    @hookspec
    def kernel_compressors(self) -> list[Compressor]:  # type: ignore[empty-body]
        """Compressors, chosen by name when sending and by encoding when receiving."""

    @hookspec
    def kernel_routers(self) -> Mapping[str, Callable[[object], Router]]:  # type: ignore[empty-body]
        """Router name → factory taking the rules that configuration gives it."""

    @hookspec
    def kernel_pools(self) -> Mapping[str, type[Pool]]:  # type: ignore[empty-body]
        """Pool name → pool class."""

    @hookspec
    def kernel_middleware(self) -> list[Any]:  # type: ignore[empty-body]
        """Objects with any of these methods, called per task in the process that runs it: ``task_prerun(request)``,
        ``task_postrun(request, state)``, ``task_failed(request, error)``; and in the publishing process
        ``before_publish_batch(items)``. An observer that fails is logged, counted, and dropped after 100 failures.
        """

    @hookspec
    def kernel_commands(self, group: Any) -> None:
        """Add commands to the ``kernel`` program (a click group)."""

    @hookspec
    def kernel_worker_init(self, node: str) -> None:
        """The node starts; nothing is connected."""

    @hookspec
    def kernel_worker_ready(self, node: str) -> None:
        """The node consumes."""

    @hookspec
    def kernel_worker_shutdown(self, node: str) -> None:
        """The node has finished its work and is about to end."""

    @hookspec
    def kernel_process_init(self, pid: int) -> None:
        """A process that runs bodies has started (after fork)."""

    @hookspec
    def kernel_process_shutdown(self, pid: int) -> None:
        """That process ends."""

    @hookspec
    def kernel_plugin_failed(self, name: str, error: BaseException) -> None:
        """Another plugin could not be loaded and is optional."""
