"""What a plugin implements. Each module states the exact duties of one kind; nothing here knows an implementation.

The contracts are versioned per kind (:data:`kernel.contracts.manifest.CONTRACTS`). The hooks are not re-exported
here: ``kernel.contracts.hookspecs`` imports pluggy, which ``import kernel`` does without.
"""

from kernel.contracts.backend import CLAIM_S, JoinState, Record, ResultBackend, StoreMode, StoreResult
from kernel.contracts.broker import (
    Broker,
    Consumer,
    Delivery,
    Depth,
    Outgoing,
    PublishResult,
    Settle,
    SettleKind,
    SettleResult,
)
from kernel.contracts.capabilities import BackendCaps, BrokerCaps, Limits, PoolCaps
from kernel.contracts.compressor import Compressor
from kernel.contracts.deadline import Deadline
from kernel.contracts.driver import Driver, PluginContext
from kernel.contracts.manifest import CONTRACTS, Manifest
from kernel.contracts.pool import Executor, Job, Loss, Pool, PoolListener, PoolOptions, Report, Running
from kernel.contracts.router import Router
from kernel.contracts.serializer import DecodeLimits, FormatContext, Serializer

__all__ = [
    "CLAIM_S",
    "CONTRACTS",
    "BackendCaps",
    "Broker",
    "BrokerCaps",
    "Compressor",
    "Consumer",
    "Deadline",
    "DecodeLimits",
    "Delivery",
    "Depth",
    "Driver",
    "Executor",
    "FormatContext",
    "Job",
    "JoinState",
    "Limits",
    "Loss",
    "Manifest",
    "Outgoing",
    "PluginContext",
    "Pool",
    "PoolCaps",
    "PoolListener",
    "PoolOptions",
    "PublishResult",
    "Record",
    "Report",
    "ResultBackend",
    "Router",
    "Running",
    "Serializer",
    "Settle",
    "SettleKind",
    "SettleResult",
    "StoreMode",
    "StoreResult",
]
