"""The application of the interoperation tests: one source for both libraries. INTEROP_SIDE says which of them it is.

INTEROP_CONFIG has the settings, which both spell alike, as JSON.
"""

import json
import os

SIDE = os.environ["INTEROP_SIDE"]
CONFIG = json.loads(os.environ["INTEROP_CONFIG"])

if SIDE == "celery":
    from celery import Celery, chain, chord, group, signature
    from kombu import Exchange, Queue

    if "task_queues" in CONFIG:
        CONFIG["task_queues"] = [
            Queue(
                queue["name"],
                Exchange(queue["exchange"], type=queue["exchange_type"]),
                routing_key=queue["routing_key"],
                queue_arguments=queue["queue_arguments"],
            )
            for queue in CONFIG["task_queues"]
        ]
    app = Celery("interop", broker=CONFIG.pop("broker_url"), backend=CONFIG.pop("result_backend"))
    app.conf.update(CONFIG)
else:
    from kernel import Kernel, chain, chord, group, signature

    app = Kernel("interop", namespace="celery", plugins=["compression.brotli", "compression.zstd"], **CONFIG)

if "security_key" in CONFIG:
    app.setup_security()

__all__ = ["SIDE", "app", "chain", "chord", "group", "signature"]
