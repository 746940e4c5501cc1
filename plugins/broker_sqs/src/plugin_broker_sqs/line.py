"""Everything that belongs to one client of the SDK, made anew after a fork."""

from collections.abc import Callable
from dataclasses import dataclass

from kernel.contracts.capabilities import BrokerCaps
from kernel.model.topology import QueueSpec
from plugin_broker_sqs.api import Api
from plugin_broker_sqs.names import QueueNames
from plugin_broker_sqs.options import Settings
from plugin_broker_sqs.publishing import Publishing
from plugin_broker_sqs.queues import Queues
from plugin_broker_sqs.receiving import Receiving
from plugin_broker_sqs.settling import Settling


@dataclass(frozen=True, slots=True)
class Plan:
    """What a broker knows before it is opened."""

    settings: Settings
    names: QueueNames
    caps: BrokerCaps
    clock: Callable[[], float]
    specs: dict[str, QueueSpec]


class Line:
    """The client, and those who use it."""

    def __init__(self, api: Api, plan: Plan, epoch: int) -> None:
        settings, names = plan.settings, plan.names
        self.api = api
        self.queues = Queues(api, settings, names, plan.specs)
        self.publishing = Publishing(api, settings, names, self.queues, plan.caps)
        self.settling = Settling(api, settings, self.queues, plan.caps, plan.clock)
        self.receiving = Receiving(api, names, self.queues, self.settling, plan.clock, epoch=epoch)
