"""Queues at the server: their URLs, their attributes, declaring and deleting them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.contracts.broker import Depth
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from plugin_broker_sqs.api import Api
from plugin_broker_sqs.names import QueueNames
from plugin_broker_sqs.options import Settings

VISIBILITY: Final = "VisibilityTimeout"
REDRIVE: Final = "RedrivePolicy"
ARN: Final = "QueueArn"
RETENTION_S: Final = 1_209_600
"""Fourteen days, the most there is: the server forgets a message after so long, and its own default is four days."""
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What consuming a queue needs to know.

    Attributes:
        url: the queue's URL.
        lease_s: how long a delivery is to stay hidden, in whole seconds.
        policy: its native redrive policy, as the server wrote it; None without one.
    """

    url: str
    lease_s: int
    policy: str | None = None


class Queues:
    """The queues of one account and region, as far as they have been met.

    Args:
        api: the client.
        settings: the options.
        names: the mapping of names.
        specs: what was declared in this process, kept over reconnections.
    """

    def __init__(self, api: Api, settings: Settings, names: QueueNames, specs: dict[str, QueueSpec]) -> None:
        self._api = api
        self._settings = settings
        self._names = names
        self._specs = specs
        self._urls: dict[str, str] = {}
        self._facts: dict[str, Facts] = {}

    def url(self, name: str, deadline: Deadline) -> str:
        """The queue's URL.

        Raises:
            DriverError: NOT_FOUND, INVALID for a name, or the request failed.
        """
        found = self._urls.get(name)
        if found is None:
            found = self._urls[name] = self._look_up(name, deadline)
        return found

    def forget(self, name: str) -> None:
        """It is not there any more: look again next time."""
        self._urls.pop(name, None)
        self._facts.pop(name, None)

    def facts(self, name: str, deadline: Deadline) -> Facts:
        """What consuming it needs to know; asked of the server once.

        Raises:
            DriverError: NOT_FOUND, or the request failed.
        """
        found = self._facts.get(name)
        if found is None:
            found = self._facts[name] = self._read_facts(name, deadline)
        return found

    def dead_letter(self, name: str, deadline: Deadline) -> str | None:
        """URL of the queue for what is rejected in this one; None when rejecting deletes.

        It is the declared one, or else that of the native redrive policy, in the same account and region.

        Raises:
            DriverError: NOT_FOUND when it is not there, or the request failed.
        """
        spec = self._specs.get(name)
        if spec is not None and spec.dead_letter is not None:
            return self.url(spec.dead_letter, deadline)
        policy = self.facts(name, deadline).policy
        if not policy:
            return None
        at_server = json.loads(policy).get("deadLetterTargetArn", "").rpartition(":")[2]
        return str(self._api.call("get_queue_url", deadline, QueueName=at_server)["QueueUrl"])

    def forget_dead_letter(self, name: str) -> None:
        """It was not there: look again next time."""
        spec = self._specs.get(name)
        if spec is not None and spec.dead_letter is not None:
            self.forget(spec.dead_letter)

    def declare(self, spec: QueueSpec, deadline: Deadline) -> None:
        """Make the queue and its dead letter exist.

        Raises:
            DriverError: CONFLICT when it exists with other properties; NOT_FOUND for one that is not predefined.
        """
        if self._settings.predefined_queues:
            self._look_up(spec.name, deadline)
        else:
            dead_arn = None if spec.dead_letter is None else self._dead_letter(spec, spec.dead_letter, deadline)
            self._exists_or_create(spec, dead_arn, deadline)
        self._specs[spec.name] = spec
        self._facts.pop(spec.name, None)

    def delete(self, name: str, deadline: Deadline) -> None:
        """Remove it; one that is not there, or is predefined, is left alone."""
        self._specs.pop(name, None)
        if self._settings.predefined_queues:
            return
        try:
            self._api.call("delete_queue", deadline, QueueUrl=self.url(name, deadline))
        except DriverError as error:
            if error.code is not Code.NOT_FOUND:
                raise
        self.forget(name)

    def depth(self, name: str, deadline: Deadline) -> Depth:
        """Messages in it; never exact.

        Raises:
            DriverError: NOT_FOUND, or the request failed.
        """
        counts = self._attributes(name, _COUNTS, deadline)
        ready, in_flight, delayed = (int(counts.get(count, 0)) for count in _COUNTS)
        return Depth(ready, in_flight, delayed, exact=False)

    def purge(self, name: str, deadline: Deadline) -> None:
        """Empty it, once a minute.

        Raises:
            DriverError: EXHAUSTED within the minute, NOT_FOUND, or the request failed.
        """
        try:
            self._api.call("purge_queue", deadline, QueueUrl=self.url(name, deadline))
        except DriverError as error:
            self._noticed(name, error)
            raise

    def _look_up(self, name: str, deadline: Deadline) -> str:
        predefined = self._settings.predefined_queues
        if predefined:
            if name not in predefined:
                raise DriverError(
                    Code.NOT_FOUND,
                    f"The queue {name!r} is not among predefined_queues",
                    cure="Add it with its URL, or leave the option out so that queues are created.",
                )
            return predefined[name]
        found = self._api.call("get_queue_url", deadline, QueueName=self._names.at_server(name))
        return str(found["QueueUrl"])

    def _attributes(self, name: str, wanted: Sequence[str], deadline: Deadline) -> Mapping[str, str]:
        url = self.url(name, deadline)
        try:
            found = self._api.call("get_queue_attributes", deadline, QueueUrl=url, AttributeNames=list(wanted))
        except DriverError as error:
            self._noticed(name, error)
            raise
        attributes: Mapping[str, str] = found.get("Attributes", {})
        return attributes

    def _noticed(self, name: str, error: DriverError) -> None:
        if error.code is Code.NOT_FOUND:
            self.forget(name)

    def _read_facts(self, name: str, deadline: Deadline) -> Facts:
        """The declared lease wins; else the queue's own, but not more than the option says, as leases are renewed."""
        spec = self._specs.get(name)
        attributes = self._attributes_or_none(name, (VISIBILITY, REDRIVE), deadline)
        own = int(attributes.get(VISIBILITY, 0)) or self._settings.lease_s
        lease = spec.lease_s if spec is not None and spec.lease_s is not None else min(own, self._settings.lease_s)
        return Facts(self.url(name, deadline), whole(lease), attributes.get(REDRIVE))

    def _attributes_or_none(self, name: str, wanted: Sequence[str], deadline: Deadline) -> Mapping[str, str]:
        """Predefined queues may be used without the right to read their attributes."""
        try:
            return self._attributes(name, wanted, deadline)
        except DriverError as error:
            if error.code is Code.AUTH and self._settings.predefined_queues:
                return {}
            raise

    def _dead_letter(self, spec: QueueSpec, dead: str, deadline: Deadline) -> str | None:
        """Make the dead letter exist; its ARN where the server itself is to move messages there."""
        self._exists_or_create(QueueSpec(dead), None, deadline)
        if spec.delivery_limit is None:
            return None
        if self._names.is_fifo(spec.name) != self._names.is_fifo(dead):
            raise DriverError(
                Code.INVALID,
                f"Queue {spec.name!r} has delivery_limit={spec.delivery_limit}, and its dead letter {dead!r} is of the "
                "other type, standard or FIFO",
                cure="Give it a dead letter of its own type, or leave delivery_limit out.",
            )
        return self._attributes(dead, (ARN,), deadline)[ARN]

    def _exists_or_create(self, spec: QueueSpec, dead_arn: str | None, deadline: Deadline) -> None:
        self.forget(spec.name)  # it may have been deleted since
        try:
            self.url(spec.name, deadline)
        except DriverError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            if self._create(spec, dead_arn, deadline):
                return
        self._compare(spec, dead_arn, deadline)

    def _create(self, spec: QueueSpec, dead_arn: str | None, deadline: Deadline) -> bool:
        """Whether it was created; not when somebody else did so meanwhile."""
        attributes: dict[str, str] = {
            VISIBILITY: str(whole(spec.lease_s or self._settings.created_lease_s)),
            "MessageRetentionPeriod": str(RETENTION_S),
            **self._settings.queue_attributes,
            **_redrive(spec, dead_arn),
        }
        name = self._names.at_server(spec.name)
        if self._names.is_fifo(spec.name):
            attributes["FifoQueue"] = "true"
        more: dict[str, Any] = {"tags": dict(self._settings.queue_tags)} if self._settings.queue_tags else {}
        try:
            made = self._api.call("create_queue", deadline, QueueName=name, Attributes=attributes, **more)
        except DriverError as error:
            if error.code is Code.CONFLICT:
                return False
            raise
        self._urls[spec.name] = str(made["QueueUrl"])
        return True

    def _compare(self, spec: QueueSpec, dead_arn: str | None, deadline: Deadline) -> None:
        """Refuse a declaration that contradicts the queue; what it leaves open contradicts nothing."""
        wanted = _redrive(spec, dead_arn)
        if spec.lease_s is not None:
            wanted[VISIBILITY] = str(whole(spec.lease_s))
        if not wanted:
            return
        found = self._attributes(spec.name, list(wanted), deadline)
        differing = [
            f"{key} is {found.get(key)}, not {value}"
            for key, value in wanted.items()
            if _normal(found.get(key)) != _normal(value)
        ]
        if differing:
            raise DriverError(
                Code.CONFLICT,
                f"Queue {spec.name!r} exists with other properties: {', '.join(differing)}",
                cure="Declare it as it is, or delete the queue first.",
            )


def whole(seconds: float) -> int:
    """Whole seconds, never fewer."""
    return int(-(-seconds // 1))


def _redrive(spec: QueueSpec, dead_arn: str | None) -> dict[str, str]:
    if dead_arn is None:
        return {}
    return {REDRIVE: json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": spec.delivery_limit})}


def _normal(value: str | None) -> object:
    """An attribute's value; the members of a policy are compared, not its text."""
    if value is None or not value.startswith("{"):
        return value
    return {key: str(part) for key, part in json.loads(value).items()}
