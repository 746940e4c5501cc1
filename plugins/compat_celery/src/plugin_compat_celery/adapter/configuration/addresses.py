"""URLs out of Celery's many ways to name a server. Pure text."""

import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

LOCAL_BROKER = "amqp://guest:guest@localhost:5672//"
"""The broker of Celery when nothing names one."""
_SCHEMES: Mapping[str, str] = {"librabbitmq": "amqp", "pyamqp": "amqp", "rabbitmq": "amqp"}
_SECURE: Mapping[str, str] = {
    "amqp": "amqps",
    "redis": "rediss",
    "sentinel": "rediss+sentinel",
    "redis+cluster": "rediss+cluster",
}
_TRANSPORTS = frozenset({"amqp", "redis", "rediss", "memory", "sqs", "sentinel", *_SCHEMES})
TLS_FILES: Mapping[str, str] = {
    "ca_certs": "ssl_ca_certs",
    "certfile": "ssl_certfile",
    "keyfile": "ssl_keyfile",
}
_VERIFY: Mapping[object, str] = {
    ssl.CERT_NONE: "none",
    ssl.CERT_OPTIONAL: "optional",
    ssl.CERT_REQUIRED: "required",
    "CERT_NONE": "none",
    "CERT_OPTIONAL": "optional",
    "CERT_REQUIRED": "required",
}


def listed(value: Any) -> tuple[str, ...]:
    """One URL, several joined by ``;``, or a list: each by itself."""
    if value is None or value == "":
        return ()
    urls = value.split(";") if isinstance(value, str) else list(value)
    return tuple(str(url).strip() for url in urls if str(url).strip())


def scheme_of(url: str) -> str:
    """What stands before ``://``; empty when nothing does."""
    return url.partition("://")[0].lower() if "://" in url else ""


def normal(url: str) -> str:
    """A broker URL in full: a name of a transport, or of a host, is completed as Celery completes it."""
    if "://" not in url:
        return f"{_SCHEMES.get(url, url)}://" if url in _TRANSPORTS else f"amqp://{url}"
    scheme, _, rest = url.partition("://")
    return f"{_SCHEMES.get(scheme.lower(), scheme)}://{rest}"


def built(scheme: str, parts: Mapping[str, Any]) -> str:
    """A URL of parts: user, password, host, port and path, each of which may be missing."""
    user, password = parts.get("user"), parts.get("password")
    login = f"{quote(str(user or ''), safe='')}{':' + quote(str(password), safe='') if password else ''}"
    port = f":{parts['port']}" if parts.get("port") else ""
    path = parts.get("path")
    tail = f"/{quote(str(path), safe='')}" if path not in (None, "") else ""
    return f"{scheme}://{login + '@' if login else ''}{parts.get('host') or 'localhost'}{port}{tail}"


def with_query(url: str, more: Mapping[str, str]) -> str:
    """The URL with further parameters."""
    if not more:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(more)}"


def secured(url: str) -> str:
    """The URL of the same server by TLS."""
    scheme, colon, rest = url.partition("://")
    return f"{_SECURE.get(scheme, scheme)}{colon}{rest}"


def can_secure(urls: Sequence[str]) -> bool:
    """Whether every scheme has one with TLS, or is one."""
    return all(scheme_of(url) in {*_SECURE, *_SECURE.values()} for url in urls)


def verify_word(value: object) -> str | None:
    """``cert_reqs`` in a word: none, optional or required; None for anything else."""
    found = _VERIFY.get(value) if value.__hash__ is not None else None
    word = str(value).lower().removeprefix("cert_")
    return found or (word if word in _VERIFY.values() else None)
