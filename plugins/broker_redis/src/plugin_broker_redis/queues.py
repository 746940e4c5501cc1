"""Queues as they are declared: a registry in the server, and what this process knows of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kernel.contracts import Deadline
from kernel.errors import Code, DriverError
from kernel.model.topology import Binding, QueueSpec
from plugin_broker_redis.names import SEPARATOR, Names, is_fanout
from plugin_broker_redis.patterns import topic_regex
from plugin_broker_redis.scripts import DELETE, KEEP, REGISTER
from plugin_common_redis import Wire, Word

TEMPORARY_S: Final = 300.0
"""Seconds a temporary queue outlives a process that died; its consumer keeps it."""
_PROPERTIES: Final = (
    "temporary",
    "auto_delete",
    "max_priority",
    "ttl_s",
    "expires_s",
    "lease_s",
    "delivery_limit",
    "dead_letter",
)
"""What two declarations must agree on; bindings add up."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A queue as registered. ``text`` is how the server has it; ``implied`` when it is only somebody's dead letter."""

    name: str
    text: str
    temporary: bool = False
    auto_delete: bool = False
    max_priority: int | None = None
    ttl_s: float | None = None
    expires_s: float | None = None
    lease_s: float | None = None
    delivery_limit: int | None = None
    dead_letter: str | None = None
    owner: str | None = None
    implied: bool = False

    @property
    def life_s(self) -> float | None:
        """Seconds it stays when nobody uses it."""
        return TEMPORARY_S if self.temporary and self.expires_s is None else self.expires_s


def facts_of(name: str, text: bytes) -> Facts:
    """Read what the registry has."""
    known = {key: value for key, value in json.loads(text).items() if key in Facts.__dataclass_fields__}
    return Facts(name, text.decode(), **known)


def subscriptions(spec: QueueSpec) -> list[Binding]:
    """Every binding of a queue to a named exchange; the queue's own exchange first."""
    own = [Binding(spec.exchange, spec.key)] if spec.exchange.name else []
    return [*own, *(binding for binding in spec.bindings if binding.exchange.name)]


