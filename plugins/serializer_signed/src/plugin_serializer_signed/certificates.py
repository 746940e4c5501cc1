"""Certificates: who may sign, by the name that a message calls them (wire.md 14.3)."""

import glob
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kernel.errors import DecodeError, EncodeError, ImproperlyConfigured

log = logging.getLogger("kernel.plugins.serializer_auth")

MIN_BITS = 2048
"""Bits that an RSA key has at least."""

FRESH_S = 60.0
"""Seconds after which the store's folder is looked at again, so that what was taken out of it is not believed."""

RETRY_S = 5.0
"""Seconds after which it is looked at again for a signer that it did not have."""


class Certificate:
    """One certificate.

    Attributes:
        name: issuer and serial number: what messages call it.
    """

    def __init__(self, pem: bytes, origin: str) -> None:
        try:
            found = x509.load_pem_x509_certificate(pem)
            key = found.public_key()
        except ValueError as exc:
            raise ImproperlyConfigured(f"{origin!r} is no certificate in PEM: {exc}") from exc
        if not isinstance(key, RSAPublicKey) or key.key_size < MIN_BITS:
            raise ImproperlyConfigured(f"The certificate {origin!r} is not of an RSA key of {MIN_BITS} bits or more")
        self.key = key
        self.name = f"{' '.join(str(part.value) for part in found.issuer)} {found.serial_number}"
        self._from = found.not_valid_before_utc.timestamp()
        self._until = found.not_valid_after_utc.timestamp()

    def problem_at(self, now: float) -> str:
        """Why it is not valid at that time, as the end of a sentence; empty when it is."""
        if now >= self._until:
            return "has expired"
        return "is not valid yet" if now < self._from else ""

    def verify(self, body: bytes, signature: bytes, digest: hashes.HashAlgorithm) -> None:
        """Whether its owner signed ``body``.

        Raises:
            DecodeError: when not.
        """
        try:
            self.key.verify(signature, body, _pss(digest), digest)
        except InvalidSignature as exc:
            raise DecodeError(
                f"The signature does not fit: the message was changed, or not signed by {self.name!r:.120}"
            ) from exc


class CertificateStore:
    """The certificates that are trusted: all files that a glob finds, looked at again as time goes by.

    A certificate that is put there is believed within seconds, one that is taken away is not after a minute; neither
    needs a restart. When the files cannot be read later on, those of before stay, and the log says so.

    Args:
        pattern: glob, or a folder.
        clock: Unix time.

    Raises:
        ImproperlyConfigured: when there is none, a file is no certificate, or two have one name.
    """

    def __init__(self, pattern: str, clock: Callable[[], float]) -> None:
        self._pattern = pattern
        self._clock = clock
        self._lock = threading.Lock()
        self._known = _load(pattern)
        self._seen = clock()

    def find(self, name: str) -> Certificate:
        """The certificate of that name, valid now.

        Raises:
            DecodeError: for an unknown, expired or not yet valid one.
        """
        now = self._clock()
        self._look_again(now, FRESH_S)
        if name not in self._known:
            self._look_again(now, RETRY_S)
        found = self._known.get(name)
        if found is None:
            raise DecodeError(
                f"The message is signed by {name!r:.120}, whose certificate is not in the store",
                cure="Put it where security_cert_store points, if the sender is trusted.",
            )
        problem = found.problem_at(now)
        if problem:
            raise DecodeError(f"The certificate {found.name!r:.120} {problem}", cure="Give its owner a new one.")
        return found

    def _look_again(self, now: float, after: float) -> None:
        with self._lock:
            if 0 <= now - self._seen < after:
                return
            self._seen = now
        try:
            self._known = _load(self._pattern)
        except ImproperlyConfigured as error:
            log.warning("the certificates known before stay in use: %s", error.one_line())


class Identity:
    """The private key and certificate of this node.

    Args:
        key: path of the key, in PEM.
        password: its password, or None.
        certificate: path of the certificate.

    Raises:
        ImproperlyConfigured: for files that are none, or do not belong together.
    """

    def __init__(self, key: str, password: str | None, certificate: str) -> None:
        try:
            private = load_pem_private_key(_read(key), password.encode() if password else None)
        except (ValueError, TypeError) as exc:  # TypeError: a password too many or too few
            raise ImproperlyConfigured(
                f"{key!r} is no private key in PEM, or its password is wrong", cure="See security_key_password."
            ) from exc
        self._certificate = Certificate(_read(certificate), certificate)
        self.name = self._certificate.name
        if not isinstance(private, RSAPrivateKey) or private.public_key() != self._certificate.key:
            raise ImproperlyConfigured(f"The key {key!r} is not the one of the certificate {certificate!r}")
        self._key = private

    def sign(self, body: bytes, digest: hashes.HashAlgorithm, now: float) -> bytes:
        """The signature of ``body``.

        Raises:
            EncodeError: when the certificate is not valid now: nobody would believe the signature.
        """
        problem = self._certificate.problem_at(now)
        if problem:
            raise EncodeError(f"The certificate {self.name!r:.120} of this node {problem}", cure="Give it a new one.")
        return self._key.sign(body, _pss(digest), digest)


def _load(pattern: str) -> dict[str, Certificate]:
    wanted = str(Path(pattern) / "*") if Path(pattern).is_dir() else pattern
    paths = sorted(glob.glob(wanted))  # noqa: PTH207 - Path.glob takes no absolute pattern
    known: dict[str, Certificate] = {}
    for path in paths:
        found = Certificate(_read(path), path)
        if known.setdefault(found.name, found) is not found:
            raise ImproperlyConfigured(f"Two certificates in {pattern!r} have the name {found.name!r:.120}")
    if not known:
        raise ImproperlyConfigured(f"There is no certificate at {pattern!r} (security_cert_store)")
    return known


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise ImproperlyConfigured(f"The file {path!r} cannot be read: {exc.strerror}") from exc


def _pss(digest: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=padding.PSS.MAX_LENGTH)
