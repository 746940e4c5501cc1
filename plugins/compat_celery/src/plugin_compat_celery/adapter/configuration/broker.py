"""What Celery's settings about the broker's address become: one URL, with TLS in it (features.md 2.8, 2.10)."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from plugin_compat_celery.adapter.configuration.addresses import (
    TLS_FILES,
    built,
    can_secure,
    listed,
    normal,
    scheme_of,
    secured,
    verify_word,
    with_query,
)
from plugin_compat_celery.adapter.configuration.decisions import (
    Draft,
    Rule,
    Ruling,
    Verdict,
    taken,
    translated,
    unsupported,
    whole,
)

_PARTS: Mapping[str, str] = {
    "broker_user": "user",
    "broker_password": "password",
    "broker_host": "host",
    "broker_port": "port",
    "broker_vhost": "path",
}
_READ, _WRITE = "broker_read_url", "broker_write_url"
_NO_VERIFY = "The plugin for RabbitMQ always verifies the server: name its authority in ca_certs."


class Tls(NamedTuple):
    """What ``broker_use_ssl`` says: parameters for the URL, options of the plugin, and rulings about its keys."""

    query: dict[str, str]
    options: dict[str, Any]
    rulings: dict[str, Ruling]


def broker_urls(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The broker's URLs, before TLS: of the URL settings, else of the parts of old; empty when nothing names it."""
    urls = listed(given.get(_WRITE)) or listed(given.get("broker_url")) or listed(given.get(_READ))
    if urls:
        return tuple(normal(url) for url in urls)
    if not any(given.get(name) for name in (*_PARTS, "broker_transport")):
        return ()
    host = str(given.get("broker_host") or "")
    if "://" in host:
        return (normal(host),)
    parts = {part: given.get(name) for name, part in _PARTS.items()}
    return (built(scheme_of(normal(given.get("broker_transport") or "amqp")), parts),)


def address(draft: Draft, name: str, _value: Any) -> Ruling:
    """The rule of every setting that says where the broker is."""
    given = draft.given
    urls = broker_urls(given)
    if urls:
        draft.settings["broker_url"] = _with_tls(urls, draft)
    if name == "broker_url":
        plain = not given.get("broker_use_ssl") and urls == listed(given["broker_url"])
        return taken() if plain else translated("Written in full, with TLS where broker_use_ssl asks for it.")
    if name in {_READ, _WRITE}:
        return _direction(given)
    if any(given.get(each) for each in ("broker_url", _READ, _WRITE)):
        return translated("broker_url counts, as in Celery.")
    return translated("Written into broker_url.")


def _direction(given: Mapping[str, Any]) -> Ruling:
    url = listed(given.get("broker_url"))
    read, write = listed(given.get(_READ)) or url, listed(given.get(_WRITE)) or url
    if not read or not write or read == write:
        return translated("Written as broker_url: both directions are the same.")
    return unsupported("One broker_url serves both directions: name the server that takes messages and gives them.")


def _with_tls(urls: tuple[str, ...], draft: Draft) -> str | tuple[str, ...]:
    wanted = draft.given.get("broker_use_ssl")
    if wanted and can_secure(urls):
        tls = read_tls(wanted, scheme_of(urls[0]))
        urls = tuple(with_query(secured(url), tls.query) for url in urls)
        for option, value in tls.options.items():
            draft.option("broker_transport_options", option, value)
    return urls[0] if len(urls) == 1 else ";".join(urls)


def use_ssl(draft: Draft, name: str, value: Any) -> Ruling:
    """``broker_use_ssl``: the scheme with TLS, its files as parameters of the URL."""
    urls = broker_urls(draft.given)
    if not value:
        return translated("No TLS, unless the URL asks for it.")
    if not urls or not can_secure(urls):
        return unsupported("It needs a broker_url of RabbitMQ or Redis beside it.")
    address(draft, "broker_url", value) if draft.given.get("broker_url") else address(draft, "broker_host", value)
    rulings = read_tls(value, scheme_of(urls[0])).rulings
    draft.parts[name] = rulings
    found = whole(rulings)
    return found if found.verdict is Verdict.UNSUPPORTED else translated(f"A URL with TLS: {secured(urls[0])[:9]}…")


def read_tls(wanted: Any, scheme: str) -> Tls:
    """True, or a mapping of ``ssl`` arguments, with or without ``ssl_`` before each name."""
    tls = Tls({}, {}, {})
    if not isinstance(wanted, Mapping):
        return tls
    redis = not scheme.startswith("amqp")
    for name, value in wanted.items():
        plain = str(name).removeprefix("ssl_")
        rule = _TLS_KEYS.get(plain)
        if value is None:
            tls.rulings[name] = translated("Not set.")
        elif rule is None:
            tls.rulings[name] = unsupported("The plugin leaves it to Python's own choice: remove it.")
        else:
            tls.rulings[name] = rule(tls, plain, value, redis)
    return tls


def _file(tls: Tls, name: str, value: Any, _redis: bool) -> Ruling:
    tls.query[TLS_FILES[name]] = str(value)
    return translated(f"Parameter {TLS_FILES[name]} of the URL.")


def _for_redis(tls: Tls, name: str, value: Any, redis: bool) -> Ruling:
    if not redis:
        return unsupported("The plugin for RabbitMQ has no such option: remove it.")
    tls.query[f"ssl_{name}"] = str(value)
    return translated(f"Parameter ssl_{name} of the URL.")


def _cert_reqs(tls: Tls, _name: str, value: Any, redis: bool) -> Ruling:
    word = verify_word(value)
    if word is None:
        return unsupported("It is none of ssl.CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED.")
    if not redis:
        return translated("Always so.") if word == "required" else unsupported(_NO_VERIFY)
    tls.query["ssl_cert_reqs"] = word
    return translated("Parameter ssl_cert_reqs of the URL.")


def _check_hostname(tls: Tls, _name: str, value: Any, redis: bool) -> Ruling:
    if redis:
        tls.query["ssl_check_hostname"] = str(bool(value)).lower()
        return translated("Parameter ssl_check_hostname of the URL.")
    tls.options["ssl_check_hostname"] = bool(value)
    return translated("Option ssl_check_hostname of the plugin.")


_TLS_KEYS: Mapping[str, Callable[[Tls, str, Any, bool], Ruling]] = {
    **dict.fromkeys(TLS_FILES, _file),
    "ca_path": _for_redis,
    "password": _for_redis,
    "cert_reqs": _cert_reqs,
    "check_hostname": _check_hostname,
}

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("broker_url", _READ, _WRITE, "broker_transport", *_PARTS), address),
    "broker_use_ssl": use_ssl,
}
