"""The one module that imports the SDK; it is imported when a broker is opened, because that takes half a second."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

import boto3.session
from botocore import exceptions as native
from botocore.config import Config

from kernel.contracts.deadline import Deadline
from kernel.errors import Applied, Code, DriverError
from kernel.model.masking import MASK
from plugin_broker_sqs.failures import answered
from plugin_broker_sqs.options import DEFAULT_REGION, Settings

SHORTEST_READ_S: Final = 0.05
_PROBE: Final = "kernel-ping"
_ALIVE: Final = frozenset({Code.NOT_FOUND})

_REPEATABLE: Final = frozenset(
    {"get_queue_url", "get_queue_attributes", "delete_message_batch", "change_message_visibility_batch"}
)
"""Requests that do no more when made twice. One whose connection the server closed is made once more, at once: a server
closes connections that were idle for long, and may do so while a request is under way to it."""
_HANDSHAKE: Final = "handshake operation timed out"
"""In the text of a time-out while TLS was being agreed on, which the SDK does not tell from one of reading."""
_NEVER_SENT: Final = (
    native.EndpointConnectionError,
    native.ConnectTimeoutError,
    native.ProxyConnectionError,
)
_CREDENTIALS: Final = (
    native.NoCredentialsError,
    native.PartialCredentialsError,
    native.CredentialRetrievalError,
    native.TokenRetrievalError,
    native.UnauthorizedSSOTokenError,
    native.SSOTokenLoadError,
    native.ProfileNotFound,
)
_WRONG: Final = (native.ParamValidationError, native.InvalidRegionError, native.InvalidEndpointConfigurationError)


class SdkApi:
    """One client of the SDK, for all threads of this process.

    The SDK does not retry: what failed is told, and the kernel decides. The read timeout of each request is what is
    left of its deadline; making a connection has the bound of its own that the options say.

    Args:
        settings: endpoint, region, credentials, timeouts. What they leave open the SDK finds by its own rules.

    Raises:
        DriverError: INVALID or AUTH, when the SDK cannot make a client of it.
    """

    def __init__(self, settings: Settings) -> None:
        self._secrets = [secret for secret in (settings.secret,) if secret]
        self._left = threading.local()
        config = Config(
            connect_timeout=settings.connect_timeout_s,
            max_pool_connections=settings.max_pool_connections,
            retries={"total_max_attempts": 1},
        )
        try:
            session = boto3.session.Session()
            self._client: Any = session.client(
                "sqs",
                region_name=settings.region or session.region_name or DEFAULT_REGION,
                endpoint_url=settings.endpoint,
                aws_access_key_id=settings.key or None,
                aws_secret_access_key=settings.secret or None,
                config=config,
            )
        except (native.BotoCoreError, ValueError) as error:
            raise self._translated(error, "making a client") from error
        self._client.meta.events.register("before-call.sqs", self._bound)
        self._client.meta.events.register("before-send.sqs", _keep_alive)

    def call(self, operation: str, deadline: Deadline, **parameters: Any) -> dict[str, Any]:
        """One request, named as in the SDK.

        Raises:
            DriverError: whatever became of it.
        """
        what = operation.replace("_", " ")
        try:
            return self._send(operation, deadline, parameters)
        except native.ConnectionClosedError as error:
            if operation not in _REPEATABLE:
                raise self._translated(error, what) from error
        except (native.BotoCoreError, native.ClientError, OSError) as error:
            raise self._translated(error, what) from error
        try:
            return self._send(operation, deadline, parameters)
        except (native.BotoCoreError, native.ClientError, OSError) as error:
            raise self._translated(error, what) from error

    def _send(self, operation: str, deadline: Deadline, parameters: Mapping[str, Any]) -> dict[str, Any]:
        deadline.check(operation.replace("_", " "))
        self._left.seconds = max(SHORTEST_READ_S, deadline.left())
        found: dict[str, Any] = getattr(self._client, operation)(**parameters)
        return found

    def ping(self, deadline: Deadline) -> None:
        """One round trip: whether a queue of an unlikely name exists. That we may not know it is an answer, too.

        Raises:
            DriverError: AUTH for credentials that are not known at all, UNAVAILABLE, TIMEOUT.
        """
        try:
            self.call("get_queue_url", deadline, QueueName=_PROBE)
        except DriverError as error:
            if error.code not in _ALIVE and "AccessDenied" not in str(error):
                raise

    def close(self) -> None:
        """Close the idle connections; a later call makes new ones."""
        self._client.close()

    def _bound(self, context: dict[str, Any], **_: Any) -> None:
        """Called by the SDK before each request, in the thread of the call."""
        context["read_timeout"] = self._left.seconds

    def _translated(self, error: Exception, what: str) -> DriverError:
        if isinstance(error, native.ClientError):
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            return answered(error.response.get("Error", {}), status, what)
        code, outcome, cure = _kind(error)
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return DriverError(code, f"SQS: {what} failed: {text}", outcome=outcome, cure=cure)


def _keep_alive(request: Any, **_: Any) -> None:
    """Called by the SDK after it signed a request: some servers keep a connection only when asked to in words."""
    request.headers["Connection"] = "keep-alive"


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised for."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _kind(error: Exception) -> tuple[Code, Applied, str]:
    if isinstance(error, _CREDENTIALS):
        return Code.AUTH, Applied.NOT_APPLIED, "Give the SDK credentials, for example by its environment variables."
    if isinstance(error, (*_WRONG, ValueError)):
        return Code.INVALID, Applied.NOT_APPLIED, "Correct the call or the options."
    if isinstance(error, _NEVER_SENT) or any(_HANDSHAKE in str(one) for one in _behind(error)):
        return Code.UNAVAILABLE, Applied.NOT_APPLIED, "See whether the endpoint runs and can be reached."
    if isinstance(error, native.ReadTimeoutError):
        return Code.TIMEOUT, Applied.UNKNOWN, "Allow more time, or see what keeps the server busy."
    if isinstance(error, native.SSLError):
        return Code.UNAVAILABLE, Applied.UNKNOWN, "See whether the endpoint speaks TLS and has a certificate we trust."
    return Code.UNAVAILABLE, Applied.UNKNOWN, "See whether the endpoint runs and can be reached."