class Queues:
    """The registry.

    Args:
        names: of keys.
        owner: whose temporary queues are ours.
    """

    def __init__(self, names: Names, owner: str) -> None:
        self._names = names
        self._owner = owner
        self._known: dict[str, Facts] = {}
        self._kinds: dict[str, str] = {}

    def declare(self, wire: Wire, spec: QueueSpec, deadline: Deadline) -> Facts:
        """Make a queue, its dead letter, its exchanges and bindings exist.

        Raises:
            DriverError: CONFLICT.
        """
        given = {name: getattr(spec, name) for name in _PROPERTIES}
        wanted = {name: value for name, value in given.items() if value is not None and value is not False}
        if spec.temporary:
            wanted["owner"] = self._owner
        self._declare_exchanges(wire, spec, deadline)
        facts = self._register(wire, spec.name, wanted, deadline)
        if spec.dead_letter is not None:
            self._register(wire, spec.dead_letter, {"implied": True}, deadline)
        self._bind(wire, spec, deadline)
        if facts.life_s is not None:
            KEEP.run(wire, [self._names.expiring], [spec.name, facts.life_s], deadline)
        return facts

    def delete(self, wire: Wire, name: str, deadline: Deadline, *, if_over: bool = False) -> bool:
        """Remove a queue with its messages and bindings; ``if_over``: only when its time is over."""
        names = self._names
        bound = wire.ask(["SMEMBERS", names.bound(name)], deadline)
        keys: list[Word] = [names.registry, names.unacked, names.index, names.expiring]
        keys += [*names.lists_of(name), names.bound(name)]
        gone = DELETE.run(wire, keys, [name, f"{SEPARATOR}{name}", int(if_over)], deadline)
        self._known.pop(name, None)
        if gone and bound:
            split = [entry.decode().partition(SEPARATOR) for entry in bound]
            commands = [["SREM", key, member] for exchange, _, member in split for key in names.bindings(exchange)]
            wire.ask_all(commands, deadline)
        return bool(gone)

    def keep(self, wire: Wire, queues: Iterable[Facts], deadline: Deadline) -> None:
        """Keep queues that would expire, and remove those nobody kept."""
        args: list[Word] = []
        for facts in queues:
            if facts.life_s is not None:
                args += [facts.name, facts.life_s]
        for name in KEEP.run(wire, [self._names.expiring], args, deadline):
            self.delete(wire, name.decode(), deadline, if_over=True)

    def known(self, name: str) -> Facts | None:
        """What this process knows of a queue; the server may know better."""
        return self._known.get(name)

    def learn(self, name: str, text: bytes | None) -> Facts | None:
        """Note what the server has."""
        if text is None:
            self._known.pop(name, None)
            return None
        facts = self._known[name] = facts_of(name, text)
        return facts

    def look(self, wire: Wire, names: Iterable[str], deadline: Deadline) -> dict[str, Facts]:
        """The queues as the server has them now; those that do not exist are missing."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        found = wire.ask(["HMGET", self._names.registry, *wanted], deadline)
        facts = [self.learn(name, text) for name, text in zip(wanted, found, strict=True)]
        return {one.name: one for one in facts if one is not None}

    def kind(self, wire: Wire, exchange: str, deadline: Deadline) -> str:
        """The type of an exchange; direct when nobody declared it."""
        kind = self._kinds.get(exchange)
        if kind is None:
            found = wire.ask(["HGET", self._names.exchanges, exchange], deadline)
            kind = "direct" if found is None else found.decode()
            if found is not None:
                self._kinds[exchange] = kind
        return kind

    def _declare_exchanges(self, wire: Wire, spec: QueueSpec, deadline: Deadline) -> None:
        for binding in subscriptions(spec):
            exchange = binding.exchange
            wire.ask(["HSETNX", self._names.exchanges, exchange.name, exchange.type], deadline)
            have = wire.ask(["HGET", self._names.exchanges, exchange.name], deadline).decode()
            if have != exchange.type:
                raise DriverError(
                    Code.CONFLICT,
                    f"Exchange {exchange.name!r} exists with type {have!r}, not {exchange.type!r}",
                    cure="Use its type, or another exchange name.",
                )
            self._kinds[exchange.name] = have

    def _register(self, wire: Wire, name: str, wanted: Mapping[str, Any], deadline: Deadline) -> Facts:
        text = json.dumps(wanted, separators=(",", ":"), sort_keys=True)
        have: bytes = wire.ask(["HGET", self._names.registry, name], deadline) or b""
        while True:
            old = facts_of(name, have) if have else None
            if old is not None and (have == text.encode() or "implied" in wanted):
                break
            if old is not None and not old.implied:
                raise _conflict(old, wanted)
            answer = REGISTER.run(wire, [self._names.registry], [name, have, text], deadline)
            if answer == 1:
                have = text.encode()
                break
            have = answer
        facts = self.learn(name, have)
        assert facts is not None, "it has a text"
        return facts

    def _bind(self, wire: Wire, spec: QueueSpec, deadline: Deadline) -> None:
        commands: list[list[Word]] = []
        for binding in subscriptions(spec):
            exchange = binding.exchange
            pattern = topic_regex(binding.routing_key) if exchange.type == "topic" else ""
            member = SEPARATOR.join((binding.routing_key, pattern, spec.name))
            if spec.temporary and is_fanout(exchange.name, exchange.type):
                continue  # it listens to a channel
            commands += [["SADD", key, member] for key in self._names.bindings(exchange.name)]
            commands.append(["SADD", self._names.bound(spec.name), f"{exchange.name}{SEPARATOR}{member}"])
        if commands:
            wire.ask_all(commands, deadline)


def _conflict(old: Facts, wanted: Mapping[str, Any]) -> DriverError:
    if old.owner != wanted.get("owner"):
        return DriverError(
            Code.CONFLICT,
            f"Queue {old.name!r} is private to another connection",
            cure="Choose another name for this temporary queue.",
        )
    differing = [
        f"{name} is {getattr(old, name)!r}, not {wanted.get(name)!r}"
        for name in _PROPERTIES
        if getattr(old, name) not in {wanted.get(name), wanted.get(name, False)}
    ]
    return DriverError(
        Code.CONFLICT,
        f"Queue {old.name!r} exists with other properties: {', '.join(differing)}",
        cure="Declare it as it is, or delete the queue first.",
    )
