"""What can be set, beside the URL."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from kernel.contracts.manifest import Option
from kernel.errors import Code, DriverError

NUMBER: Final = (int, float)
TEXT: Final = (str, type(None))
QUEUE_TYPES: Final = ("classic", "quorum")

OPTIONS: Final[Mapping[str, Option]] = {
    "queue_type": Option(str, "classic", "type of declared queues: classic (priorities) or quorum (attempts)"),
    "delay_queue_type": Option(str, "quorum", "type of the queues where delayed messages wait: quorum or classic"),
    "confirm_publish": Option(bool, True, "wait until the server has each message; without, publishing is only fast"),
    "max_in_flight": Option(int, 1000, "messages of a batch that may wait for their confirmation at a time"),
    "max_body": Option(int, 16 * 1024 * 1024, "largest body in bytes; not above the server's max_message_size"),
    "heartbeat": Option(NUMBER, 60, "seconds after which a silent connection counts as lost; 0 is never"),
    "connect_timeout": Option(NUMBER, 5, "seconds a receiving worker may spend on connecting again in one call"),
    "ssl_ca_certs": Option(TEXT, None, "file of the authorities that may have signed the server's certificate"),
    "ssl_certfile": Option(TEXT, None, "file of this client's certificate"),
    "ssl_keyfile": Option(TEXT, None, "file of this client's key"),
    "ssl_check_hostname": Option(bool, True, "whether the certificate must be the host's"),
    "login_method": Option(str, "PLAIN", "SASL mechanism: PLAIN, AMQPLAIN or EXTERNAL"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """The options by name; see :data:`OPTIONS`."""

    queue_type: str
    delay_queue_type: str
    confirm_publish: bool
    max_in_flight: int
    max_body: int
    heartbeat: float
    connect_timeout: float
    ssl_ca_certs: str | None
    ssl_certfile: str | None
    ssl_keyfile: str | None
    ssl_check_hostname: bool
    login_method: str

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Options":
        """With the defaults of what is not given.

        Raises:
            DriverError: INVALID for a value outside its range.
        """
        found = cls(**{one.name: given.get(one.name, OPTIONS[one.name].default) for one in fields(cls)})
        for name in ("queue_type", "delay_queue_type"):
            _check(getattr(found, name) in QUEUE_TYPES, name, getattr(found, name), "one of classic and quorum")
        for name in ("max_in_flight", "max_body"):
            _check(getattr(found, name) > 0, name, getattr(found, name), "a whole number above 0")
        _check(found.heartbeat >= 0, "heartbeat", found.heartbeat, "0 or more seconds")
        _check(found.connect_timeout > 0, "connect_timeout", found.connect_timeout, "more than 0 seconds")
        known = ("PLAIN", "AMQPLAIN", "EXTERNAL")
        _check(found.login_method in known, "login_method", found.login_method, f"one of {', '.join(known)}")
        return found


def _check(fine: bool, name: str, value: object, wanted: str) -> None:
    if not fine:
        raise DriverError(Code.INVALID, f"Option {name}={value!r} is not {wanted}", cure=f"Give {wanted}.")
