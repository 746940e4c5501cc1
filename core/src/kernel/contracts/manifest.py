"""What a plugin says of itself, and the versions of the contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CONTRACTS: Mapping[str, str] = {
    "broker": "1.0",
    "result_backend": "1.0",
    "serializer": "1.1",
    "compressor": "1.1",
    "router": "1.0",
    "pool": "1.0",
    "hooks": "1.0",
}
"""Kind → the contract version this kernel speaks. A plugin of the same major version always loads; one of the major
version before loads through a shim, if there is one, or is refused with E104."""

ENTRY_POINT_GROUP = "kernel.plugins"
"""Entry points ``<kind>.<name>`` here are plugin objects: ``broker.sqs = "plugin_broker_sqs.plugin:plugin"``."""

SCHEMES_GROUP = "kernel.schemes"
"""A plugin whose URL scheme is not its own name announces it here as ``broker.<scheme>`` or ``backend.<scheme>``, with
the value of its entry point, so that ``mongodb+srv://`` finds ``backend.mongo`` without importing anything."""

CONFORMANCE_GROUP = "kernel.conformance"
"""The same names here are harness factories, imported by the conformance suite only."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option a plugin takes, checked before the plugin sees it (E106).

    Attributes:
        type: the accepted Python type, or a tuple of them.
        default: used when the option is not given.
        doc: one line for ``kernel plugins list --options``.
        secret: masked wherever it is printed.
    """

    type: type | tuple[type, ...]
    default: object = None
    doc: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """A plugin's declaration.

    Attributes:
        name: ``<kind>.<name>`` as in its entry point.
        contracts: contract kind → version it was written for.
        kernel: version range of kernel it works with, as in a package requirement.
        options: the options its drivers, or its serializers and compressors (setting ``plugin_options``), take, by
            name; options outside it are refused.
        schemes: URL schemes it provides, for messages; the providing hooks are what counts.
        bridge: its drivers are made of classes that applications bring, so that there is nothing to judge before one
            is named: ``kernel conformance all`` says so and goes on; no bridge is ever called conformant.
    """

    name: str
    contracts: Mapping[str, str]
    kernel: str = ">=2026.11"
    options: Mapping[str, Option] = field(default_factory=dict)
    schemes: tuple[str, ...] = ()
    bridge: bool = False
