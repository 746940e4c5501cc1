"""What the broker claims: one thing for standard queues, another for FIFO queues."""

from dataclasses import replace
from typing import Final

from kernel.contracts.capabilities import BrokerCaps, Limits
from plugin_broker_sqs.batches import MOST
from plugin_broker_sqs.names import QueueNames
from plugin_broker_sqs.options import Settings

RESERVED_BYTES: Final = 4096
"""Kept free in every message, so that its reason still fits when it is rejected."""
LONGEST_DELAY_S: Final = 900.0
LONGEST_LEASE_S: Final = 43_200.0
"""Twelve hours, counted by the server from the receiving; an extension beyond is refused."""
_WHOLE_SECONDS: Final = 1.0


def claims(settings: Settings, names: QueueNames) -> BrokerCaps:
    """The capabilities with these options.

    Base64 makes four bytes of three, in Celery's namespace twice, and the headers need room as well: ``max_body``
    leaves at least 18 KB of the server's 256 for them.
    """
    limits = Limits(
        max_body=settings.max_message_bytes // 2 if settings.celery else settings.max_message_bytes * 5 // 8,
        max_batch=MOST,
        max_delay_s=LONGEST_LEASE_S - 1 if settings.fifo else LONGEST_DELAY_S,
        min_lease_s=1.0,
        max_lease_s=LONGEST_LEASE_S,
        name_pattern=names.pattern,
        granularity_s=_WHOLE_SECONDS,
    )
    return BrokerCaps(
        confirm=True,
        attempts=True,
        lease=True,
        nack_delay=True,
        dlq=True,
        fifo_group=settings.fifo,
        dedup=settings.fifo,
        delay=not settings.fifo,
        depth=True,
        purge=True,
        prefetch=True,
        binary_headers=not settings.celery,
        cross_settle=True,
        tls=True,
        limits=limits,
    )


def caps_of_queue(caps: BrokerCaps, *, fifo: bool, fair: bool) -> BrokerCaps:
    """What one queue can do, whatever its broker claims for all of them.

    Args:
        caps: the broker's.
        fifo: whether it is a FIFO queue.
        fair: whether a group on a standard queue asks for fairness.
    """
    if fifo:
        return replace(caps, fifo_group=True, dedup=True, delay=False)
    return replace(caps, fifo_group=True) if fair else caps
