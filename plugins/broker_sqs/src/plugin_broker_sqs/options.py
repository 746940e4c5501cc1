"""The options, and what URL and options together say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError
from kernel.model.urls import masked_url

SCHEME: Final = "sqs"
DEFAULT_REGION: Final = "us-east-1"
CELERY: Final = "celery"
"""The namespace whose names and messages a Celery fleet shares (wire.md 8)."""

LEASE_S: Final = 60.0
CELERY_LEASE_S: Final = 1800.0
LONGEST_POLL_S: Final = 20
SMALLEST_MESSAGE: Final = 1024
_HTTPS_PORTS: Final = (None, 443)
_TRUE: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

OPTIONS: Final[Mapping[str, Option]] = {
    "region": Option((str, type(None)), None, "AWS region; by default what the SDK finds, else us-east-1."),
    "queue_name_prefix": Option(str, "", "Put in front of every queue's name at the server."),
    "predefined_queues": Option(
        dict, {}, "Queue name to queue URL. When given, queues are neither looked up, created nor deleted."
    ),
    "fifo": Option(bool, False, "Every queue is a FIFO queue: its name at the server gets the ending .fifo."),
    "fair": Option(bool, False, "`group` on a standard queue makes it a fair queue, instead of being refused."),
    "lease_s": Option((int, float), LEASE_S, "Longest lease to take where a queue was not declared with its own."),
    "wait_time_s": Option(int, 2, "Longest long poll, 1 to 20 seconds: longer costs fewer requests, shutdown waits."),
    "max_message_bytes": Option(int, 262_144, "Largest message of the server; AWS takes up to 1048576."),
    "connect_timeout_s": Option((int, float), 1.0, "How long making a connection may take."),
    "max_pool_connections": Option(int, 50, "Connections kept open; one for each thread, one for each polled queue."),
    "queue_attributes": Option(dict, {}, "Further attributes of queues this broker creates, such as KmsMasterKeyId."),
    "queue_tags": Option(dict, {}, "Tags of queues this broker creates."),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that was configured.

    Attributes:
        shown: the URL without its secrets.
        endpoint: URL of the server; None leaves it to the SDK.
        key: access key in the URL; empty leaves credentials to the SDK.
        secret: secret key in the URL.
        celery: whether a Celery fleet shares the queues.
    """

    shown: str
    endpoint: str | None = None
    key: str = ""
    secret: str = field(default="", repr=False)
    celery: bool = False
    region: str | None = None
    queue_name_prefix: str = ""
    predefined_queues: Mapping[str, str] = field(default_factory=dict)
    fifo: bool = False
    fair: bool = False
    lease_s: float = LEASE_S
    wait_time_s: int = 2
    max_message_bytes: int = 262_144
    connect_timeout_s: float = 1.0
    max_pool_connections: int = 50
    queue_attributes: Mapping[str, str] = field(default_factory=dict)
    queue_tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def created_lease_s(self) -> float:
        """Visibility timeout of a queue that is created without one: Celery's own in its namespace (wire.md 8)."""
        return CELERY_LEASE_S if self.celery else self.lease_s


def read_settings(url: str, options: Mapping[str, object], namespace: str) -> Settings:
    """Read URL and options.

    ``sqs://``, ``sqs://KEY:SECRET@``, ``sqs://KEY:SECRET@HOST:PORT?region=REGION&tls=false``. Key and secret are
    percent-encoded. A host is spoken to over TLS unless a port other than 443 is given; ``tls`` says otherwise.

    Raises:
        DriverError: INVALID for a URL or value it cannot take.
    """
    shown = masked_url(url)
    parts = _split(url, shown)
    query = _query(parts, shown)
    given: dict[str, Any] = {name: option.default for name, option in OPTIONS.items()} | dict(options)
    given["region"] = query.get("region") or given["region"]
    given["predefined_queues"] = {name: _queue_url(value) for name, value in given["predefined_queues"].items()}
    for name in ("queue_attributes", "queue_tags"):
        given[name] = {key: str(value) for key, value in given[name].items()}
    settings = Settings(
        shown,
        endpoint=_endpoint(parts, query.get("tls"), shown),
        key=unquote(parts.username or ""),
        secret=unquote(parts.password or ""),
        celery=namespace == CELERY,
        **given,
    )
    _check(settings)
    return settings


def _split(url: str, shown: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError as error:
        raise _invalid(f"{shown!r} is no URL: {error}", "Correct the URL.") from error
    if parts.scheme != SCHEME or parts.path.strip("/") or bool(parts.username) != bool(parts.password):
        raise _invalid(f"{shown!r} is no URL of SQS", "Write sqs://, or sqs://KEY:SECRET@HOST:PORT?region=REGION.")
    return parts


def _query(parts: SplitResult, shown: str) -> dict[str, str]:
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(query) - {"region", "tls"})
    if unknown:
        raise _invalid(f"{shown!r} has the parameter {unknown[0]!r}", "Only region and tls may stand in the URL.")
    return query


def _endpoint(parts: SplitResult, tls: str | None, shown: str) -> str | None:
    if not parts.hostname:
        return None
    if tls is not None and tls.lower() not in _TRUE:
        raise _invalid(f"tls={tls!r} in {shown!r} is neither true nor false", "Write tls=true or tls=false.")
    secure = parts.port in _HTTPS_PORTS if tls is None else _TRUE[tls.lower()]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{'https' if secure else 'http'}://{host}{port}"


def _queue_url(value: object) -> str:
    """A queue's URL; a mapping with ``url`` is how Celery's users write it."""
    url = value.get("url") if isinstance(value, Mapping) else value
    if not isinstance(url, str) or "://" not in url:
        raise _invalid(f"predefined_queues has {value!r}, which is no queue URL", "Give the URL that AWS shows.")
    return url


def _check(settings: Settings) -> None:
    if not 1 <= settings.wait_time_s <= LONGEST_POLL_S:
        raise _invalid(f"wait_time_s={settings.wait_time_s} is outside 1 to {LONGEST_POLL_S}", "Correct the option.")
    if settings.max_message_bytes < SMALLEST_MESSAGE:
        raise _invalid(
            f"max_message_bytes={settings.max_message_bytes} is below {SMALLEST_MESSAGE}", "Correct the option."
        )
    for name in ("connect_timeout_s", "max_pool_connections", "lease_s"):
        if not getattr(settings, name) > 0:
            raise _invalid(f"{name}={getattr(settings, name)!r} is not above 0", "Correct the option.")


def _invalid(message: str, cure: str) -> DriverError:
    return DriverError(Code.INVALID, message, cure=cure)
