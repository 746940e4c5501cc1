"""Shared secrets by name: the one that signs, and all that are believed."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.errors import DecodeError, ImproperlyConfigured
from kernel.errors.near import did_you_mean

FILE = "file:"
"""What a secret that stands in a file begins with."""

MIN_CHARACTERS = 32
"""Characters a secret has at least: 32 of base64 are 24 random bytes."""

MAX_NAME = 64
"""Bytes of UTF-8 that the name of a key may have."""


class Key(NamedTuple):
    """One key, as two: what signs is not what encrypts."""

    name: bytes
    signing: bytes
    encrypting: bytes

    def __repr__(self) -> str:
        return f"<Key {self.name.decode()}>"


class KeyRing:
    """The keys of option ``keys``.

    Args:
        secrets: name → secret of at least 32 characters, or ``file:`` and the path of a file that holds one.
        sign_with: name of the key that signs; empty for the first, so that the newest is written first.

    Raises:
        ImproperlyConfigured: without a key, for a name or secret that cannot be one, and for a file that cannot be
            read. The message shows no secret.
    """

    def __init__(self, secrets: Mapping[str, object], sign_with: str = "") -> None:
        if not secrets:
            raise ImproperlyConfigured(
                "plugin_options.serializer.signed.keys is empty", cure='Give one at least: keys = {"2026-11" = "..."}.'
            )
        self._keys = {key.name: key for key in (_key(name, secret) for name, secret in secrets.items())}
        name = sign_with or next(iter(secrets))
        if name not in secrets:
            cure = did_you_mean(name, secrets) or f"Keys are {', '.join(secrets)}."
            raise ImproperlyConfigured(f"sign_with names {name!r}, which is none of the keys", cure=cure)
        self.signer = self._keys[name.encode()]

    def find(self, name: bytes) -> Key:
        """The key of that name.

        Raises:
            DecodeError: for an unknown one.
        """
        key = self._keys.get(name)
        if key is None:
            shown = name.decode(errors="backslashreplace")
            raise DecodeError(
                f"The message is signed with the key {shown!r:.80}, which is not known here",
                cure="Give it to this program in plugin_options.serializer.signed.keys, if the sender is trusted.",
            )
        return key


def _key(name: str, secret: object) -> Key:
    if not isinstance(name, str) or not 0 < len(name.encode()) <= MAX_NAME:
        raise ImproperlyConfigured(f"{name!r:.80} is no name of a key: that is text of 1 to {MAX_NAME} bytes")
    if not isinstance(secret, str):
        raise ImproperlyConfigured(f"The key {name!r} is of type {type(secret).__name__}, not text")
    text = _from_file(name, secret.removeprefix(FILE)) if secret.startswith(FILE) else secret
    if len(text) < MIN_CHARACTERS:
        raise ImproperlyConfigured(
            f"The key {name!r} has {len(text)} characters, fewer than {MIN_CHARACTERS}",
            cure="Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return Key(name.encode(), _derived(text, b"kernel signed 1: sign"), _derived(text, b"kernel signed 1: encrypt"))


def _from_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is no text in UTF-8"
        raise ImproperlyConfigured(f"The file {path!r} of the key {name!r} cannot be read: {reason}") from exc


def _derived(secret: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())
