"""The plugin loader: what is installed, what is wanted, and what it provides (contracts.md).

::

    discover ─ select ─ import ─ admit (manifest, contracts, hooks) ─ gather (names, schemes) ─ freeze

Only plugins that are named, or implied by a URL or a pool, are imported. Everything that can be wrong with one is a
:class:`~kernel.errors.PluginError` E101 to E108 of one line. The machinery (importlib.metadata, stevedore) takes tens
of milliseconds to import, so this module, which the app imports, fetches it when the first plugin is wanted.
"""

from collections.abc import Sequence

from kernel.errors import PluginError
from kernel.runtime.plugin_hooks import call_hook as call_hook
from kernel.runtime.plugin_options import check_options as check_options
from kernel.runtime.plugin_set import Entry as Entry
from kernel.runtime.plugin_set import LoadedPlugin as LoadedPlugin
from kernel.runtime.plugin_set import PluginSet as PluginSet
from kernel.runtime.plugin_set import Provided as Provided


def discover() -> list[Entry]:
    """Every installed plugin, sorted by name; none is imported. A name may occur in several distributions."""
    from kernel.runtime.plugin_entries import take_inventory  # noqa: PLC0415 - the entry-point loader, see above

    return sorted(take_inventory().plugins, key=lambda entry: (entry.name, entry.dist))


def load_plugins(
    wanted: Sequence[str],
    *,
    broker_schemes: Sequence[str] = (),
    backend_schemes: Sequence[str] = (),
    pools: Sequence[str] = (),
    formats: Sequence[str] = (),
    disabled: Sequence[str] = (),
) -> PluginSet:
    """Import and check the plugins of one program.

    JSON, the compressions of the standard library and the configuration router are always part of it.

    Args:
        wanted: names such as ``broker.sqs``; ``broker.sqs?`` may be missing or broken, which is logged and told to the
            ``kernel_plugin_failed`` hooks; ``dist-name:broker.sqs`` tells two distributions apart; ``auto`` is
            everything installed.
        broker_schemes: schemes of broker URLs; each implies its plugin.
        backend_schemes: the same of result backend URLs.
        pools: names of pools; each implies its plugin.
        formats: serializers, compressors and routers that settings name, as ``serializer.yaml``, ``compression.xz`` or
            ``router.sharded``; each implies the plugin of that name, unless another plugin provides it.
        disabled: names never to import, as ``broker.sqs`` or ``dist-name:broker.sqs`` (setting ``disable_plugins``).
            A disabled name in ``wanted`` is left out; a disabled plugin that a URL or pool needs is E101.

    Raises:
        PluginError: the first of E101 to E108 (not E106, E107) that a required plugin has.
    """
    from kernel.runtime.plugin_boot import boot  # noqa: PLC0415 - the entry-point loader, see above

    return boot(wanted, {"broker": broker_schemes, "backend": backend_schemes}, pools, formats, disabled)


def examine(entries: Sequence[Entry]) -> list[tuple[LoadedPlugin, PluginError | None]]:
    """Import plugins beside each other to see what is wrong with each, for ``kernel plugins``; never raises for one.

    Returns:
        For each entry, in order: what is known of it, and its error, or None when it works.
    """
    from kernel.runtime.plugin_boot import examine as examine_imported  # noqa: PLC0415 - as above

    return examine_imported(entries)
