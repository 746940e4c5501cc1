"""``app.setup_security()``: messages signed with certificates, by the names of Celery (features.md 2.11)."""

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Protocol

from kernel.app.settings import Settings
from kernel.errors import ImproperlyConfigured

_NEEDED = ("security_key", "security_certificate", "security_cert_store")
_PLUGIN = "serializer.auth"

Path = str | PathLike[str]


class Secured(Protocol):
    """An application, as far as its settings."""

    conf: Settings


def setup_security(  # noqa: PLR0913 - the documented signature
    app: Secured,
    allowed_serializers: Sequence[str] | None = None,
    key: Path | None = None,
    key_password: str | None = None,
    cert: Path | None = None,
    store: Path | None = None,
    digest: str | None = None,
    serializer: str = "json",
) -> None:
    """Sign all messages with certificates, and take none that is not; needs ``plugin-serializer-signed``.

    Arguments that are not given are those of the settings ``security_*``. The files are read when the application
    first connects.

    Args:
        app: the application; as a method, its own.
        allowed_serializers: names of serializers whose bytes may be inside, beside ``serializer``.
        key: file of this node's private key.
        key_password: its password.
        cert: file of this node's certificate.
        store: glob of the certificates that are trusted.
        digest: hash of signatures, ``sha256`` unless the setting says otherwise.
        serializer: name of the serializer that writes what is signed.

    Raises:
        ImproperlyConfigured: unless ``task_serializer`` is ``auth`` and ``accept_content`` is ``["auth"]``: there is
            no point in signatures that nobody checks; and when key, certificate or store are named nowhere.
    """
    conf = app.conf
    if conf.task_serializer != "auth" or conf.accept_content != ("auth",):
        raise ImproperlyConfigured(
            f"setup_security() needs task_serializer 'auth' and accept_content ['auth'], not "
            f"{conf.task_serializer!r} and {list(conf.accept_content)!r}",
            cure="Set both before: what is not signed must not be accepted beside it.",
        )
    paths = {"security_key": key, "security_certificate": cert, "security_cert_store": store}
    given: dict[str, object] = {name: fspath(path) for name, path in paths.items() if path is not None}
    missing = [name for name in _NEEDED if not (given.get(name) or conf[name])]
    if missing:
        raise ImproperlyConfigured(f"setup_security() needs {' and '.join(missing)}", cure="Give them or set them.")
    texts = {"security_key_password": key_password, "security_digest": digest}
    given.update({name: text for name, text in texts.items() if text is not None})
    options = {**conf.plugin_options.get(_PLUGIN, {}), "serializer": serializer, "accept": allowed_serializers or []}
    conf.update(given, plugin_options={**conf.plugin_options, _PLUGIN: options})
