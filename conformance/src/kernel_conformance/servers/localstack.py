"""LocalStack's SQS provider, without the rest of LocalStack: the second oracle beside moto.

Good for: backlogs, FIFO order over redeliveries, partial failures of a batch, the smaller size limit, origins of dead
letters. Not for: anything that must survive a restart, the cool-down between purges, bounds on delay and visibility.
What was hidden comes back up to a second late: it looks once a second.
"""

from kernel_conformance.servers.sqs import SqsServer

_SETTINGS = (
    "GATEWAY_LISTEN={host}:{port}",
    "GATEWAY_SERVER=hypercorn",  # the other server listens on every address, whatever it is told
    "SERVICES=sqs",
    "EAGER_SERVICE_LOADING=1",
    "DISABLE_EVENTS=1",
    "SKIP_SSL_CERT_DOWNLOAD=1",
    "DNS_ADDRESS=0",
    "SQS_ENDPOINT_STRATEGY=path",
    "SQS_DISABLE_CLOUDWATCH_METRICS=1",
    "FILESYSTEM_ROOT={dir}",
    "HOME={dir}",
)


class LocalStackServer(SqsServer):
    """``localstack-core`` of the pinned version, with SQS only."""

    version = "4.7.0"

    def __init__(self) -> None:
        super().__init__("localstack", f"env {' '.join(_SETTINGS)} {{bin}}/python -m localstack.runtime.main")
