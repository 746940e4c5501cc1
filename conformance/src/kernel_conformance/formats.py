"""Harnesses of the kinds that have no server: serializers, compressors and routers.

The plain ones do for a plugin that declares nothing beyond its contract; a plugin's own adds what only it can know:
bytes of released versions, the format's own traps, the reference tool, rules that its router understands.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kernel.contracts import Compressor, Router, Serializer
from kernel.errors import PluginError
from kernel.runtime.plugins import discover
from kernel_conformance.harness import Harness
from kernel_conformance.installed import load_installed


class SerializerHarness(Harness):
    """Every serializer that the plugin provides is tested.

    Attributes:
        golden: released version → (value, the bytes it wrote) pairs; claims ``golden``.
        hostile: further inputs that must be refused, by the name of the case: ``nesting``, ``bombs``,
            ``self_references``, ``programs``, ``malformed``, ``heavy``.
        slow: the format is read in pure Python: ten times the time is allowed in SER-020 and SER-030.
    """

    kind = "serializer"
    embedded = True
    golden: Mapping[str, Sequence[tuple[object, bytes]]] = {}
    hostile: Mapping[str, Sequence[bytes]] = {}
    slow: bool = False

    def subjects(self) -> Sequence[Serializer]:
        """What the plugin provides."""
        return tuple(self.plugin.provided())

    def neighbours(self) -> Sequence[Serializer]:
        """Every serializer that is installed, those of this plugin among them."""
        return provided_by_all(self.kind)

    def claims(self) -> frozenset[str]:
        """The declared types, ``safe`` and ``canonical``, as far as every serializer of the plugin has them."""
        flags = ("safe", "canonical")
        each = [one.types | {flag for flag in flags if getattr(one, flag)} for one in self.subjects()]
        return frozenset.intersection(*each) | ({"golden"} if self.golden else frozenset())


class CompressionHarness(Harness):
    """Every compressor that the plugin provides is tested.

    Attributes:
        canonical: equal input and level give equal bytes with one version of the library; claims ``canonical``.
        golden: (plain, compressed by the reference tool) pairs, for formats whose tool is not everywhere.
        mb_per_s: what the default level compresses per second of CPU time, of text; 0 when nothing is promised,
            else claims ``speed``.
        growth: bytes by which incompressible data may grow, beside one in a hundred.
    """

    kind = "compression"
    embedded = True
    canonical: bool = False
    golden: Sequence[tuple[bytes, bytes]] = ()
    mb_per_s: float = 0.0
    growth: int = 600

    def subjects(self) -> Sequence[Compressor]:
        """What the plugin provides."""
        return tuple(self.plugin.provided())

    def neighbours(self) -> Sequence[Compressor]:
        """Every compressor that is installed, those of this plugin among them."""
        return provided_by_all(self.kind)

    def claims(self) -> frozenset[str]:
        """``checksum`` when every compressor of the plugin has it, and what the harness knows."""
        known = {
            "checksum": all(one.checksum for one in self.subjects()),
            "canonical": self.canonical,
            "interop": bool(self.golden) or self.has_reference,
            "speed": self.mb_per_s > 0,
        }
        return frozenset(name for name, claimed in known.items() if claimed)

    @property
    def has_reference(self) -> bool:
        """Whether the harness knows the reference tool."""
        return type(self).reference is not CompressionHarness.reference

    def reference(self, data: bytes, *, compress: bool) -> bytes:
        """What the reference tool, an implementation of its own, makes of ``data``.

        Raises:
            NotRun: it is not installed here.
        """
        raise NotImplementedError

    def bomb(self, path: Path) -> int:
        """Write a real bomb, as small a stream of as large a content as is quickly made; the size of the content."""
        size = 64 << 20
        path.write_bytes(self.subjects()[0].compress(bytes(size)))
        return size


class RouterHarness(Harness):
    """Every router that the plugin provides is tested.

    Attributes:
        rules: what configuration gives the factory. The default is what the kernel's own router takes.
        routed: task name → queue that these rules give it.
        unrouted: names that these rules leave to the next router; empty for a router that answers always.
        consistent: adding a shard moves no more names than it must.
    """

    kind = "router"
    embedded = True
    rules: object = ()
    routed: Mapping[str, str] = {}
    unrouted: Sequence[str] = ()
    consistent: bool = False

    def subjects(self) -> Sequence[Callable[[object], Router]]:
        """The factories."""
        return tuple(self.plugin.provided().values())

    def claims(self) -> frozenset[str]:
        """What the harness can give rules for: ``patterns``, ``functions``, ``options``, ``sharding``."""
        known = {
            "patterns": self.pattern_rules("a*", "q") is not None,
            "functions": self.function_rules(str) is not None,
            "options": self.option_rules("priority", 5) is not None,
            "sharding": self.shard_rules(("a", "b")) is not None,
            "consistent": self.consistent and self.shard_rules(("a", "b")) is not None,
        }
        return frozenset(name for name, claimed in known.items() if claimed)

    def pattern_rules(self, pattern: str, queue: str) -> object | None:
        """Rules that send every task whose name fits a pattern of a user to a queue; None without such rules."""
        return None

    def function_rules(self, function: Callable[..., object]) -> object | None:
        """Rules that call a function of a user; None without such rules."""
        return None

    def option_rules(self, option: str, value: object) -> object | None:
        """Rules of ``task_routes`` that give every task an execution option; None without such rules."""
        return None

    def shard_rules(self, queues: Sequence[str]) -> object | None:
        """Rules that spread all tasks over these queues; None for a router that does not shard."""
        return None


def provided_by_all(kind: str) -> tuple[Any, ...]:
    """What all installed plugins of a kind provide; those that cannot be loaded provide nothing."""
    found: list[Any] = []
    for entry in discover():
        if entry.kind == kind:
            with contextlib.suppress(PluginError):
                found += load_installed(entry.name).provided()
    return tuple(found)
