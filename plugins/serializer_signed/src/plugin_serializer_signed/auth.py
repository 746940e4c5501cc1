"""``serializer="auth"``: signed with certificates, in the bytes of Celery (wire.md 14.3)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from cryptography.hazmat.primitives import hashes

from kernel.contracts.serializer import Buffer, DecodeLimits, FormatContext, Serializer
from kernel.errors import DecodeError, EncodeError, ImproperlyConfigured
from plugin_serializer_signed.certificates import CertificateStore, Identity
from plugin_serializer_signed.inside import Inside, whole

_SEPARATOR = b"\x00\x01"
_ENCODINGS = frozenset({b"", b"utf-8", b"us-ascii", b"binary"})
_DIGESTS: Mapping[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha3_256": hashes.SHA3_256,
    "sha3_384": hashes.SHA3_384,
    "sha3_512": hashes.SHA3_512,
}
_NEEDED = ("security_key", "security_certificate", "security_cert_store")
_CURE = f"Set {', '.join(_NEEDED)}, or call app.setup_security()."


class Fields(NamedTuple):
    """The five fields of a message, of which none is believed."""

    signer: str
    signature: bytes
    content_type: str
    encoding: bytes
    body: bytes


class Office:
    """Certifies and verifies for one application.

    Args:
        context: with the options of the plugin and the settings of ``security_*``.

    Raises:
        ImproperlyConfigured: for settings that are missing or files that cannot be used.
    """

    def __init__(self, context: FormatContext) -> None:
        settings, options = context.settings, dict[str, Any](context.options)
        missing = [name for name in _NEEDED if not settings[name]]
        if missing:
            raise ImproperlyConfigured(f"The serializer 'auth' needs {' and '.join(missing)}", cure=_CURE)
        key, certificate, store = (str(settings[name]) for name in _NEEDED)
        password: Any = settings["security_key_password"]
        self.clock = context.clock
        self.identity = Identity(key, password, certificate)
        self.store = CertificateStore(store, context.clock)
        self.digest = _DIGESTS[str(settings["security_digest"])]()
        self.inside = Inside(options["serializer"], options["accept"], context.serializers)

    def close(self, obj: object) -> bytes:
        """The message of a value."""
        inner = self.inside.writer
        body = inner.dumps(obj)
        signature = self.identity.sign(body, self.digest, self.clock())
        fields = (
            base64.b64encode(self.identity.name.encode()),
            base64.b64encode(signature),
            inner.content_type.encode(),
            inner.content_encoding.encode(),
            body,
        )
        return base64.b64encode(_SEPARATOR.join(fields))

    def open(self, data: bytes, limits: DecodeLimits) -> object:
        """The value of a message."""
        fields = parse(data)
        self.store.find(fields.signer).verify(fields.body, fields.signature, self.digest)
        if fields.encoding not in _ENCODINGS:
            raise DecodeError(f"The content encoding inside is {fields.encoding!r:.40}, not utf-8 or binary")
        return self.inside.read(fields.content_type, fields.body, limits)


class AuthSerializer(Serializer):
    """Signs what another serializer writes with this node's key; believes those whose certificate is in the store.

    What it carries is what the serializer inside carries. Equal values give other bytes: signatures are salted.

    Args:
        office: made by :meth:`configured`; None signs and reads nothing.
    """

    name: ClassVar[str] = "auth"
    content_type: ClassVar[str] = "application/data"
    content_encoding: ClassVar[str] = "utf-8"
    safe: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = frozenset()
    canonical: ClassVar[bool] = False

    def __init__(self, office: Office | None = None) -> None:
        self._office = office

    def configured(self, context: FormatContext) -> Serializer:
        """The serializer with the certificates of the application.

        Raises:
            ImproperlyConfigured: for settings that cannot work; without any only when a setting names it.
        """
        if not context.needed and not any(context.settings[name] for name in _NEEDED):
            return self
        return AuthSerializer(Office(context))

    def dumps(self, obj: object) -> bytes:
        """Encode with the serializer inside, and sign.

        Raises:
            EncodeError: for what that serializer cannot carry, naming its path; when this node's certificate is not
                valid; and without certificates.
        """
        if self._office is None:
            raise EncodeError("There is no certificate to sign with", cure=_CURE)
        return self._office.close(obj)

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """Verify, then decode with the serializer inside.

        Raises:
            DecodeError: for an unknown signer, one whose certificate has expired, a message that was changed, a
                content type inside that is not accepted, all before anything inside is decoded; and for what the
                serializer inside refuses.
        """
        message = whole(data, limits)
        if self._office is None:
            raise DecodeError("There are no certificates to verify with", cure=_CURE)
        return self._office.open(message, limits)


def parse(data: bytes) -> Fields:
    """The fields of a message.

    Raises:
        DecodeError: for bytes that are no such message.
    """
    try:
        parts = base64.b64decode(data, validate=True).split(_SEPARATOR, 4)
        if len(parts) != len(Fields._fields):
            raise DecodeError(f"No message of the serializer 'auth': it has {len(parts)} fields, not 5")
        signer, signature, content_type, encoding, body = parts
        return Fields(
            base64.b64decode(signer, validate=True).decode(),
            base64.b64decode(signature, validate=True),
            content_type.decode("ascii"),
            encoding,
            body,
        )
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise DecodeError("No message of the serializer 'auth': it is no base64 of the right text") from exc
