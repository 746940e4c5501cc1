"""Modules of Celery 5.7 that do not exist here, by the reason. Data only."""

from collections.abc import Mapping
from typing import Final

GROUPS: Final[Mapping[str, str]] = {
    "result backends are plugins of kernel, chosen by the URL in result_backend": """
        celery.app.backends celery.backends.arangodb celery.backends.asynchronous celery.backends.azureblockblob
        celery.backends.cache celery.backends.cassandra celery.backends.consul celery.backends.cosmosdbsql
        celery.backends.couchbase celery.backends.couchdb celery.backends.database celery.backends.dynamodb
        celery.backends.elasticsearch celery.backends.filesystem celery.backends.gcs celery.backends.mongodb
        celery.backends.redis celery.backends.rpc celery.backends.s3""",
    "a worker of kernel has no bootsteps: write a plugin with hooks, or connect to a signal such as worker_ready": """
        celery.bootsteps celery.worker.components celery.worker.consumer celery.worker.consumer.agent
        celery.worker.consumer.connection celery.worker.consumer.consumer celery.worker.consumer.control
        celery.worker.consumer.delayed_delivery celery.worker.consumer.events celery.worker.consumer.gossip
        celery.worker.consumer.heart celery.worker.consumer.mingle celery.worker.consumer.tasks
        celery.worker.autoscale celery.worker.heartbeat celery.worker.loops celery.worker.pidbox
        celery.worker.strategy celery.worker.worker""",
    "what a worker does is asked for by inspect: active(), reserved(), revoked(), stats()": "celery.worker.state",
    "pools are plugins of kernel: prefork, threads, solo and async": """
        celery.concurrency.asynpool celery.concurrency.base celery.concurrency.eventlet celery.concurrency.gevent
        celery.concurrency.prefork celery.concurrency.solo celery.concurrency.thread""",
    "it is how Celery runs a task; kernel does it by kernel.engine": """
        celery.app.annotations celery.app.autoretry celery.app.builtins celery.app.trace""",
    "routes are settings, or plugins of kernel: see task_routes": "celery.app.routes",
    "the commands are not there as objects: run the program, or call celery.bin.celery.main": """
        celery.apps.multi celery.bin.amqp celery.bin.base celery.bin.beat celery.bin.call celery.bin.control
        celery.bin.events celery.bin.graph celery.bin.list celery.bin.logtool celery.bin.migrate celery.bin.multi
        celery.bin.purge celery.bin.result celery.bin.shell celery.bin.upgrade celery.bin.worker""",
    "it is a screen of the program: kernel events": "celery.events.cursesmon celery.events.dumper",
    "messages are signed by plugin-serializer-signed; app.setup_security() turns it on": """
        celery.security.certificate celery.security.key celery.security.serialization celery.security.utils""",
    "messages are moved by the tools of the broker, or drained by workers of the old one": "celery.contrib.migrate",
    "use debugpy, or another debugger that attaches to a process": "celery.contrib.rdb",
    "autodoc of Sphinx shows a task by its __wrapped__ function": "celery.contrib.sphinx",
    "it is internal to Celery, and the standard library has what is needed": """
        celery.utils.abstract celery.utils.annotations celery.utils.debug celery.utils.deprecated
        celery.utils.quorum_queues celery.utils.static celery.utils.sysinfo celery.utils.term celery.utils.threads
        celery.utils.timer2""",
}

MODULES: Final[Mapping[str, str]] = {name: reason for reason, names in GROUPS.items() for name in names.split()}
"""Module → why it is not here."""
