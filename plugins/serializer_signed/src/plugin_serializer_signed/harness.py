"""What the conformance suite needs to know of signed messages; imported by the suite only, with the extra ``test``."""

import pickle
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kernel.contracts.serializer import FormatContext, Serializer
from kernel_conformance import SerializerHarness
from plugin_serializer_signed import golden
from plugin_serializer_signed.auth import AuthSerializer
from plugin_serializer_signed.envelope import seal
from plugin_serializer_signed.keyring import KeyRing
from plugin_serializer_signed.signed import SignedSerializer

_SECRETS = {"2026-11": "not a secret: it is in the suite of everybody", "old": "retired, and believed all the same"}
_RING = KeyRing(_SECRETS)
_STRANGER = KeyRing({"2026-11": "what an attacker calls by the same name"})
_JSON = "application/json"


def _sealed(body: bytes, content_type: str = _JSON, ring: KeyRing = _RING) -> bytes:
    return seal(ring.signer, content_type, 1_795_258_800.0, body, encrypt=False)


class SignedHarness(SerializerHarness):
    """``serializer.signed`` over JSON, once signing and once encrypting."""

    golden: Mapping[str, Sequence[tuple[object, bytes]]] = {
        "2026.11.0": ((golden.VALUE, golden.SIGNED_MESSAGE), (golden.VALUE, golden.ENCRYPTED_MESSAGE)),
    }
    hostile: Mapping[str, Sequence[bytes]] = {
        "nesting": (_sealed(b"[" * 129 + b"]" * 129), _sealed(b"[" * 1_000_000)),
        "programs": (_sealed(pickle.dumps([1]), "application/x-python-serialize"), _sealed(b"1", "application/x-yaml")),
        "malformed": (
            b"kSg1",
            b"kSe1\x072026-11\x10application/json" + bytes(40),
            _sealed(b'{"a": 1, "a": 2}'),
            _sealed(b"[1]", ring=_STRANGER),
            _sealed(b"[1]").replace(b"2026-11", b"2026-12"),
        ),
    }  # fmt: skip

    def subjects(self) -> Sequence[Serializer]:
        """Two configured ones."""
        return self._subjects

    @cached_property
    def _subjects(self) -> tuple[Serializer, ...]:
        options = {
            "keys": _SECRETS, "sign_with": "", "encrypt": False, "max_age": None, "serializer": "json", "accept": (),
        }  # fmt: skip
        inner = {each.name: each for each in self.neighbours()}
        signing = SignedSerializer().configured(FormatContext(options, {}, inner))
        encrypting = SignedSerializer().configured(FormatContext({**options, "encrypt": True}, {}, inner))
        return signing, encrypting


class AuthHarness(SerializerHarness):
    """``serializer.auth`` over JSON, with a key and a certificate made for this run."""

    golden: Mapping[str, Sequence[tuple[object, bytes]]] = {
        "2026.11.0": ((golden.VALUE, golden.AUTH_MESSAGE),),
    }
    hostile: Mapping[str, Sequence[bytes]] = {"malformed": (b"bm90aGluZw==", b"AAEAAQABAAE=", b"\xff\x00")}

    def subjects(self) -> Sequence[Serializer]:
        """The configured one."""
        return self._subjects

    def stop(self) -> None:
        """Remove the key."""
        if "_folder" in vars(self):
            self._folder.cleanup()

    @cached_property
    def _folder(self) -> "tempfile.TemporaryDirectory[str]":
        return tempfile.TemporaryDirectory(prefix="kernel-auth-")

    @cached_property
    def _subjects(self) -> tuple[Serializer, ...]:
        folder = Path(self._folder.name)
        write_identity(folder, "conformance")
        (folder / "golden.crt").write_text(golden.AUTH_CERTIFICATE)
        settings = {
            "security_key": str(folder / "conformance.key"),
            "security_key_password": None,
            "security_certificate": str(folder / "conformance.crt"),
            "security_cert_store": str(folder / "*.crt"),
            "security_digest": "sha256",
        }
        options = {"serializer": "json", "accept": ()}
        inner = {each.name: each for each in self.neighbours()}
        return (AuthSerializer().configured(FormatContext(options, settings, inner)),)


def write_identity(folder: Path, name: str, *, days: tuple[float, float] = (-1, 30)) -> None:
    """Write ``<name>.key`` and a self-signed ``<name>.crt``, valid from and until so many days from now."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    unsigned = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    unsigned = unsigned.not_valid_before(now + timedelta(days[0])).not_valid_after(now + timedelta(days[1]))
    certificate = unsigned.sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(pem)
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
