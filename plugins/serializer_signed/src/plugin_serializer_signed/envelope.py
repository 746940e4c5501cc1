"""The bytes of a signed message.

::

    kSg1  key name  content type  time  signature of all the rest  body
    kSe1  key name  content type  time  salt  nonce  encrypted body with its tag

Key name and content type have one byte of length before them; the time is milliseconds of Unix time in eight bytes,
big-endian. The signature is HMAC-SHA256. Encryption is AES-256-GCM with a key of its own for each message, made of the
salt, so that no number of messages is too many for one key; everything before the nonce is authenticated with it.
"""

import hmac
import secrets
import struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.errors import DecodeError
from plugin_serializer_signed.keyring import Key, KeyRing

_SIGNED = b"kSg1"
_ENCRYPTED = b"kSe1"
_MAGIC_BYTES = 4
_TIME = struct.Struct(">Q")
_SIGNATURE_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12


class Opened(NamedTuple):
    """A message whose signature is good: what it holds, and when it was signed, in Unix time."""

    content_type: str
    signed_at: float
    body: bytes


def seal(key: Key, content_type: str, now: float, body: bytes, *, encrypt: bool) -> bytes:
    """The message for ``body``, signed, and encrypted when asked for."""
    named = b"".join(bytes([len(part)]) + part for part in (key.name, content_type.encode("ascii")))
    head = (_ENCRYPTED if encrypt else _SIGNED) + named + _TIME.pack(int(now * 1000))
    if not encrypt:
        return b"".join((head, _signature(key, head, body), body))
    head += secrets.token_bytes(_SALT_BYTES)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return b"".join((head, nonce, _cipher(key, head).encrypt(nonce, body, head)))


def unseal(keys: KeyRing, data: bytes) -> Opened:
    """What a message holds, once its signature is found good.

    Raises:
        DecodeError: for anything that is no such message, for an unknown key, and for a message that was changed.
    """
    encrypted = data[:_MAGIC_BYTES] == _ENCRYPTED
    if not encrypted and data[:_MAGIC_BYTES] != _SIGNED:
        raise DecodeError("No signed message: it does not begin as one")
    name, position = _short(data, _MAGIC_BYTES)
    content_type, position = _short(data, position)
    end = position + _TIME.size + (_SALT_BYTES if encrypted else 0)
    head, rest = data[:end], data[end:]
    if len(rest) < (_NONCE_BYTES if encrypted else _SIGNATURE_BYTES):
        raise _cut()
    key = keys.find(name)
    body = _decrypted(key, head, rest) if encrypted else _verified(key, head, rest)
    (moment,) = _TIME.unpack_from(head, position)
    return Opened(content_type.decode("ascii", "backslashreplace"), moment / 1000, body)


def _short(data: bytes, position: int) -> tuple[bytes, int]:
    """A field with its length before it, and where the next one begins."""
    start = position + 1
    end = start + (data[position] if position < len(data) else 0)
    if end > len(data) or start > len(data):
        raise _cut()
    return data[start:end], end


def _verified(key: Key, head: bytes, rest: bytes) -> bytes:
    body = rest[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(rest[:_SIGNATURE_BYTES], _signature(key, head, body)):
        raise _changed()
    return body


def _decrypted(key: Key, head: bytes, rest: bytes) -> bytes:
    try:
        return _cipher(key, head).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head)
    except InvalidTag as exc:
        raise _changed() from exc


def _signature(key: Key, head: bytes, body: bytes) -> bytes:
    made = hmac.new(key.signing, head, "sha256")  # the head says its own length, so nothing can move between the two
    made.update(body)
    return made.digest()


def _cipher(key: Key, head: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key.encrypting, head[-_SALT_BYTES:], "sha256"))


def _cut() -> DecodeError:
    return DecodeError("No signed message: it ends too early")


def _changed() -> DecodeError:
    return DecodeError(
        "The signature does not fit: the message was changed, or signed with another secret",
        cure="See that every program has the same secret under this key's name.",
    )
